/**
 * Which processes a circuit has: kernels are fused and moved data read where they lie, the interface gets processes of its own,
 * and what cannot be told apart by streams (several writers of one tensor, repeats) shares a process.
 *
 * Whatever a stream cannot carry in the order in which a kernel makes or needs it is kept whole: a copy at the end of the one
 * process sends it, a copy at the start of the other receives it. So every Program becomes a circuit.
 */
import { describe, smallestInteger } from '../../ir/datatype.js';
import { fail } from '../../ir/diagnostic.js';
import { mapLoads, substitute } from '../../ir/indexing.js';
import { elementCount } from '../../ir/graph.js';
import type { Without } from '../../ir/optimization.js';
import { compileIndex } from '../../ir/interpretMemory.js';
import type { Axis, Block, Index, Kernel, Process, Program, ProgramUnit, Tensor } from '../../ir/program.js';
import { rowMajor } from '../../ir/build.js';
import { touched } from '../../ir/verifyDataflow.js';
import { carriedTensors, findLoad, kernelsOf } from '../../ir/walk.js';
import { fuseAll, loadsInIndices, loadsOf } from '../fuse.js';
import { inlineConstants } from '../inline.js';
import { joinReductions } from '../join.js';
import { unusedName, withoutUnused } from '../lower.js';
import { startAtBias } from '../start.js';
import { countMatches } from './bipolar.js';
import { plainAxis, spaceOrder, streamCopy, streamOrder } from './order.js';
import { alike, windowOf } from './window.js';

/** A Program whose blocks are in processes, and the tensors that go from one to another. */
export interface Processes {
  readonly unit: ProgramUnit;
  readonly processes: readonly Process[];
  /** By tensor: the processes that read it from a stream. */
  readonly streams: ReadonlyMap<string, readonly string[]>;
  /** The Program before it was cut into processes. */
  readonly whole: ProgramUnit;
}

/**
 * Kernels in processes; `without`: thresholds or matches as they were lowered; `together`: kernels that share a process, by name, with
 * all blocks between them. Appends to `steps`.
 */
export function prepareFabric(unit: ProgramUnit, steps: string[], { without = [] }: Without = {}, together: readonly (readonly string[])[] = []): Processes {
  let u = joinReductions(inlineConstants(unit, steps), steps);
  u = fuseAll(u, steps);
  if (!without.includes('matches')) u = countMatches(u, steps);
  u = { ...u, program: startAtBias(u.program, steps) };
  u = withoutUnused({ ...u, program: narrowConstants(inlineCopies(u.program, steps), steps, !without.includes('thresholds')) });
  return inProcesses({ ...u, program: stageInterface(u.program) }, together);
}

/** A Program that is prepared as a whole, cut into processes. */
export function inProcesses(whole: ProgramUnit, together: readonly (readonly string[])[]): Processes {
  const draft = new Draft(whole.program, together);
  draft.streams();
  return { unit: withoutUnused({ program: draft.program, data: whole.data }), processes: draft.processes(), streams: draft.carried, whole };
}

// ---- Constants -----------------------------------------------------------------------------------------------------

/** Constants are as wide as their values: thresholds of the true accumulator, multipliers of their own bits. */
function narrowConstants(program: Program, steps: string[], hasThresholds: boolean): Program {
  const tensors = Object.fromEntries(Object.entries(program.tensors).map(([name, t]): [string, Tensor] => {
    if (program.buffers[t.buffer].role !== 'constant' || t.dtype === 'float32' || !t.range || (!hasThresholds && isThresholds(name))) return [name, t];
    const dtype = smallestInteger(...t.range);
    if (describe(dtype).bits >= describe(t.dtype).bits) return [name, t];
    steps.push(`narrow ${name} from ${t.dtype} to ${dtype}`);
    return [name, { ...t, dtype }];
  }));
  return { ...program, tensors };
}

/** The levels of requantizations, by their names. */
export const isThresholds = (tensor: string): boolean => /_thresholds(@|$)/.test(tensor);

// ---- Copies --------------------------------------------------------------------------------------------------------

/** What a copy moves is read where it comes from: reshapes, transpositions and slices are indices, no circuits. */
function inlineCopies(start: Program, steps: string[]): Program {
  let program = start;
  const carried = carriedTensors(program.blocks);
  for (let b = 0; b < program.blocks.length; b++) {
    const copy = program.blocks[b];
    if (copy.kind !== 'kernel' || copy.op !== 'copy' || copy.stores.length !== 1 || copy.epilogue.length > 0) continue;
    const [{ tensor, at, value }] = copy.stores;
    if (value.op !== 'load' || value.guard || carried.has(tensor) || carried.has(value.tensor)) continue;
    const destination = program.tensors[tensor];
    if (program.buffers[destination.buffer].role !== 'temporary' || kernelsOf(program.blocks).filter((k) => k.stores.some((s) => s.tensor === tensor)).length !== 1) continue;
    const axes = at.map((i) => plainAxis(i, copy.space));
    if (axes.some((a, d) => a === undefined || (a === '' && destination.shape[d] !== 1))) continue;
    const read = (indices: readonly Index[]): Index[] => {
      const map = new Map(axes.flatMap((a, d) => (a === '' ? [] : [[a!, indices[d]] as const])));
      for (const a of copy.space) if (!map.has(a.name)) map.set(a.name, { offset: 0, terms: [] });
      return value.at.map((i) => substitute(i, map));
    };
    const rewrite = (k: Kernel): Kernel => mapLoads(k, (l) => (l.tensor === tensor ? { ...l, tensor: value.tensor, at: read(l.at) } : l));
    const map = (blocks: readonly Block[]): Block[] => blocks.flatMap((b): Block[] => (b === copy ? [] : b.kind === 'repeat' ? [{ ...b, body: map(b.body) }] : [loadsOf(b).some((l) => l.tensor === tensor) ? rewrite(b) : b]));
    steps.push(`read ${tensor} in ${value.tensor}`);
    program = { ...program, blocks: map(program.blocks) };
    b--;
  }
  return program;
}

// ---- The interface -------------------------------------------------------------------------------------------------

/** Inputs and outputs lie in memory in their own order; processes at both ends read and write that memory. */
function stageInterface(start: Program): Program {
  let program = start;
  const counts = repeatCounts(program.blocks);
  const first: Block[] = [];
  const last: { readonly few: Block[]; readonly many: Block[] } = { few: [], many: [] };
  const add = (from: Tensor, hint: string): Tensor => {
    const name = unusedName(program.tensors, `${from.name}.${hint}`);
    const tensor: Tensor = { ...from, name, buffer: name, layout: rowMajor(from.shape, from.layout.elementBits) };
    program = { ...program, tensors: { ...program.tensors, [name]: tensor }, buffers: { ...program.buffers, [name]: { name, role: 'temporary', bytes: program.buffers[from.buffer].bytes } } };
    return tensor;
  };
  for (const name of program.inputs) {
    if (counts.has(name) || !touched(program.blocks).reads.has(name)) continue;
    const inner = add(program.tensors[name], 'in');
    program = { ...program, blocks: renameTensors(program.blocks, new Map([[name, inner.name]])) };
    first.push({ ...streamCopy(`${name}.load`, 'load', name, inner.name, inner.shape, true) });
  }
  const carried = carriedTensors(program.blocks);
  for (const name of program.outputs) {
    if (carried.has(name)) continue;
    const inner = add(program.tensors[name], 'out');
    program = { ...program, blocks: renameTensors(program.blocks, new Map([[name, inner.name]])) };
    last[isFew(inner) ? 'few' : 'many'].push({ ...streamCopy(`${name}.store`, 'store', inner.name, name, inner.shape, true) });
  }
  return { ...program, blocks: [...first, ...program.blocks, ...last.many, ...last.few] };
}

/** Outputs of so few elements share a port to memory: the queues to it hold those that wait. */
const isFew = ({ shape }: Tensor): boolean => elementCount(shape) <= 64;

function repeatCounts(blocks: readonly Block[]): Set<string> {
  return new Set(blocks.flatMap((b) => (b.kind === 'kernel' ? [] : [...(typeof b.count === 'number' ? [] : [b.count.input]), ...repeatCounts(b.body)])));
}

function renameTensors(blocks: readonly Block[], names: ReadonlyMap<string, string>): Block[] {
  return blocks.map((b): Block => {
    if (b.kind === 'repeat') {
      return { ...b, body: renameTensors(b.body, names), ...(b.carried ? { carried: b.carried.map((c) => ({ before: names.get(c.before) ?? c.before, after: names.get(c.after) ?? c.after })) } : {}) };
    }
    const loads = loadsOf(b).some((l) => names.has(l.tensor)) ? mapLoads(b, (l) => ({ ...l, tensor: names.get(l.tensor) ?? l.tensor })) : b;
    return b.stores.some((s) => names.has(s.tensor)) ? { ...loads, stores: loads.stores.map((s) => ({ ...s, tensor: names.get(s.tensor) ?? s.tensor })) } : loads;
  });
}

// ---- Processes -----------------------------------------------------------------------------------------------------

class Draft {
  program: Program;
  /** Blocks by process. */
  private groups: Block[][];
  private readonly readers = new Map<string, string[]>();

  constructor(program: Program, together: readonly (readonly string[])[]) {
    this.program = program;
    this.groups = grouped(program, together);
  }

  get carried(): ReadonlyMap<string, readonly string[]> {
    return this.readers;
  }

  processes(): Process[] {
    return this.groups.map((g, i) => ({ name: this.nameOf(i), blocks: g.length }));
  }

  private nameOf(group: number): string {
    const names = this.groups.map((g) => kernelsOf(g).find((k) => k.op !== 'receive' && k.op !== 'send')?.name ?? kernelsOf(g)[0]?.name ?? 'empty');
    const same = names.slice(0, group).filter((n) => n === names[group]).length;
    return same === 0 ? names[group] : `${names[group]}.${same + 1}`;
  }

  private addTensor(from: string, hint: string): string {
    const name = unusedName(this.program.tensors, `${from}.${hint}`);
    const tensor = this.program.tensors[from];
    this.program = {
      ...this.program,
      tensors: { ...this.program.tensors, [name]: { ...tensor, name, buffer: name, layout: rowMajor(tensor.shape, tensor.layout.elementBits) } },
      buffers: { ...this.program.buffers, [name]: { ...this.program.buffers[tensor.buffer], name, role: 'temporary' } },
    };
    return name;
  }

  /** Gives every tensor that leaves its process a writer and readers that a stream can serve. */
  streams(): void {
    for (let g = 0; g < this.groups.length; g++) {
      for (const tensor of touched(this.groups[g]).writes) {
        const readers = this.groups.flatMap((blocks, i) => (i !== g && touched(blocks).reads.has(tensor) ? [i] : []));
        if (readers.length === 0) continue;
        const sent = this.sendable(tensor, g) ? tensor : this.send(tensor, g, readers);
        for (const r of readers) this.receive(sent, r);
        this.readers.set(sent, readers.map((r) => this.nameOf(r)));
      }
    }
    this.program = { ...this.program, blocks: this.groups.flat() };
  }

  private sendable(tensor: string, group: number): boolean {
    const blocks = this.groups[group];
    const writers = blocks.filter((b) => touched([b]).writes.has(tensor));
    const [writer] = writers;
    if (writers.length !== 1 || writer.kind !== 'kernel' || touched(blocks).reads.has(tensor)) return false;
    const alone = Object.values(this.program.tensors).filter((t) => t.buffer === this.program.tensors[tensor].buffer).length === 1;
    if (writer.op === 'load') return alone && inMemoryOrder(this.program.tensors[tensor].shape);
    return alone && spaceOrder(writer) !== undefined && writer.stores.every((s) => s.at.every((i) => i.terms.every((t) => typeof t.of === 'string')));
  }

  /** Keeps the tensor whole and sends a copy. */
  private send(tensor: string, group: number, readers: readonly number[]): string {
    const sent = this.addTensor(tensor, 'send');
    this.groups[group].push(streamCopy(sent, 'send', tensor, sent, this.program.tensors[tensor].shape));
    for (const r of readers) this.groups[r] = renameTensors(this.groups[r], new Map([[tensor, sent]]));
    return sent;
  }

  private receive(tensor: string, group: number): void {
    const readers = this.groups[group].filter((b) => touched([b]).reads.has(tensor));
    const [reader] = readers;
    if (readers.length === 1 && reader.kind === 'kernel' && loadsInIndices(reader).every((l) => l.tensor !== tensor) && (readsInOrder(reader, tensor, this.program) || this.hasWindow(reader, tensor, group))) return;
    const own = this.addTensor(tensor, `at.${this.nameOf(group)}`);
    this.groups[group] = [streamCopy(own, 'receive', tensor, own, this.program.tensors[tensor].shape), ...renameTensors(this.groups[group], new Map([[tensor, own]]))];
  }

  /** True where windows can take the tensor as it comes, together with those that the kernel has already. */
  private hasWindow(reader: Kernel, tensor: string, group: number): boolean {
    const window = windowOf(reader, tensor, this.program);
    const others = [...this.readers].flatMap(([other, to]) => (to.includes(this.nameOf(group)) && !readsInOrder(reader, other, this.program) ? [windowOf(reader, other, this.program)] : []));
    return window !== undefined && others.every((o) => o === undefined || alike(o, window));
  }
}

/** True where memory and stream have one order. */
function inMemoryOrder(shape: readonly number[]): boolean {
  return shape.length < 3 || shape[1] === 1 || shape.slice(2).every((n) => n === 1);
}

/** True where a kernel reads a tensor once at every point of its space, in the order of the stream, and not within a reduction. */
export function readsInOrder(kernel: Kernel, tensor: string, program: Program): boolean {
  const known = readOrders.get(kernel) ?? new Map<string, boolean>();
  readOrders.set(kernel, known);
  const key = JSON.stringify([tensor, program.tensors[tensor].shape]);
  if (!known.has(key)) known.set(key, findsInOrder(kernel, tensor, program));
  return known.get(key)!;
}

/** By kernel, then by tensor: a walk over all elements, made once. */
const readOrders = new WeakMap<Kernel, Map<string, boolean>>();

function findsInOrder(kernel: Kernel, tensor: string, program: Program): boolean {
  const { shape } = program.tensors[tensor];
  const order = kernel.op === 'store' ? kernel.space.map((a) => a.name) : spaceOrder(kernel);
  const loads = loadsOf(kernel).filter((l) => l.tensor === tensor);
  if (!order || loads.length === 0 || kernel.partials > 1 || elementCount(shape) !== kernel.space.reduce((n, a) => n * a.extent, 1)) return false;
  const reduction = [...kernel.accumulators.flatMap((a) => [a.update, a.init]), ...kernel.body.map((l) => l.value)];
  if (kernel.reduce.length > 0 && reduction.some((e) => findLoad(e, tensor) !== undefined)) return false;
  const [{ at }] = loads;
  const key = JSON.stringify(at);
  if (loads.some((l) => l.guard || JSON.stringify(l.at) !== key) || at.some((i) => JSON.stringify(i).includes('"value"'))) return false;
  return inStreamOrder(at, order.map((name) => kernel.space.find((a) => a.name === name)!), shape);
}

/** Walks the loops and compares each place with the next of the stream. */
function inStreamOrder(at: readonly Index[], loops: readonly Axis[], shape: readonly number[]): boolean {
  const slots = new Map(loops.map((a, i) => [a.name, i]));
  const scope = { axes: new Int32Array(Math.max(1, loops.length)), slot: (a: string) => slots.get(a)!, value: () => () => 0 };
  const dims = streamOrder(shape.length);
  const next = shape.map(() => 0);
  const coordinates = at.map((i) => compileIndex(i, scope));
  const step = (list: Int32Array | number[], extents: readonly number[], order: readonly number[]): boolean => {
    for (let i = order.length - 1; i >= 0; i--) {
      if (++list[order[i]] < extents[i]) return true;
      list[order[i]] = 0;
    }
    return false;
  };
  const extents = loops.map((a) => a.extent);
  const axes = loops.map((_, i) => i);
  do {
    if (coordinates.some((c, d) => c() !== next[d])) return false;
    step(next, dims.map((d) => shape[d]), dims);
  } while (step(scope.axes, extents, axes));
  return true;
}

/** Blocks that share a process are those from the first to the last that write one buffer, read a count of repeats, or are to be together. */
function grouped(program: Program, together: readonly (readonly string[])[]): Block[][] {
  const { blocks } = program;
  const counts = repeatCounts(blocks);
  const ends = blocks.map((_, i) => i);
  const join = (users: readonly number[]): void => {
    if (users.length > 1) ends[users[0]] = Math.max(ends[users[0]], users[users.length - 1]);
  };
  const users = (f: (b: Block) => boolean): number[] => blocks.flatMap((b, i) => (f(b) ? [i] : []));
  for (const buffer of Object.values(program.buffers)) {
    if (buffer.role === 'state') fail('program/invalid', buffer.name, 'state has no circuit');
    const own = Object.values(program.tensors).filter((t) => t.buffer === buffer.name).map((t) => t.name);
    join(users((b) => own.some((t) => touched([b]).writes.has(t))));
    if (own.some((t) => counts.has(t))) join(users((b) => own.some((t) => touched([b]).reads.has(t))));
  }
  join(users((b) => b.kind === 'kernel' && b.op === 'store' && isFew(program.tensors[b.stores[0].tensor])));
  for (const names of together) join(users((b) => kernelsOf([b]).some((k) => names.includes(k.name))));
  const groups: Block[][] = [];
  for (let i = 0; i < blocks.length; ) {
    let end = ends[i];
    for (let j = i; j <= end; j++) end = Math.max(end, ends[j]);
    groups.push([...blocks.slice(i, end + 1)]);
    i = end + 1;
  }
  return groups;
}
