/**
 * Schedule steps on a loop nest: data that prints, each checked for legality where it is applied.
 *
 * No step may change a bit of a result: float reductions keep their order of meaning, space points are independent.
 * Program-level steps (fuse, layout, view, halo) are in their own files.
 */
import { fail } from '../ir/diagnostic.js';
import { axis, sum, times } from '../ir/build.js';
import { substitute } from '../ir/indexing.js';
import { walkExpr } from '../ir/walk.js';
import type { Expr, Index, Kernel, LoopMode } from '../ir/program.js';
import { isInteger } from '../ir/datatype.js';
import type { Loop, Nest } from './nest.js';
import { printStep, type Step } from './step.js';

export { printStep, type Step } from './step.js';

/** A loop that is written out more often than this stays a loop: code bytes are part of the cost. */
const mostCopies = 1024;

/** Applies steps in order. Raises schedule/illegal, naming the kernel and the step. `copies`: the most that a body is written out. */
export function applySteps(nest: Nest, steps: readonly Step[], copies = mostCopies): Nest {
  return steps.reduce((n, step) => applyStep(n, step, copies), nest);
}

export function applyStep(nest: Nest, step: Step, most = mostCopies): Nest {
  const illegal = (why: string): never => fail('schedule/illegal', nest.kernel.name, `"${printStep(step)}" is not legal here: ${why}`);
  const find = (name: string): Loop => nest.loops.find((l) => l.name === name) ?? illegal(`there is no loop ${name}; loops: ${nest.loops.map((l) => l.name).join(' ')}`);
  const steps = [...nest.steps, step];
  switch (step.step) {
    case 'split':
      return { ...split(nest, find(step.loop), step.factor, step.overrun ?? false, illegal), steps };
    case 'partition':
      return { ...part(nest, find(step.loop), step.from, step.to, illegal), steps };
    case 'join':
      return { ...join(nest, find(step.outer), find(step.inner), illegal), steps };
    case 'reorder': {
      const loops = step.order.map(find);
      if (loops.length !== nest.loops.length || new Set(step.order).size !== loops.length) illegal('it must name every loop once');
      const reduce = loops.filter((l) => l.kind === 'reduce').map((l) => l.name);
      if (!orderIsFree(nest.kernel) && reduce.join(' ') !== nest.reduceOrder.join(' ')) {
        illegal(`this reduction keeps its order ${nest.reduceOrder.join(' ')}`);
      }
      if (nest.ragged && step.order.indexOf(nest.ragged.inner) < step.order.indexOf(nest.ragged.outer)) illegal(`${nest.ragged.inner} has fewer iterations in the last of ${nest.ragged.outer}`);
      return { ...nest, loops, steps };
    }
    case 'unroll': {
      const unrolled = withMode(nest, find(step.loop), 'unrolled');
      const copies = unrolled.loops.reduce((n, l) => (l.mode === 'unrolled' ? n * l.extent : n), 1);
      if (copies > most) illegal(`it would write the loop's body out ${copies} times, and ${most} is the most`);
      return { ...unrolled, steps };
    }
    case 'vectorize': {
      const loop = find(step.loop);
      if (loop.kind === 'reduce') illegal('lanes run over outputs or partial sums, never over a reduction');
      if (nest.loops.some((l) => l.mode === 'vector')) illegal('a nest has one vector loop');
      return { ...withMode(nest, loop, 'vector'), steps };
    }
    case 'lookup':
    case 'share':
    case 'dot': {
      const loop = find(step.loop);
      if (loop.kind !== 'reduce' || nest.loops[nest.loops.length - 1] !== loop) illegal('it must be the innermost loop, and of the reduction');
      if (!nest.kernel.accumulators.every((a) => isProductSum(a.update, a.name) && orderIsFree(nest.kernel) && isInteger(a.type))) illegal('only integer sums of products have it');
      if (nest.kernel.body.length > 0) illegal('values are bound inside the reduction');
      if (step.step === 'share') return { ...nest, dot: loop.name, shared: step.bytes ? 'bytes' : 'lanes', steps };
      if (step.step === 'lookup') return { ...nest, dot: loop.name, lookup: {}, steps };
      return { ...nest, dot: loop.name, ...(step.sevenBits ? { sevenBits: step.sevenBits } : {}), steps };
    }
    case 'apart':
      if (!sumsAreApart(nest.kernel)) illegal('its accumulators refer to one another');
      if (nest.dot !== undefined || nest.ragged) illegal('its products are grouped');
      return { ...nest, apart: true, steps };
    case 'pipeline': {
      const loop = find(step.loop);
      return {
        ...nest,
        loops: nest.loops.map((l) => (l === loop ? { ...l, mode: 'pipeline', initiationInterval: step.initiationInterval } : l)),
        steps,
      };
    }
    default:
      // Steps may come from a file.
      return fail('schedule/illegal', nest.kernel.name, `there is no step "${(step as { step: string }).step}"`);
  }
}

/** True where a kernel has several accumulators, and none needs another, so that each may run alone. */
export function sumsAreApart(kernel: Kernel): boolean {
  const names = new Set(kernel.accumulators.map((a) => a.name));
  const refers = (e: Expr, own?: string): boolean => {
    let found = false;
    walkExpr(e, { expr: (x) => { if (x.op === 'ref' && x.name !== own && names.has(x.name)) found = true; } });
    return found;
  };
  return names.size > 1 && kernel.accumulators.every((a) => !refers(a.init) && !refers(a.update, a.name)) && kernel.body.every((l) => !refers(l.value));
}

/** True where no order of the reduction can be told from another: sums of integers, and minimum or maximum, of terms without accumulators. */
function orderIsFree(kernel: Kernel): boolean {
  const names = new Set(kernel.accumulators.map((a) => a.name));
  const isTerm = (e: Expr): boolean => {
    let free = true;
    walkExpr(e, { expr: (x) => { if (x.op === 'ref' && names.has(x.name)) free = false; } });
    return free;
  };
  const isOwn = (e: Expr, name: string): boolean => e.op === 'ref' && e.name === name;
  if (!kernel.body.every((l) => isTerm(l.value))) return false;
  return kernel.accumulators.every(({ name, type, update }) => {
    if (!(update.op === 'min' || update.op === 'max' || (update.op === 'add' && isInteger(type)))) return false;
    return (isOwn(update.a, name) && isTerm(update.b)) || (isOwn(update.b, name) && isTerm(update.a));
  });
}

/** acc + x * y */
export function isProductSum(update: Expr, accumulator: string): boolean {
  return update.op === 'add' && update.a.op === 'ref' && update.a.name === accumulator && update.b.op === 'mul';
}

function withMode(nest: Nest, loop: Loop, mode: LoopMode): Nest {
  return { ...nest, loops: nest.loops.map((l) => (l === loop ? { ...l, mode } : l)) };
}

/** Lanes, partial sums and groups of products are each one loop. */
function keepWhole(nest: Nest, loop: Loop, illegal: (why: string) => never): void {
  if (loop.mode === 'vector') illegal(`the lanes are over ${loop.name}`);
  if (loop.kind === 'partial') illegal(`the partial sums are over ${loop.name}`);
  if (loop.name === nest.dot) illegal(`the products of ${loop.name} are one group`);
  if (loop.name === nest.ragged?.outer || loop.name === nest.ragged?.inner) illegal(`the last iteration of ${nest.ragged.outer} is shorter`);
}

function rebind(nest: Nest, map: ReadonlyMap<string, Index>): ReadonlyMap<string, Index> {
  return new Map([...nest.axes].map(([name, i]) => [name, substitute(i, map)]));
}

function split(nest: Nest, loop: Loop, factor: number, overrun: boolean, illegal: (why: string) => never): Nest {
  if (!Number.isInteger(factor) || factor < 1) illegal('the factor must be a positive integer');
  keepWhole(nest, loop, illegal);
  const exact = loop.extent % factor === 0;
  if (!exact && !overrun) illegal(`${factor} does not divide ${loop.extent}`);
  if (!exact && loop.kind === 'reduce') {
    if (nest.kernel.reduce.every((a) => a.name !== loop.name || a.extent !== loop.extent)) illegal('only a whole axis can be overrun');
    if (!orderIsFree(nest.kernel)) illegal('this reduction keeps its order, and its loops are whole');
    if (nest.ragged) illegal('one axis of a reduction can be');
  }
  const outer = { ...loop, name: `${loop.name}.o`, extent: Math.ceil(loop.extent / factor) };
  const inner = { ...loop, name: `${loop.name}.i`, extent: factor };
  let passed = nest.overrun;
  if (!exact && loop.kind === 'space') {
    const owners = [...nest.axes].filter(([, i]) => i.terms.some((t) => t.of === loop.name));
    const [name, index] = owners.length === 1 ? owners[0] : illegal('only a whole axis can be overrun');
    const extent = nest.kernel.space.find((a) => a.name === name)?.extent;
    // A part that ends inside its axis would run into the next one.
    if (index.terms.length !== 1 || index.terms[0].coeff !== 1 || index.offset + loop.extent !== extent) illegal('only a whole axis can be overrun');
    passed = new Set(passed).add(name);
  }
  return {
    ...nest,
    loops: nest.loops.flatMap((l) => (l === loop ? [outer, inner] : [l])),
    axes: rebind(nest, new Map([[loop.name, sum(times(outer.name, factor), inner.name)]])),
    overrun: passed,
    ...(!exact && loop.kind === 'reduce' ? { ragged: { outer: outer.name, inner: inner.name, rest: loop.extent % factor } } : {}),
    reduceOrder: nest.reduceOrder.flatMap((n) => (n === loop.name ? [outer.name, inner.name] : [n])),
  };
}

function join(nest: Nest, outer: Loop, inner: Loop, illegal: (why: string) => never): Nest {
  if (nest.loops.indexOf(inner) !== nest.loops.indexOf(outer) + 1) illegal('the loops must be neighbours');
  if (outer.kind !== inner.kind) illegal('one is of the space, one of the reduction');
  for (const loop of [outer, inner]) keepWhole(nest, loop, illegal);
  const name = `${outer.name}_${inner.name}`;
  if (nest.loops.some((l) => l.name === name)) illegal(`there is a loop ${name}`);
  const joined: Loop = { ...outer, name, extent: outer.extent * inner.extent };
  const whole = axis(name);
  return {
    ...nest,
    loops: nest.loops.flatMap((l) => (l === outer ? [joined] : l === inner ? [] : [l])),
    axes: rebind(
      nest,
      new Map<string, Index>([
        [outer.name, { offset: 0, terms: [{ coeff: 1, of: { div: whole, by: inner.extent } }] }],
        [inner.name, { offset: 0, terms: [{ coeff: 1, of: { rem: whole, by: inner.extent } }] }],
      ]),
    ),
    reduceOrder: nest.reduceOrder.flatMap((n) => (n === outer.name ? [name] : n === inner.name ? [] : [n])),
  };
}

function part(nest: Nest, loop: Loop, from: number, to: number, illegal: (why: string) => never): Nest {
  if (loop.kind !== 'space') illegal('it is no space loop');
  if (!Number.isInteger(from) || !Number.isInteger(to) || from < 0 || to <= from || to > loop.extent) illegal(`the loop runs from 0 to ${loop.extent}`);
  keepWhole(nest, loop, illegal);
  return {
    ...nest,
    loops: nest.loops.map((l) => (l === loop ? { ...l, extent: to - from } : l)),
    axes: from === 0 ? nest.axes : rebind(nest, new Map([[loop.name, axis(loop.name, 1, from)]])),
  };
}

/** Two nests over [0, at) and [at, extent) of a space loop; the nest itself where one of them would be empty. */
export function partition(nest: Nest, loop: string, at: number): Nest[] {
  const extent = nest.loops.find((l) => l.name === loop)?.extent ?? 0;
  if (extent > 0 && (at <= 0 || at >= extent)) return [nest];
  return [applyStep(nest, { step: 'partition', loop, from: 0, to: at }), applyStep(nest, { step: 'partition', loop, from: at, to: extent })];
}
