/** Compiled modules and micro-kernels as files for the workers, made once a run. */
import { mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import type { Artifact, CompileOptions } from '../../codegen/compile.js';
import type { Graph } from '../../codegen/ir/graph.js';
import type { TwinName } from '../../codegen/passes/twins/twin.js';
import { targets } from '../../codegen/targets/target.js';
import { assemble } from '../../sdk/host/assembler.js';
import { compile } from '../../sdk/index.js';
import { memoryStep, peakModule, type Instructions } from '../../sdk/profile/peaks.js';
import type { PeakCall, PeakName } from './engines/engine.js';

/** Everything that the benchmark writes, apart from the documentation. */
export const scratch = new URL('.tmp/', import.meta.url).pathname;

/** A build of the product: a target, with or without `fastMath`; of Bayesian networks a twin. */
export interface Build {
  readonly target: string;
  readonly fastMath?: boolean;
  readonly twin?: TwinName;
  readonly localReparameterization?: boolean;
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
    const options = { target: build.target, batch, ...(build.fastMath ? { fastMath: true } : {}), ...(build.twin ? { twin: build.twin } : {}), ...(build.localReparameterization ? { localReparameterization: true } : {}) } as CompileOptions;
    const artifact = await compile(graph, options);
    mkdirSync(path.join(scratch, 'modules'), { recursive: true });
    const file = path.join(scratch, 'modules', `${name}.wasm`);
    writeFileSync(file, artifact.wasm);
    return { file, artifact };
  })();
  made.set(name, promise);
  return promise;
}

const peaks = new Map<string, Promise<{ file: string; peak: PeakCall }>>();

/** Times that a micro-kernel's inner loop runs in a call: a call should take long against its own cost. */
const turns = 64;
/** Bytes that a call of the reader reads, about. */
const readBytes = 4e6;

/** A micro-kernel's module and its call; `bytes` for `read`: of the block, a network's size, so from the cache that holds it. */
export function compiledPeak(name: PeakName, bytes = 0): Promise<{ file: string; peak: PeakCall }> {
  const block = Math.ceil(bytes / memoryStep) * memoryStep;
  const key = `${name}${block || ''}`;
  const known = peaks.get(key);
  if (known) return known;
  const promise = (async () => {
    const instructions: Instructions = name === 'dot8' ? 'relaxed' : 'simd128';
    const { binary, rates } = await peakModule(instructions, block, assemble);
    mkdirSync(path.join(scratch, 'modules'), { recursive: true });
    const file = path.join(scratch, 'modules', `peak.${key}.wasm`);
    writeFileSync(file, binary);
    const times = name === 'read' ? Math.max(1, Math.round(readBytes / block)) : turns;
    const work = times * (name === 'read' ? block : rates.find((r) => r.name === name)!.multiplyAdds);
    return { file, peak: { name, times, bytes: block, work } };
  })();
  peaks.set(key, promise);
  return promise;
}
