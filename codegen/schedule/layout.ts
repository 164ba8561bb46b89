/**
 * Layouts of temporaries: channels last, channel pitch rounded up to lanes, halos where windows reach past the edge, and
 * views instead of copies. Program-level steps; none changes a value.
 */
import { describe } from '../ir/datatype.js';
import { axis, plainDigit, storageBits } from '../ir/build.js';
import { address, indexKey, interval, mapLoads, simplify, type Ranges } from '../ir/indexing.js';
import type { Block, Buffer, Condition, Digit, Expr, Index, Kernel, Layout, Program, ProgramUnit, Tensor } from '../ir/program.js';
import type { Target } from '../targets/target.js';
import { bipolarCode, bitProducts, bitTensors } from './bits.js';
import { byteTensors, innermostDimension } from './bytes.js';
import { carriedTensors, kernelsOf } from '../ir/walk.js';
import { loadsOf } from './fuse.js';
import { weightOrders } from './weights.js';
import { copyKernel, unusedName } from './lower.js';

const roundUp = (n: number, to: number): number => Math.ceil(n / to) * to;

/** The blocks with every kernel replaced, also within repeats. */
function mapKernels(blocks: readonly Block[], f: (kernel: Kernel) => Kernel): Block[] {
  return blocks.map((b) => (b.kind === 'kernel' ? f(b) : { ...b, body: mapKernels(b.body, f) }));
}

function kernelRanges(kernel: Kernel): Ranges {
  return new Map([...kernel.space, ...kernel.reduce].map((a) => [a.name, [0, a.extent - 1] as const]));
}

/** Interface outputs with channels and space are computed in channels-last temporaries and copied out. */
export function stageOutputs(unit: ProgramUnit, target: Target, steps: string[], whole = false): ProgramUnit {
  let { program } = unit;
  const bits = whole ? new Set<string>() : bitTensors(program, kernelsOf(program.blocks), target);
  // What is carried to an output is in its place.
  const carried = carriedTensors(program.blocks);
  for (const name of program.outputs) {
    const tensor = program.tensors[name];
    if (carried.has(name)) continue;
    if (tensor.shape.length < 3 || tensor.shape[1] < 4 || tensor.shape.slice(2).every((d) => d === 1)) continue;
    const writer = kernelsOf(program.blocks).find((k) => k.stores.some((s) => s.tensor === name));
    if (!writer || writer.op === 'copy') continue;
    // Its outputs are single numbers, which lie anywhere.
    if (bits.has(bitProducts(writer, program, target)?.data ?? '')) continue;
    const inner = unusedName(program.tensors, `${name}.inner`);
    steps.push(`stage output ${name}`);
    program = {
      ...program,
      tensors: { ...program.tensors, [inner]: { ...tensor, name: inner, buffer: inner } },
      buffers: { ...program.buffers, [inner]: { name: inner, role: 'temporary', bytes: 0 } },
      blocks: [
        ...mapKernels(program.blocks, (k) => renameTensor(k, name, inner)),
        { ...copyKernel(`${name}.stage`, inner, name, tensor.shape), op: 'stage' },
      ],
    };
  }
  return { ...unit, program };
}

function renameTensor(kernel: Kernel, from: string, to: string): Kernel {
  const renamed = mapLoads(kernel, (l) => (l.tensor === from ? { ...l, tensor: to } : l));
  return { ...renamed, stores: renamed.stores.map((s) => (s.tensor === from ? { ...s, tensor: to } : s)) };
}

/** Inputs that windows overrun are copied into a temporary that can have a halo. */
export function stageInputs(unit: ProgramUnit, steps: string[]): ProgramUnit {
  let { program } = unit;
  for (const [name, need] of haloNeeds(program)) {
    const tensor = program.tensors[name];
    if (program.buffers[tensor.buffer].role === 'temporary' || !need.some(([a, b]) => a > 0 || b > 0)) continue;
    const inner = unusedName(program.tensors, `${name}.inner`);
    steps.push(`stage input ${name}`);
    const copy: Kernel = { ...copyKernel(`${name}.stage`, name, inner, tensor.shape), op: 'stage' };
    const reads = (k: Kernel): boolean => loadsOf(k).some((l) => l.tensor === name && l.guard);
    const first = program.blocks.findIndex((b) => kernelsOf([b]).some(reads));
    const blocks = mapKernels(program.blocks, (k) => (reads(k) ? renameTensor(k, name, inner) : k));
    blocks.splice(first, 0, copy);
    program = {
      ...program,
      tensors: { ...program.tensors, [inner]: { ...tensor, name: inner, buffer: inner } },
      buffers: { ...program.buffers, [inner]: { name: inner, role: 'temporary', bytes: 0 } },
      blocks,
    };
  }
  return { ...unit, program };
}

/** How far guarded loads with an else-value of zero reach outside, per tensor and dimension. */
function haloNeeds(program: Program): Map<string, [number, number][]> {
  const needs = new Map<string, [number, number][]>();
  const carried = carriedTensors(program.blocks);
  for (const kernel of kernelsOf(program.blocks)) {
    const ranges = kernelRanges(kernel);
    for (const l of loadsOf(kernel)) {
      if (!l.guard || !isZero(l.otherwise!) || carried.has(l.tensor)) continue;
      const { shape } = program.tensors[l.tensor];
      const need = needs.get(l.tensor) ?? shape.map((): [number, number] => [0, 0]);
      l.at.forEach((i, d) => {
        const [lo, hi] = interval(i, ranges);
        need[d] = [Math.max(need[d][0], -lo), Math.max(need[d][1], hi - shape[d] + 1)];
      });
      needs.set(l.tensor, need);
    }
  }
  return needs;
}

/** Positive zero: an integer 0 or +0. */
export function isZero(e: Expr): boolean {
  return (e.op === 'int' && e.value === 0) || (e.op === 'float' && e.bits === '00000000');
}

/**
 * Chooses the layout of every temporary; halos go where windows need them and are filled by kernels of op `halo`. `whole`: no
 * element is stored in less than a byte.
 */
export function assignLayouts(unit: ProgramUnit, target: Target, steps: string[], whole = false): ProgramUnit {
  const { program } = unit;
  const needs = haloNeeds(program);
  const wide = target.dots.length > 0 && kernelsOf(program.blocks).some((k) => k.accumulators.some((a) => a.type !== 'float32' && a.update.op === 'add' && a.update.b.op === 'mul'));
  const bytes = byteTensors(program, kernelsOf(program.blocks), target);
  const packed = whole ? new Set<string>() : bitTensors(program, kernelsOf(program.blocks), target);
  const orders = weightOrders(program, kernelsOf(program.blocks));
  const tensors: Record<string, Tensor> = { ...program.tensors };
  const buffers: Record<string, Buffer> = { ...program.buffers };
  const fills = new Map<string, Kernel[]>();
  for (const tensor of Object.values(program.tensors)) {
    if (program.buffers[tensor.buffer].role !== 'temporary') continue;
    const least = storageBits(tensor.dtype, (d) => describe(d).bits);
    const bits = packed.has(tensor.name) ? 1 : wide && !bytes.has(tensor.name) && tensor.dtype !== 'float32' && describe(tensor.dtype).bits <= 16 ? 16 : least;
    const halo = needs.get(tensor.name) ?? [];
    const { layout, elements } = temporaryLayout(tensor.shape, bits, target.lanes, halo, orders.get(tensor.name));
    tensors[tensor.name] = { ...tensor, layout };
    buffers[tensor.buffer] = { ...buffers[tensor.buffer], bytes: Math.max(16, roundUp((elements * bits) / 8, 16)) };
    if (bits === 1) steps.push(`store ${tensor.name} as bits`);
    if (layout.halo) {
      steps.push(`halo ${tensor.name} ${layout.halo.map(([a, b]) => `${a}:${b}`).join(' ')}`);
      fills.set(tensor.name, haloKernels(tensors[tensor.name]));
    }
  }
  // Once, before what writes first: nothing else touches a halo.
  const take = (tensor: string): Kernel[] => {
    const kernels = fills.get(tensor) ?? [];
    fills.delete(tensor);
    return kernels;
  };
  const blocks = filled(program.blocks, take);
  return { ...unit, program: { ...program, tensors, buffers, blocks } };
}

/** The blocks with kernels ahead of the first that stores to a tensor; within a repeat, in each iteration. */
function filled(blocks: readonly Block[], take: (tensor: string) => readonly Kernel[]): Block[] {
  return blocks.flatMap((b): Block[] => (b.kind === 'repeat' ? [{ ...b, body: filled(b.body, take) }] : [...b.stores.flatMap((s) => take(s.tensor)), b]));
}

/** Channels last from rank 3 on (planar for fewer than 4 channels), or as `wish` says; the innermost pitch rounded up to lanes. */
function temporaryLayout(shape: readonly number[], bits: number, lanes: number, need: readonly (readonly [number, number])[], wish?: readonly number[]): { layout: Layout; elements: number } {
  const rank = shape.length;
  const innermost = wish ? wish[rank - 1] : innermostDimension(shape);
  const channelsLast = innermost === 1 && rank >= 3;
  const order = wish ?? (channelsLast ? [0, ...Array.from({ length: rank - 2 }, (_, i) => i + 2), 1] : shape.map((_, i) => i));
  const halo = shape.map((_, d): [number, number] => (need[d] ? [need[d][0], need[d][1]] : [0, 0]));
  const hasHalo = halo.some(([a, b]) => a > 0 || b > 0);
  const pad = shape.map(() => 0);
  const dims: Digit[][] = shape.map(() => []);
  let stride = bits;
  let offset = 0;
  let elements = 1;
  for (const d of [...order].reverse()) {
    let extent = shape[d] + halo[d][0] + halo[d][1];
    if (d === innermost && (wish || channelsLast || rank <= 2) && halo[d][0] + halo[d][1] === 0) {
      const pitch = extent > 1 || rank === 1 ? roundUp(extent, lanes) : extent;
      pad[d] = pitch - extent;
      extent = pitch;
    }
    dims[d] = [plainDigit(stride)];
    offset += halo[d][0] * stride;
    stride *= extent;
    elements *= extent;
  }
  const fields = bits < 8 ? { containerBits: 8, code: bipolarCode } : { containerBits: bits };
  const layout: Layout = { offset, dims, elementBits: bits, ...fields, ...(pad.some((p) => p > 0) ? { pad } : {}), ...(hasHalo ? { halo, haloValue: 0 } : {}) };
  return { layout, elements };
}

/** Kernels that write zero around a tensor: for each dimension the two slabs outside it, within the dimensions before. */
function haloKernels(tensor: Tensor): Kernel[] {
  const kernels: Kernel[] = [];
  const halo = tensor.layout.halo!;
  const value: Expr = tensor.dtype === 'float32' ? { op: 'float', bits: '00000000' } : { op: 'int', type: tensor.dtype, value: 0 };
  halo.forEach((reach, d) => {
    ([[-reach[0], reach[0]], [tensor.shape[d], reach[1]]] as const).forEach(([start, extent], side) => {
      if (extent === 0) return;
      const box = tensor.shape.map((s, e) => (e === d ? { start, extent } : e < d ? { start: 0, extent: s } : { start: -halo[e][0], extent: s + halo[e][0] + halo[e][1] }));
      kernels.push({
        kind: 'kernel', name: `${tensor.name}.halo${2 * d + side}`, op: 'halo',
        space: box.map((b, e) => ({ name: `d${e}`, extent: b.extent })),
        reduce: [], partials: 1, accumulators: [], body: [], epilogue: [],
        stores: [{ tensor: tensor.name, at: box.map((b, e) => axis(`d${e}`, 1, b.start)), value }],
      });
    });
  });
  return kernels;
}

/** Drops the conditions on a load's own coordinates where the tensor has a halo that covers them; others stay. */
export function dropCoveredGuards(unit: ProgramUnit): ProgramUnit {
  const { program } = unit;
  const blocks = mapKernels(program.blocks, (b) => {
    const ranges = kernelRanges(b);
    const open = (l: Extract<Expr, { op: 'load' }>): Condition[] => {
      const { shape, layout } = program.tensors[l.tensor];
      if (!layout.halo || !l.otherwise || !isZero(l.otherwise)) return [...l.guard!];
      const covered = l.at.every((i, d) => {
        const [lo, hi] = interval(i, ranges);
        return lo >= -layout.halo![d][0] && hi < shape[d] + layout.halo![d][1];
      });
      if (!covered) return [...l.guard!];
      const own = l.at.map((i, d) => `${indexKey(simplify(i, ranges))} ${shape[d]}`);
      return l.guard!.filter((c) => c.lo !== 0 || !own.includes(`${indexKey(simplify(c.index, ranges))} ${c.hi}`));
    };
    return mapLoads(b, (l) => {
      if (!l.guard) return l;
      const guard = open(l);
      if (guard.length === l.guard.length) return l;
      const { guard: _g, otherwise, ...rest } = l;
      return guard.length === 0 ? rest : { ...rest, guard, otherwise };
    });
  });
  return { ...unit, program: { ...program, blocks } };
}

/** Turns copies into views where a layout can say the same. */
export function makeViews(unit: ProgramUnit, steps: string[]): ProgramUnit {
  let { program } = unit;
  const copies = kernelsOf(program.blocks).filter((k) => k.op === 'copy');
  const carried = carriedTensors(program.blocks);
  const moved = new Set<string>();
  const bases = new Set<string>();
  const apply = (kernel: Kernel, tensor: Tensor, what: string): void => {
    steps.push(`view ${what}`);
    program = { ...program, tensors: { ...program.tensors, [tensor.name]: tensor }, blocks: without(program.blocks, kernel) };
  };
  // The source inside the destination (concat), where a single dense writer can write there at once.
  for (const kernel of copies) {
    const copy = plainCopy(kernel);
    if (!copy || !isFresh(program, copy.from, moved) || bases.has(copy.from) || readsOfView(program, copy.from, kernel)) continue;
    // Both are made in one iteration, or none is made in a repeat.
    if (carried.has(copy.from) || carried.has(copy.to) || !areTogether(program.blocks, [copy.from, copy.to])) continue;
    const source = program.tensors[copy.from];
    const destination = program.tensors[copy.to];
    if (!copy.load.at.every((i, d) => isAxis(i, kernel, source.shape[d])) || copy.store.every((i, d) => isAxis(i, kernel, destination.shape[d]))) continue;
    const layout = viewLayout(destination, copy.store, kernel, copy.load.at);
    if (!layout || program.buffers[destination.buffer].role !== 'temporary') continue;
    moved.add(copy.from);
    bases.add(copy.to);
    apply(kernel, { ...source, buffer: destination.buffer, layout }, `${copy.from} in ${copy.to}`);
  }
  // The destination as another reading of the source (reshape, transpose, slice).
  for (const kernel of copies) {
    if (!kernelsOf(program.blocks).includes(kernel)) continue;
    const copy = plainCopy(kernel);
    if (!copy || carried.has(copy.from) || carried.has(copy.to) || !isFresh(program, copy.to, moved) || bases.has(copy.to)) continue;
    const source = program.tensors[copy.from];
    const destination = program.tensors[copy.to];
    if (!copy.store.every((i, d) => isAxis(i, kernel, destination.shape[d])) || writers(program, copy.to) !== 1) continue;
    const layout = viewLayout(source, copy.load.at, kernel, copy.store);
    if (!layout) continue;
    moved.add(copy.to);
    apply(kernel, { ...destination, buffer: source.buffer, layout, ...(source.range ? { range: source.range } : {}) }, `${copy.to} of ${copy.from}`);
  }
  const live = new Set(Object.values(program.tensors).map((t) => t.buffer));
  return { ...unit, program: { ...program, buffers: Object.fromEntries(Object.entries(program.buffers).filter(([n]) => live.has(n))) } };
}

function without(blocks: readonly Block[], kernel: Kernel): Block[] {
  return blocks.flatMap((b): Block[] => (b === kernel ? [] : b.kind === 'repeat' ? [{ ...b, body: without(b.body, kernel) }] : [b]));
}

/** True where one list of blocks has all kernels that store to these tensors. */
function areTogether(blocks: readonly Block[], tensors: readonly string[]): boolean {
  const stores = (k: Kernel): boolean => k.stores.some((s) => tensors.includes(s.tensor));
  const own = blocks.filter((b) => b.kind === 'kernel' && stores(b)).length;
  const inside = blocks.filter((b) => b.kind === 'repeat' && kernelsOf(b.body).some(stores));
  return inside.length === 0 || (own === 0 && inside.length === 1 && areTogether((inside[0] as Extract<Block, { kind: 'repeat' }>).body, tensors));
}

function writers(program: Program, tensor: string): number {
  return kernelsOf(program.blocks).filter((k) => k.stores.some((s) => s.tensor === tensor)).length;
}

/** A temporary in a buffer of its own, without halo, that no other view depends on. */
function isFresh(program: Program, name: string, moved: ReadonlySet<string>): boolean {
  const t = program.tensors[name];
  return program.buffers[t.buffer].role === 'temporary' && !t.layout.halo && !moved.has(name) && Object.values(program.tensors).every((o) => o.name === name || o.buffer !== t.buffer);
}

function readsOfView(program: Program, name: string, except: Kernel): boolean {
  return kernelsOf(program.blocks).some((k) => k !== except && k.op === 'copy' && loadsOf(k).some((l) => l.tensor === name));
}

function plainCopy(kernel: Kernel): { from: string; to: string; load: Extract<Expr, { op: 'load' }>; store: readonly Index[] } | undefined {
  const [store] = kernel.stores;
  if (kernel.stores.length !== 1 || kernel.epilogue.length > 0 || store.value.op !== 'load' || store.value.guard) return undefined;
  return { from: store.value.tensor, to: store.tensor, load: store.value, store: store.at };
}

function isAxis(i: Index, kernel: Kernel, extent: number): boolean {
  if (i.offset !== 0) return false;
  if (i.terms.length === 0) return extent === 1;
  return i.terms.length === 1 && i.terms[0].coeff === 1 && kernel.space.some((a) => a.name === i.terms[0].of && a.extent === extent);
}

/**
 * The layout of a tensor of which coordinate `coordinates` lies where `base` has `at`; undefined where no sum of digits per
 * dimension says it.
 */
function viewLayout(base: Tensor, at: readonly Index[], kernel: Kernel, coordinates: readonly Index[]): Layout | undefined {
  const bits = simplify(address(base.layout, at, kernelRanges(kernel)), kernelRanges(kernel));
  const dims: Digit[][] = coordinates.map(() => []);
  const owner = new Map(coordinates.flatMap((i, d) => (i.terms.length === 1 ? [[i.terms[0].of as string, d] as const] : [])));
  for (const { coeff, of } of bits.terms) {
    const digit = asDigit(of, coeff);
    const d = digit && owner.get(digit.axis);
    if (digit === undefined || d === undefined) return undefined;
    dims[d].push(digit.digit);
  }
  return { offset: bits.offset, dims, elementBits: base.layout.elementBits, containerBits: base.layout.containerBits };
}

function asDigit(of: Index['terms'][number]['of'], stride: number): { axis: string; digit: Digit } | undefined {
  if (typeof of === 'string') return { axis: of, digit: plainDigit(stride) };
  const plain = (i: Index): boolean => i.offset === 0 && i.terms.length === 1 && i.terms[0].coeff === 1;
  if ('div' in of && plain(of.div)) {
    const inner = of.div.terms[0].of;
    return typeof inner === 'string' ? { axis: inner, digit: { stride, divisor: of.by, modulus: 0 } } : undefined;
  }
  if ('rem' in of && plain(of.rem)) {
    const inner = of.rem.terms[0].of;
    if (typeof inner === 'string') return { axis: inner, digit: { stride, divisor: 1, modulus: of.by } };
    if (typeof inner === 'object' && 'div' in inner && plain(inner.div) && typeof inner.div.terms[0].of === 'string') {
      return { axis: inner.div.terms[0].of, digit: { stride, divisor: inner.by, modulus: of.by } };
    }
  }
  return undefined;
}

