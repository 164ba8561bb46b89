/** Several inferences at once: a pool of two worker threads against one session, on 100 images. */
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import { compiled } from './compiled.js';
import type { Network } from './networks.js';
import { sampleOf, type Sample } from './statistics.js';
import type { ThreadsAsked } from './threadsOnce.mjs';

export interface Threads {
  readonly network: string;
  readonly kind: string;
  /** Inferences in one call of the module. */
  readonly batch: number;
  readonly images: number;
  readonly threads: number;
  /** Milliseconds of a run over all images. */
  readonly session: Sample;
  readonly pool: Sample;
  /** The pool without shared memory, as on pages that are not cross-origin isolated. */
  readonly messages: Sample;
}

/** The pool's entry in the built package, where it has one. */
export function poolEntry(root: string): string | undefined {
  const file = path.join(root, 'dist/pool.node.js');
  return existsSync(file) ? pathToFileURL(file).href : undefined;
}

export async function measureThreads(network: Network, batch: number, rounds: number, milliseconds: number, script: string, root: string, pool: string): Promise<Threads> {
  const { file } = await compiled(`${network.name}.${network.kind}`, network.graph, { target: 'simd128' }, batch);
  const asked: ThreadsAsked = { runtime: pathToFileURL(path.join(root, 'dist/runtime.js')).href, pool, file, images: 100, threads: 2, rounds, milliseconds };
  const { status, stdout, stderr } = spawnSync(process.execPath, [script, JSON.stringify(asked)], { encoding: 'utf8' });
  if (status !== 0) throw new Error(stderr.trim().split('\n').find((l) => l.includes('Error')) ?? `status ${status}`);
  const times = JSON.parse(stdout) as Record<'session' | 'pool' | 'messages', number[]>;
  return { network: network.name, kind: network.kind, batch, images: asked.images, threads: asked.threads, session: sampleOf(times.session), pool: sampleOf(times.pool), messages: sampleOf(times.messages) };
}
