/**
 * Where a module's bytes go: sections, and for a model that is compiled for it, weights, other constants and code of each
 * step. Not here: how many bytes weights need at least (test/bench/bytes.ts counts that from the graph).
 */
import { readSections } from '../../codegen/emit/module.js';
import type { Kernel, ProgramUnit } from '../../codegen/ir/program.js';
import { walkExpr } from '../../codegen/ir/walk.js';
import { manifestSection } from '../runtime/manifest.js';
import { stepFacts } from '../profile/facts.js';
import { functionCode } from '../profile/functions.js';
import { build } from './engines.js';
import type { ModelFile, WasmTarget } from './models.js';
import { count, table } from './text.js';

/** Bytes of a module by what they are; together the module. */
export interface ModuleBytes {
  readonly module: number;
  readonly code: number;
  /** Constants as they are stored: long runs of zeros are left out. */
  readonly data: number;
  readonly manifest: number;
  /** Types, exports, heads of sections. */
  readonly rest: number;
}

export interface StepBytes {
  readonly step: string;
  /** Nodes that it computes. */
  readonly nodes: readonly string[];
  /** Constants that its sums read, packed and padded as they lie in memory; what an earlier step reads too counts there. */
  readonly weights: number;
  /** Constants that sums begin with, and that are read once they are complete: biases, and what requantization needs. */
  readonly requantization: number;
  /** Of its function, in a module in which every step has one; steps that are equal share it, and the first has the bytes. */
  readonly code: number;
}

export interface ModelBytes extends ModuleBytes {
  readonly steps: readonly StepBytes[];
}

export function moduleBytes(wasm: Uint8Array): ModuleBytes {
  const sections = readSections(wasm);
  const of = (name: string): number => sections.filter((s) => s.name === name).reduce((sum, s) => sum + s.end - s.start, 0);
  const [code, data, manifest] = [of('code'), of('data'), of(manifestSection)];
  return { module: wasm.length, code, data, manifest, rest: wasm.length - code - data - manifest };
}

/** Compiles a model, and once more with a function for each step, which tells what each takes. */
export async function modelBytes(model: ModelFile, options: { batch?: number; target: WasmTarget; processor?: 'x86-64' | 'arm64' }): Promise<ModelBytes> {
  const { wasm, unit, graph } = await build(model, options);
  const stepped = await build(model, { ...options, steps: true });
  const functions = functionCode(stepped.wasm);
  const counted = new Set<number>();
  const constants = constantBytes(unit);
  const steps = stepFacts(unit.program, graph).map((facts, i): StepBytes => {
    const { index, bytes } = functions.get(`kernel${i}`)!;
    const code = counted.has(index) ? 0 : bytes;
    counted.add(index);
    return { step: facts.name, nodes: facts.nodes.map((n) => n.name), ...constants[i], code };
  });
  return { ...moduleBytes(wasm), steps };
}

/** The constants that each kernel is the first to read. */
function constantBytes({ program }: ProgramUnit): { readonly weights: number; readonly requantization: number }[] {
  const kernels: Kernel[] = [];
  const collect = (blocks: typeof program.blocks): void => blocks.forEach((b) => (b.kind === 'kernel' ? kernels.push(b) : collect(b.body)));
  collect(program.blocks);
  const seen = new Set<string>();
  return kernels.map((kernel) => {
    const fresh = (roots: readonly Parameters<typeof walkExpr>[0][]): number => {
      let bytes = 0;
      const load = (tensor: string): void => {
        const buffer = program.buffers[program.tensors[tensor].buffer];
        if (buffer.role !== 'constant' || seen.has(buffer.name)) return;
        seen.add(buffer.name);
        bytes += buffer.bytes;
      };
      for (const root of roots) walkExpr(root, { expr: (e) => { if (e.op === 'load') load(e.tensor); } });
      return bytes;
    };
    const summed = kernel.accumulators.length > 0;
    const inner = [...kernel.body.map((l) => l.value), ...kernel.accumulators.map((a) => a.update)];
    const outer = [...kernel.accumulators.map((a) => a.init), ...kernel.epilogue.map((l) => l.value), ...kernel.stores.map((s) => s.value)];
    return { weights: summed ? fresh(inner) : 0, requantization: fresh(summed ? outer : [...inner, ...outer]) };
  });
}

/** For people: the sections in one line, then a row a step. */
export function describeBytes(facts: ModuleBytes | ModelBytes): string {
  const { module, code, data, manifest, rest } = facts;
  const line = `${count(module)} bytes: constants ${count(data)}, code ${count(code)}, manifest ${count(manifest)}, rest ${count(rest)}`;
  if (!('steps' in facts)) return line;
  const dash = (n: number): string => (n === 0 ? '-' : count(n));
  const sum = (f: (s: StepBytes) => number): string => count(facts.steps.reduce((total, s) => total + f(s), 0));
  const rows = facts.steps.map((s) => [`  ${s.step}`, dash(s.weights), dash(s.requantization), s.code === 0 ? 'shared' : count(s.code), s.nodes.join(', ') || 'zeros around a tensor']);
  const total = ['  total', sum((s) => s.weights), sum((s) => s.requantization), sum((s) => s.code), ''];
  return `${line}\n${table([['  step', 'weights', 'biases, requantization', 'code', 'layers'], ...rows, total], [1, 2, 3])}`;
}
