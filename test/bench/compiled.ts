/** Compiled modules and micro-kernels as files for the workers, made once a run. */
import { mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import type { Artifact, CompileOptions } from '../../codegen/compile.js';
import type { Graph } from '../../codegen/ir/graph.js';
import { targets } from '../../codegen/targets/target.js';
import { assemble } from '../../sdk/host/assembler.js';
import { compile } from '../../sdk/index.js';
import { peakKernel, type PeakName } from './peak.js';

/** Everything that the benchmark writes, apart from the documentation. */
export const scratch = new URL('.tmp/', import.meta.url).pathname;

/** A build of the product: a target, with or without `fastMath`. */
export interface Build {
  readonly target: string;
  readonly fastMath?: boolean;
}

export const labelOf = (build: Build): string => `${build.target}${build.fastMath ? ' fastMath' : ''}`;

/** What the compiler in this tree can make. */
export const hasTarget = (name: string): boolean => Object.hasOwn(targets, name);

export interface Compiled {
  readonly file: string;
  readonly artifact: Artifact;
}

const made = new Map<string, Promise<Compiled>>();

/** The module of a graph; `key` names the file and must differ for different graphs. */
export function compiled(key: string, graph: Graph, build: Build, batch: number): Promise<Compiled> {
  const name = `${key}.${labelOf(build).replace(' ', '_')}.b${batch}`;
  const known = made.get(name);
  if (known) return known;
  const promise = (async () => {
    const options = { target: build.target, batch, ...(build.fastMath ? { fastMath: true } : {}) } as CompileOptions;
    const artifact = await compile(graph, options);
    mkdirSync(path.join(scratch, 'modules'), { recursive: true });
    const file = path.join(scratch, 'modules', `${name}.wasm`);
    writeFileSync(file, artifact.wasm);
    return { file, artifact };
  })();
  made.set(name, promise);
  return promise;
}

const kernels = new Map<string, Promise<{ file: string; work: number }>>();

/** A micro-kernel's module and the work of one call. */
export function compiledPeak(name: PeakName, bytes = 0): Promise<{ file: string; work: number }> {
  const key = `${name}${bytes || ''}`;
  const known = kernels.get(key);
  if (known) return known;
  const promise = (async () => {
    const { source, features, pages, work } = peakKernel(name, bytes);
    const { binary } = await assemble({ 'peak.ts': source }, { entry: 'peak.ts', features, memoryBase: 49152, pages, optimizeLevel: 3, shrinkLevel: 0 });
    mkdirSync(path.join(scratch, 'modules'), { recursive: true });
    const file = path.join(scratch, 'modules', `peak.${key}.wasm`);
    writeFileSync(file, binary);
    return { file, work };
  })();
  kernels.set(key, promise);
  return promise;
}
