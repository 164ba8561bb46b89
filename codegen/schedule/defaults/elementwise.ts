/**
 * Kernels without a reduction: loops in the order of memory, joined where they walk it as one, then lanes.
 */
import { dependsOn } from '../../ir/walk.js';
import type { Kernel, Program } from '../../ir/program.js';
import type { Target } from '../../targets/target.js';
import { accesses } from '../access.js';
import type { Choices, KernelSchedule } from '../choice.js';
import type { Loop, Nest } from '../nest.js';
import { applySteps, partition, type Step } from '../steps.js';
import { codeFields, fieldPacks, type Fields } from './fields.js';
import { canOverrun, count, divisorIn } from './lanes.js';

/** Loops in the order in which the (first) store walks memory. */
export function orderByStore(nest: Nest, program: Program, lane: string | undefined): Nest {
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

export function elementwise(start: Nest, program: Program, target: Target, lane: string, choices: Choices): KernelSchedule {
  const joined = joinLoops(start, program);
  const name = joined.loops[joined.loops.length - 1].name;
  const { extent } = joined.loops[joined.loops.length - 1];
  const rest = extent % target.lanes;
  const packed = name === lane ? packedLanes(joined, program, target) : undefined;
  if (packed) return { nests: packed, packs: {} };
  const overrun = rest !== 0 && name === lane && canOverrun(joined, program, name, target.lanes - rest);
  const parts = rest !== 0 && !overrun ? partition(joined, name, extent - rest) : [joined];
  const fields = parts.length === 1 && (extent >= target.lanes || overrun) ? codeFields(joined, program, name) : undefined;
  if (fields) return decoded(joined, target, name, overrun, fields);
  return {
    nests: parts.map((part, i) => {
      if (extent < target.lanes && !overrun) return part;
      if (i === 1) return applySteps(part, [{ step: 'unroll', loop: name }]);
      const vectors = Math.ceil(part.loops[part.loops.length - 1].extent / target.lanes);
      const many = choices.columns && vectors % choices.columns === 0 ? choices.columns : divisorIn(vectors, sideBySide(part.kernel));
      return applySteps(part, [
        { step: 'split', loop: name, factor: target.lanes, overrun },
        { step: 'split', loop: `${name}.o`, factor: many },
        { step: 'unroll', loop: `${name}.o.i` },
        { step: 'vectorize', loop: `${name}.i` },
      ]);
    }),
    packs: {},
  };
}

/** Codes that share containers, one field after the other. */
function decoded(nest: Nest, target: Target, lane: string, overrun: boolean, fields: Fields): KernelSchedule {
  const steps: Step[] = [
    { step: 'split', loop: fields.loop, factor: fields.count },
    { step: 'split', loop: lane, factor: target.lanes, overrun },
  ];
  const order = nest.loops.flatMap((l) => (l.name === fields.loop ? [`${l.name}.o`] : l.name === lane ? [`${lane}.o`] : [l.name]));
  steps.push(
    { step: 'reorder', order: [...order, `${fields.loop}.i`, `${lane}.i`] },
    { step: 'unroll', loop: `${fields.loop}.i` },
    { step: 'vectorize', loop: `${lane}.i` },
  );
  return { nests: [applySteps(nest, steps)], packs: fieldPacks(fields) };
}

/**
 * Of long expressions over four lanes and a half, such as those of six channels, the halves of two neighbouring positions are one
 * vector; undefined for others. So LeNet-5's first pool takes 10.5 instead of 13.5 us.
 */
function packedLanes(nest: Nest, program: Program, target: Target): Nest[] | undefined {
  const [outer, inner] = nest.loops.slice(-2);
  if (target.lanes !== 4 || nest.loops.length < 2 || inner.extent % 4 !== 2 || inner.extent < 4 || inner.extent > mostPacked || outer.extent % 2 !== 0) return undefined;
  const isEven = accesses(nest, program).every((a) => !a.guarded && a.elementBits === 32 && a.stride(outer.name) !== undefined && (!a.depends(inner.name) || a.stride(inner.name) === 32));
  if (!isEven || !waits(nest.kernel)) return undefined;
  const [whole, half] = partition(nest, inner.name, inner.extent - 2);
  const lanes = `${outer.name}.i_${inner.name}`;
  return [
    copies(applySteps(whole, [{ step: 'split', loop: inner.name, factor: 4 }, { step: 'vectorize', loop: `${inner.name}.i` }]), outer.name),
    copies(applySteps(half, [{ step: 'split', loop: outer.name, factor: 2 }, { step: 'join', outer: `${outer.name}.i`, inner: inner.name }, { step: 'vectorize', loop: lanes }]), `${outer.name}.o`),
  ];
}

/** Up to four vectors side by side, of a loop and of the one around it. */
function copies(start: Nest, name: string): Nest {
  let nest = start;
  let wanted = 4;
  const at = nest.loops.findIndex((l) => l.name === name);
  for (const loop of nest.loops.slice(0, at + 1).reverse().slice(0, 2)) {
    const factor = [4, 2].find((n) => n <= wanted && loop.extent % n === 0) ?? (wanted === 4 && loop.extent <= 7 ? loop.extent : undefined);
    if (factor === undefined) continue;
    wanted = Math.floor(wanted / factor);
    nest = applySteps(nest, [{ step: 'split', loop: loop.name, factor }, { step: 'unroll', loop: `${loop.name}.i` }]);
    const order = nest.loops.map((l) => l.name).filter((n) => n !== `${loop.name}.i`);
    order.splice(order.length - 1, 0, `${loop.name}.i`);
    nest = applySteps(nest, [{ step: 'reorder', order }]);
  }
  return nest;
}

/** Of more lanes, half a vector is too little to gain. */
const mostPacked = 14;

/**
 * How many vectors are written out in one loop body, the best first. Long expressions gain nothing by it, unless they wait for roots
 * and quotients, of which several can be under way (moments of ReLU: four vectors 5.5, two 7.1 us). Random words do gain: what their rounds
 * multiply with and add is loaded once for all (five vectors: 4.7 instead of 8.2 ns a number).
 */
function sideBySide(kernel: Kernel): readonly number[] {
  if (count(kernel, () => true) <= 40) return [4, 3, 2];
  if (count(kernel, (e) => e.op === 'mulHigh') > 0) return [5, 4, 3, 2];
  if (waits(kernel)) return [4, 2];
  return count(kernel, (e) => e.op === 'sqrt' || e.op === 'div') > 0 ? [2] : [];
}

/** True for long expressions with roots and quotients. */
function waits(kernel: Kernel): boolean {
  const has = (op: string): boolean => count(kernel, (e) => e.op === op) > 0;
  return has('sqrt') && has('div') && count(kernel, () => true) > 40;
}
