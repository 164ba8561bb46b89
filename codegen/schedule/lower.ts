/**
 * Graph -> Program: every node's `lower`, one after the other, over dense row-major tensors; those of a loop within a repeat.
 *
 * Says what is computed and in which order reductions run; nothing of targets, layouts or fusion (schedule.ts).
 * Composites (`expand`) must have been expanded before (passes/expand.ts).
 */
import { describe, plainInteger, type DataType } from '../ir/datatype.js';
import { fail } from '../ir/diagnostic.js';
import { axis, float, load, rowMajor, storageBits } from '../ir/build.js';
import { elementCount, type Constant, type Graph, type Node } from '../ir/graph.js';
import { sha256 } from '../ir/hash.js';
import type { Block, Buffer, Carried, Kernel, Program, ProgramUnit, Role, Tensor } from '../ir/program.js';
import { walkKernel, walkStmts } from '../ir/walk.js';
import { graphContext, valueInfo } from '../ops/context.js';
import { operator } from '../ops/index.js';
import { loopParts } from '../ops/loop.js';
import type { LowerContext, ValueInfo } from '../ops/record.js';

/** The axis of a graph's loop. No kernel has one of this name. */
const loopAxis = 'iteration';

/** Lowers an inferred graph. Raises graph/unsupported for a node that has no kernels, naming it, and graph/loop. */
export function lower(graph: Graph): ProgramUnit {
  const tensors: Record<string, Tensor> = {};
  const buffers: Record<string, Buffer> = {};
  const data = new Map<string, Uint8Array>();
  const parts = loopParts(graph);
  const blocks: Block[] = [];
  const carried: Carried[] = [];

  const declare = (name: string, shape: readonly number[], dtype: DataType, role: Role, range?: readonly [number, number], step = 1): void => {
    const type = plainInteger(dtype);
    if (type !== 'float32' && !/^u?int\d+$/.test(type)) {
      fail('graph/data-type', name, `a value of type ${dtype} has no storage`, 'Only float32 and integers can be computed with; dequantize it first.');
    }
    const layout = rowMajor(shape, storageBits(type, (d) => describe(d).bits));
    const bytes = Math.max(1, elementCount(shape)) * (layout.elementBits / 8);
    buffers[name] = { name, role, bytes };
    tensors[name] = { name, dtype: type, shape, buffer: name, layout, ...(range ? { range, ...(step > 1 ? { step } : {}) } : {}) };
  };
  const declareConstant = (name: string, c: Constant): void => {
    const range = extremes(c);
    declare(name, c.shape, c.dtype, 'constant', range, c.dtype === 'float32' || !range ? 1 : commonStep(c, range[0]));
    const bytes = constantBytes(c, tensors[name].layout.elementBits);
    const hash = sha256(bytes).slice(0, 32);
    data.set(hash, bytes);
    buffers[name] = { ...buffers[name], bytes: bytes.length, hash };
  };

  for (const name of graph.inputs) {
    const v = valueInfo(graph, name);
    declare(name, v.shape, v.dtype, 'input', integerRange(v));
  }
  const computed = new Set<string>();
  const lowerNode = (node: Node, isInside: boolean): readonly Kernel[] => {
    if (node.outputs.every((o) => o === '' || Object.hasOwn(graph.constants, o))) return [];
    const record = operator(node.op, node.name);
    if (!record.lower) {
      fail('graph/unsupported', node.name, `${node.op} has no kernel: it must be known at compile time`, 'Make its inputs constants.');
    }
    for (const name of node.inputs) {
      if (name !== '' && !tensors[name] && Object.hasOwn(graph.constants, name)) declareConstant(name, graph.constants[name]);
    }
    for (const name of node.outputs) {
      if (name === '') continue;
      const v = valueInfo(graph, name);
      declare(name, v.shape, v.dtype, graph.outputs.includes(name) ? 'output' : 'temporary', integerRange(v));
      computed.add(name);
    }
    const unique = (hint: string): string => {
      let name = `${node.name}.${hint}`;
      for (let i = 2; tensors[name] || Object.hasOwn(graph.values, name); i++) name = `${node.name}.${hint}${i}`;
      return name;
    };
    const before = record.carries ? node.outputs.map((name) => (name === '' ? '' : startOf(name, unique))) : [];
    const context: LowerContext = {
      ...graphContext(graph, node, record),
      outputs: node.outputs.map((name) => (name === '' ? { name, shape: [], dtype: 'float32' as const } : valueInfo(graph, name))),
      addConstant(hint, constant) {
        const name = unique(hint);
        declareConstant(name, constant);
        return name;
      },
      addTemporary(hint, shape, dtype) {
        const name = unique(hint);
        declare(name, shape, dtype, 'temporary');
        return name;
      },
      ...(isInside ? { loopAxis } : {}),
      before: (i) => before[i],
    };
    return record.lower(context);
  };
  /** What a carried value is ahead of the loop: zeros, in its place. */
  const startOf = (name: string, unique: (hint: string) => string): string => {
    const before = unique('before');
    tensors[before] = { ...tensors[name], name: before };
    carried.push({ before, after: name });
    const { shape } = tensors[name];
    const space = shape.map((extent, d) => ({ name: `d${d}`, extent }));
    blocks.push({
      kind: 'kernel', name: before, op: 'elementwise', space, reduce: [], partials: 1, accumulators: [], body: [], epilogue: [],
      stores: [{ tensor: before, at: space.map((a) => axis(a.name)), value: float(0) }],
    });
    return before;
  };
  for (const node of parts.before) blocks.push(...lowerNode(node, false));
  const { same, body } = partsOfBody(parts.inside.flatMap((node) => lowerNode(node, true)), carried);
  blocks.push(...same);
  if (graph.loop && body.length > 0) {
    const { count, max } = graph.loop;
    blocks.push({ kind: 'repeat', axis: loopAxis, count: { input: count, max }, ...(carried.length > 0 ? { carried } : {}), body });
  }
  for (const node of parts.behind) blocks.push(...lowerNode(node, false));

  // An output that is an input, a constant, or named twice gets a tensor of its own.
  const outputs = graph.outputs.map((name, i) => {
    if (computed.has(name) && graph.outputs.indexOf(name) === i) return name;
    const v = valueInfo(graph, name);
    if (v.constant && !tensors[name]) declareConstant(name, v.constant);
    const copy = `${name}.output${i}`;
    declare(copy, v.shape, v.dtype, 'output', integerRange(v));
    blocks.push(copyKernel(`copy_${i}`, name, copy, v.shape));
    return copy;
  });

  const program: Program = { name: graph.name, buffers, tensors, inputs: graph.inputs, outputs, blocks };
  return withoutUnused({ program, data });
}

/** A body's kernels that compute the same in each iteration, such as the keys of random numbers, and the others. */
function partsOfBody(kernels: readonly Kernel[], carried: readonly Carried[]): { same: Kernel[]; body: Kernel[] } {
  const moving = new Set(carried.flatMap((c) => [c.before, c.after]));
  const [same, body]: [Kernel[], Kernel[]] = [[], []];
  for (const kernel of kernels) {
    let moves = kernel.stores.some((s) => moving.has(s.tensor));
    walkKernel(kernel, {
      expr: (e) => { moves ||= e.op === 'load' && moving.has(e.tensor); },
      index: (i) => { moves ||= i.terms.some((t) => t.of === loopAxis); },
    });
    (moves ? body : same).push(kernel);
    if (moves) for (const s of kernel.stores) moving.add(s.tensor);
  }
  return { same, body };
}

/** y[i] = x[i] for tensors of one shape. */
export function copyKernel(name: string, from: string, to: string, shape: readonly number[]): Kernel {
  const space = shape.map((extent, d) => ({ name: `d${d}`, extent }));
  const at = space.map((a) => axis(a.name));
  return {
    kind: 'kernel', name, op: 'copy', space, reduce: [], partials: 1, accumulators: [], body: [], epilogue: [],
    stores: [{ tensor: to, at, value: load(from, at) }],
  };
}

/** The hint, or the first of hint2, hint3, ... that is no key of `taken`. */
export function unusedName(taken: Readonly<Record<string, unknown>>, hint: string): string {
  let name = hint;
  for (let i = 2; Object.hasOwn(taken, name); i++) name = `${hint}${i}`;
  return name;
}

/** Bounds of float32 values are stated for constants only. */
function integerRange(v: ValueInfo): readonly [number, number] | undefined {
  return v.dtype === 'float32' ? undefined : v.range;
}

/** Least and greatest element; undefined where one is no finite number. */
function extremes(c: Constant): readonly [number, number] | undefined {
  if (c.data.length === 0) return undefined;
  let [lo, hi] = [Infinity, -Infinity];
  for (const v of c.data) {
    if (!Number.isFinite(v)) return undefined;
    if (v < lo) lo = v;
    if (v > hi) hi = v;
  }
  // + 0 turns -0 into 0.
  return c.dtype === 'float32' ? [Math.fround(lo) + 0, Math.fround(hi) + 0] : [lo, hi];
}

/** The greatest number of which all values are multiples, counted from the least. */
function commonStep(c: Constant, least: number): number {
  let step = 0;
  for (const v of c.data) {
    let [a, b] = [step, v - least];
    while (b !== 0) [a, b] = [b, a % b];
    step = a;
    if (step === 1) break;
  }
  return Math.max(1, step);
}

/** The bytes of a constant, dense and row-major, little endian. */
export function constantBytes(c: Constant, elementBits: number): Uint8Array {
  if (c.dtype === 'float32') return new Uint8Array(Float32Array.from(c.data).buffer);
  const A = elementBits === 8 ? Uint8Array : elementBits === 16 ? Uint16Array : Uint32Array;
  return new Uint8Array(A.from(c.data as ArrayLike<number>).buffer);
}

/** Drops tensors, buffers and bytes that no kernel touches and no interface names. */
export function withoutUnused(unit: ProgramUnit): ProgramUnit {
  const { program } = unit;
  const used = new Set<string>([...program.inputs, ...program.outputs]);
  const visit = (block: Block): void => {
    if (block.kind === 'repeat') {
      if (typeof block.count !== 'number') used.add(block.count.input);
      block.body.forEach(visit);
      return;
    }
    walkKernel(block, { expr: (e) => { if (e.op === 'load') used.add(e.tensor); } });
    walkStmts(block.scheduled?.body ?? [], { expr: (e) => { if (e.op === 'dot' && e.table !== undefined) used.add(e.table); } });
    block.stores.forEach((s) => used.add(s.tensor));
  };
  program.blocks.forEach(visit);
  const tensors = Object.fromEntries(Object.entries(program.tensors).filter(([name]) => used.has(name)));
  const live = new Set(Object.values(tensors).map((t) => t.buffer));
  const buffers = Object.fromEntries(Object.entries(program.buffers).filter(([name]) => live.has(name)));
  const hashes = new Set(Object.values(buffers).map((b) => b.hash));
  return { program: { ...program, tensors, buffers }, data: new Map([...unit.data].filter(([h]) => hashes.has(h))) };
}
