/**
 * Default schedules: from a kernel and a target to lists of steps, by how the kernel touches memory and never by what
 * operator it is. The search tries other lists; these must be good without it.
 */
import { describe, isInteger } from '../ir/datatype.js';
import { exprType } from '../ir/exprType.js';
import { dependsOn, walkKernel } from '../ir/walk.js';
import type { Expr, Kernel, Program, Tensor } from '../ir/program.js';
import type { Target } from '../targets/target.js';
import { accesses, type Access } from './access.js';
import { nestOf, type Loop, type Nest } from './nest.js';
import { fieldBits, type Packing } from './pack.js';
import { applySteps, isProductSum, partition, type Step } from './steps.js';

export interface KernelSchedule {
  readonly nests: readonly Nest[];
  /** How constants are to be packed, by tensor: decided with the loops, applied by schedule.ts. */
  packing(tensor: Tensor, loops: readonly Loop[], usedBy: Access): Packing;
}

/** Nests for a kernel. Always legal; scalar loops where nothing better is known. */
export function defaultSchedule(kernel: Kernel, program: Program, target: Target): KernelSchedule {
  let nest = splitDigits(nestOf(kernel), program);
  const lane = target.lanes > 1 ? laneLoop(nest, program, target) : undefined;
  if (kernel.reduce.length > 0) {
    const partial = nest.loops.find((l) => l.kind === 'partial');
    if (lane === undefined || (partial && partial.name !== lane)) return plain(nest, program, target);
    const pair = pairLoop(nest, program, target, lane);
    return reduction(nest, program, target, lane, pair);
  }
  nest = orderByStore(nest, program, lane);
  return lane === undefined ? { nests: [joinLoops(nest, program)], packing: bytesPacking } : elementwise(nest, program, target, lane);
}

const bytesPacking: KernelSchedule['packing'] = (tensor, loops) => ({ order: loops, elementBits: tensor.layout.elementBits, containerBits: tensor.layout.elementBits });

/** Splits loops along which an address has digits (views of channels-last tensors), so that it becomes affine. */
function splitDigits(start: Nest, program: Program): Nest {
  let nest = start;
  for (const original of start.loops) {
    if (original.kind === 'partial') continue;
    const divisors = new Set<number>();
    for (const a of accesses(nest, program)) {
      if (a.stride(original.name) !== undefined || a.constant) continue;
      for (const digits of program.tensors[a.tensor].layout.dims) for (const d of digits) if (d.divisor > 1) divisors.add(d.divisor);
    }
    // From the largest part to the smallest: each split leaves the rest in `.i`.
    let name = original.name;
    let extent = original.extent;
    for (const d of [...divisors].sort((a, b) => b - a)) {
      if (extent % d !== 0 || d >= extent) continue;
      nest = applySteps(nest, [{ step: 'split', loop: name, factor: d }]);
      name = `${name}.i`;
      extent = d;
    }
  }
  return nest;
}

/** The space loop (or the partial sums) whose iterations can be lanes: unit stride in every access that is not constant. */
function laneLoop(nest: Nest, program: Program, target: Target): string | undefined {
  const { kernel } = nest;
  if (usesWideIntegers(kernel, program, target)) return undefined;
  const all = accesses(nest, program);
  const candidates = nest.loops.filter((l) => {
    if (l.kind === 'reduce' || l.extent < 2) return false;
    return all.every((a) => {
      if (a.guardLoops.has(l.name)) return false;
      const stride = a.stride(l.name);
      if (l.kind === 'partial') return a.store || stride === 0 || stride === a.elementBits;
      if (a.store) return stride === a.elementBits;
      return stride === 0 || stride === a.elementBits || (a.constant && isPackable(a));
    });
  });
  if (candidates.some((l) => l.kind === 'partial')) return candidates.find((l) => l.kind === 'partial')!.name;
  const best = candidates.sort((a, b) => b.extent - a.extent)[0];
  return best && (best.extent >= 4 || kernel.reduce.length > 0) ? best.name : undefined;
}

function isPackable(a: Access): boolean {
  return a.at.every((i) => i.terms.length === 0 || (i.offset === 0 && i.terms.every((t) => typeof t.of === 'string' && t.coeff >= 1)));
}

/** True where a kernel computes with integers of more than 32 bits in a way that the target's lanes do not. */
export function usesWideIntegers(kernel: Kernel, program: Program, target: Target): boolean {
  if (kernel.accumulators.some((a) => describe(a.type).bits > 32)) return true;
  const named = new Map([...kernel.body, ...kernel.epilogue, ...kernel.accumulators].map((l) => [l.name, l.type]));
  const scope = { tensor: (name: string) => program.tensors[name].dtype, ref: (name: string) => named.get(name)!, local: (name: string) => named.get(name)! };
  const wide = (e: Expr): boolean => describe(exprType(e, scope)).bits > 32;
  return count(kernel, (e) => {
    if (e.op === 'convert' && e.saturate && !wide(e) && wide(e.a)) return true;
    if (!wide(e) || e.op === 'int' || e.op === 'ref') return false;
    if (!target.wideOperations.includes(e.op)) return true;
    return (e.op === 'shr' && e.b.op !== 'int') || (e.op === 'convert' && exprType(e.a, scope) === 'float32');
  }) > 0;
}

// ---- Reductions ----

interface Pair {
  readonly loop: string;
  /** Groups whose fields share a container. */
  readonly fields: number;
  readonly bits: number;
}

/** The reduction loop along which pairs of integer products can be one instruction. */
function pairLoop(nest: Nest, program: Program, target: Target, lane: string): Pair | undefined {
  const { kernel } = nest;
  const dot = target.dots.find((d) => d.extent === 2);
  if (!dot || kernel.accumulators.length !== 1 || kernel.body.length > 0) return undefined;
  const [acc] = kernel.accumulators;
  if (!isInteger(acc.type) || !isProductSum(acc.update, acc.name)) return undefined;
  const product = (acc.update as unknown as { b: { a: Expr; b: Expr } }).b;
  const operands = [product.a, product.b].map((e) => (e.op === 'load' && !e.guard ? e : undefined));
  if (operands.some((o) => o === undefined)) return undefined;
  const narrow = operands.every((o) => {
    const { bits, signed } = describe(program.tensors[o!.tensor].dtype);
    // Two products must fit 32 bits: 16 bits signed would overflow in one case only, which 15 exclude.
    return bits <= (signed ? dot.operandBits : dot.operandBits - 1);
  });
  if (!narrow || operands.every((o) => /int16$/.test(program.tensors[o!.tensor].dtype))) return undefined;
  const all = accesses(nest, program);
  const data = all.find((a) => !a.constant && operands.some((o) => o!.tensor === a.tensor));
  const weight = all.find((a) => a.constant && operands.some((o) => o!.tensor === a.tensor));
  if (!data || !weight || !weight.depends(lane) || data.depends(lane) || data.elementBits !== 16) return undefined;
  const loop = nest.loops.find((l) => l.kind === 'reduce' && l.extent % 2 === 0 && data.stride(l.name) === data.elementBits && weight.depends(l.name));
  if (!loop) return undefined;
  const bits = fieldBits(program.tensors[weight.tensor]);
  let fields = Math.floor(16 / bits);
  const pairs = loop.extent / 2;
  while (fields > 1 && pairs % fields !== 0) fields--;
  return { loop: loop.name, fields: bits <= 5 || (bits < 8 && fields === 2) ? fields : 1, bits };
}

const divisorIn = (n: number, candidates: readonly number[]): number => candidates.find((c) => n % c === 0) ?? 1;

/** Outputs over lanes, a tile of them in registers, weights in reading order. */
function reduction(start: Nest, program: Program, target: Target, lane: string, pair: Pair | undefined): KernelSchedule {
  const laneExtent = start.loops.find((l) => l.name === lane)!.extent;
  // Lanes over the interleaved partial sums.
  if (start.loops.find((l) => l.name === lane)!.kind === 'partial') return { nests: [applySteps(start, [{ step: 'vectorize', loop: lane }])], packing: bytesPacking };
  const tail = laneExtent % target.lanes;
  if (tail !== 0 && !canOverrun(start, program, lane, target.lanes - tail, true)) {
    // What the lanes read has no room past its end: the last outputs are scalar.
    const [whole, rest] = partition(start, lane, laneExtent - tail);
    if (!rest) return plain(whole, program, target);
    const main = reduction(whole, program, target, lane, undefined);
    return { nests: [...main.nests, rest], packing: bytesPacking };
  }
  const vectors = Math.ceil(laneExtent / target.lanes);
  const all = accesses(start, program);
  const accumulators = start.kernel.accumulators.length;
  const data = all.filter((a) => !a.store && !a.constant);
  const perLane = data.some((a) => a.depends(lane));
  // The second dimension of the tile: the innermost space loop along which the weights stay and the data move.
  const row = [...start.loops].reverse().find((l) => l.kind === 'space' && l.name !== lane && l.extent > 1 && data.some((a) => a.depends(l.name)));
  let columns: number;
  let rows = 1;
  if (row) {
    columns = perLane ? 1 : divisorIn(vectors, [2, 3, 5, 1]);
    const most = Math.max(1, Math.floor((target.registers - 4) / columns / accumulators));
    // Five columns fill the registers alone, as without a second dimension.
    rows = columns === 5 ? 1 : bestRows(row.extent, most, columns > 1);
  } else {
    columns = Math.min(divisorIn(vectors, [5, 4, 6, 3, 7, 2]), Math.max(1, Math.floor(target.registers / 2 / accumulators)));
    while (vectors % columns !== 0) columns--;
  }
  const parts = row ? partition(start, row.name, row.extent - (row.extent % rows)) : [start];
  const nests = parts.map((part) => {
    const extent = row ? part.loops.find((l) => l.name === row.name)!.extent : 1;
    const tileRows = row ? (extent % rows === 0 ? rows : extent) : 1;
    const steps: Step[] = [
      { step: 'split', loop: lane, factor: target.lanes, overrun: true },
      { step: 'split', loop: `${lane}.o`, factor: columns },
    ];
    if (row) steps.push({ step: 'split', loop: row.name, factor: tileRows });
    const tile = [...(row ? [`${row.name}.i`] : []), `${lane}.o.i`, `${lane}.i`];
    const space = part.loops.filter((l) => l.kind === 'space').flatMap((l) => (l.name === lane ? [] : l === part.loops.find((x) => x.name === row?.name) ? [`${l.name}.o`] : [l.name]));
    // Panels of weights outside, so that each stays near while the data pass; the batch outermost.
    const batch = space.filter((n) => part.loops.find((l) => l.name === n)?.extent === 1);
    const moving = space.filter((n) => !batch.includes(n));
    let reduce = part.loops.filter((l) => l.kind === 'reduce').map((l) => l.name);
    const unrolled: string[] = [`${lane}.o.i`, ...(row ? [`${row.name}.i`] : [])];
    let group: string[] = [];
    if (pair) {
      reduce = reduce.filter((n) => n !== pair.loop);
      steps.push({ step: 'split', loop: pair.loop, factor: 2 });
      if (pair.fields > 1) {
        steps.push({ step: 'split', loop: `${pair.loop}.o`, factor: pair.fields });
        reduce.push(`${pair.loop}.o.o`, `${pair.loop}.o.i`);
        unrolled.push(`${pair.loop}.o.i`);
      } else reduce.push(`${pair.loop}.o`);
      group = [`${pair.loop}.i`];
    } else {
      unrolled.push(...shortReductions(part, reduce, tileRows * columns, perLane));
    }
    steps.push({ step: 'reorder', order: [...batch, `${lane}.o.o`, ...moving, ...reduce, ...tile, ...group] });
    steps.push(...unrolled.map((loop): Step => ({ step: 'unroll', loop })), { step: 'vectorize', loop: `${lane}.i` });
    if (pair) steps.push({ step: 'dot', loop: `${pair.loop}.i` });
    return applySteps(part, steps);
  });
  return {
    nests,
    packing(tensor, loops, usedBy) {
      const isWeight = pair && loops.some((l) => l.name === `${pair.loop}.i`);
      if (!isWeight) return bytesPacking(tensor, loops, usedBy);
      if (pair.fields === 1) return { order: loops, elementBits: Math.max(8, tensor.layout.elementBits), containerBits: Math.max(8, tensor.layout.elementBits) };
      const field = loops.find((l) => l.name === `${pair.loop}.o.i`)!;
      return { order: [...loops.filter((l) => l !== field), field], elementBits: pair.bits, containerBits: 16 };
    },
  };
}

/**
 * Measured on V8: multiply-adds a second by rows of a tile two vectors wide, relative to four rows. Five rows and more
 * spill, one row waits for its own sums.
 */
const rowRates = [0, 0.5, 0.93, 0.97, 1];

/** Rows of a tile so that an extent's tiles and their rest cost least. */
function bestRows(extent: number, most: number, wide: boolean): number {
  if (!wide) {
    const wish = [4, 5, 6, 3, 8, 7, 2].filter((r) => r <= Math.min(most, extent));
    return wish.find((r) => extent % r === 0) ?? wish[0] ?? 1;
  }
  let best = 1;
  let least = Infinity;
  for (let rows = Math.min(4, most, extent); rows >= 1; rows--) {
    const rest = extent % rows;
    const cost = (extent - rest) / rowRates[rows] + (rest > 0 ? rest / rowRates[rest] + 0.2 : 0);
    if (cost < least) [best, least] = [rows, cost];
  }
  return best;
}

/** Innermost reduction loops that are short enough to be unrolled whole. */
function shortReductions(nest: Nest, reduce: readonly string[], tile: number, perLane: boolean): string[] {
  const found: string[] = [];
  const most = perLane ? 40 : 48;
  let total = tile;
  for (const name of [...reduce].reverse()) {
    const { extent } = nest.loops.find((l) => l.name === name)!;
    if (extent > 9 || total * extent > most) break;
    total *= extent;
    found.push(name);
  }
  return found;
}

/** No vectors: a few outputs at a time where that saves loads. */
function plain(start: Nest, program: Program, target: Target): KernelSchedule {
  const all = accesses(start, program);
  const weights = all.filter((a) => a.constant && start.loops.some((l) => l.kind === 'reduce' && a.depends(l.name)));
  const column = start.loops.find((l) => l.kind === 'space' && l.extent > 1 && weights.some((a) => a.depends(l.name)) && all.some((a) => !a.constant && !a.store && !a.depends(l.name)));
  const partials = start.loops.filter((l) => l.kind === 'partial').map((l): Step => ({ step: 'unroll', loop: l.name }));
  if (!column || target.lanes > 1 || start.kernel.accumulators.length !== 1) return { nests: [applySteps(start, partials)], packing: bytesPacking };
  const columns = divisorIn(column.extent, [4, 5, 6, 3, 2]);
  const space = start.loops.filter((l) => l.kind === 'space').map((l) => (l === column ? `${l.name}.o` : l.name));
  const rest = start.loops.filter((l) => l.kind !== 'space').map((l) => l.name);
  const tile = `${column.name}.i`;
  const nest = applySteps(start, [
    { step: 'split', loop: column.name, factor: columns },
    { step: 'reorder', order: [...space, ...rest, tile] },
    { step: 'unroll', loop: tile },
    ...partials,
  ]);
  return {
    nests: [nest],
    packing(tensor, loops, usedBy) {
      const bits = fieldBits(tensor);
      const innermost = loops[loops.length - 1];
      const isWeight = weights.some((w) => w.tensor === usedBy.tensor);
      if (!isWeight || tensor.dtype === 'float32' || ![1, 2, 4].includes(bits) || innermost?.name !== tile || (columns * bits) % 8 !== 0) return bytesPacking(tensor, loops, usedBy);
      return { order: loops, elementBits: bits, containerBits: 8 };
    },
  };
}

// ---- Elementwise ----

/** Loops in the order in which the (first) store walks memory. */
function orderByStore(nest: Nest, program: Program, lane: string | undefined): Nest {
  const store = accesses(nest, program).find((a) => a.store)!;
  const key = (l: Loop): number => (l.name === lane ? 0 : Math.abs(store.stride(l.name) ?? Infinity));
  const order = [...nest.loops].sort((a, b) => (a.extent === 1 ? -1 : b.extent === 1 ? 1 : key(b) - key(a))).map((l) => l.name);
  return order.join() === nest.loops.map((l) => l.name).join() ? nest : applySteps(nest, [{ step: 'reorder', order }]);
}

/**
 * Joins neighbouring serial loops that walk memory as one, so that fewer loops turn. Before packing, constants that the
 * inner loop reads stand in the way; afterwards their layouts say the same.
 */
export function joinLoops(start: Nest, program: Program, packed = false): Nest {
  let nest = start;
  if (nest.overrun.size > 0 && !packed) return nest;
  if (count(nest.kernel, (e) => e.op === 'index') > 0) return nest;
  for (let i = nest.loops.length - 2; i >= 0; i--) {
    const [outer, inner] = [nest.loops[i], nest.loops[i + 1]];
    if (!inner || outer.extent === 1 || inner.extent === 1 || outer.kind !== inner.kind || outer.mode !== 'serial' || inner.mode !== 'serial') continue;
    const even = accesses(nest, program).every((a) => {
      const [o, n] = [a.stride(outer.name), a.stride(inner.name)];
      return !a.guarded && o !== undefined && n !== undefined && o === n * inner.extent && (packed || !(a.constant && a.depends(inner.name)));
    });
    const guards = [...nest.overrun].some((axis) => dependsOn(nest.axes.get(axis)!, outer.name) || dependsOn(nest.axes.get(axis)!, inner.name));
    if (even && !guards) nest = applySteps(nest, [{ step: 'join', outer: outer.name, inner: inner.name }]);
  }
  return nest;
}

function elementwise(start: Nest, program: Program, target: Target, lane: string): KernelSchedule {
  const joined = joinLoops(start, program);
  const name = joined.loops[joined.loops.length - 1].name;
  const { extent } = joined.loops[joined.loops.length - 1];
  const rest = extent % target.lanes;
  const overrun = rest !== 0 && name === lane && canOverrun(joined, program, name, target.lanes - rest);
  const parts = rest !== 0 && !overrun ? partition(joined, name, extent - rest) : [joined];
  return {
    nests: parts.map((part, i) => {
      if (extent < target.lanes && !overrun) return part;
      if (i === 1) return applySteps(part, [{ step: 'unroll', loop: name }]);
      const vectors = Math.ceil(part.loops[part.loops.length - 1].extent / target.lanes);
      const many = heavy(part.kernel) ? 1 : divisorIn(vectors, [4, 3, 2]);
      return applySteps(part, [
        { step: 'split', loop: name, factor: target.lanes, overrun },
        { step: 'split', loop: `${name}.o`, factor: many },
        { step: 'unroll', loop: `${name}.o.i` },
        { step: 'vectorize', loop: `${name}.i` },
      ]);
    }),
    packing: bytesPacking,
  };
}

/** Long expressions gain nothing from being written out several times. */
function heavy(kernel: Kernel): boolean {
  return count(kernel, () => true) > 40;
}

function count(kernel: Kernel, counts: (e: Expr) => boolean): number {
  let n = 0;
  walkKernel(kernel, { expr: (e) => { if (counts(e)) n++; } });
  return n;
}

/** True where all that is touched along the loop has room past its end. */
function canOverrun(nest: Nest, program: Program, loop: string, by: number, guardedStores = false): boolean {
  return accesses(nest, program).every((a) => {
    if (!a.depends(loop) || a.constant || (a.store && guardedStores)) return true;
    const { pad } = program.tensors[a.tensor].layout;
    return a.at.every((i, d) => !dependsOn(i, loop) || (pad?.[d] ?? 0) >= by);
  });
}

