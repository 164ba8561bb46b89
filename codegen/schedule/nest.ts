/**
 * A loop nest: a kernel with its axes bound to loops. Steps (steps.ts) rewrite it; `materialize` turns it into statements.
 *
 * Space loops before the first reduction loop run outside; space loops after it form the tile, whose accumulators live in
 * registers. A kernel's schedule is one nest or several, each over its part of the space.
 */
import { axis as axisIndex } from '../ir/build.js';
import { interval, mapExpr, simplify, substitute, type Ranges } from '../ir/indexing.js';
import { dependsOn, walkExpr } from '../ir/walk.js';
import type { Condition, Expr, Index, Kernel, Local, LoopMode, Stmt, Store } from '../ir/program.js';
import { sumBits } from '../ir/sharedLanes.js';
import { printStep, type Step } from './step.js';

export interface Loop {
  readonly name: string;
  readonly extent: number;
  /** `partial`: the interleaved partial sums of a reduction. */
  readonly kind: 'space' | 'reduce' | 'partial';
  readonly mode: LoopMode;
  readonly initiationInterval?: number;
}

export interface Nest {
  readonly kernel: Kernel;
  /** Outermost first. */
  readonly loops: readonly Loop[];
  /** Every axis of the kernel as an index over loops. */
  readonly axes: ReadonlyMap<string, Index>;
  /** Axes that loops overrun: stores are guarded, loads must be padded. */
  readonly overrun: ReadonlySet<string>;
  /** The reduction loop that is done as one group of products. */
  readonly dot?: string;
  /** The factor of those products that lies in 0 .. 127, where they are of bytes. */
  readonly sevenBits?: 'a' | 'b';
  /** Parts of a reduction loop that its factor does not divide: the last iteration of `outer` has only `rest` of `inner`. */
  readonly ragged?: { readonly outer: string; readonly inner: string; readonly rest: number };
  /** That group is summed in 8 bits, by lookups in a table, which has a name once the weights are packed. */
  readonly lookup?: { readonly table?: string };
  /** That group is summed in 12 bits, two outputs a lane, or with two outputs a byte of weights. */
  readonly shared?: 'lanes' | 'bytes';
  /** Each accumulator runs its reduction loops alone. */
  readonly apart?: true;
  /** Reduction loops in their order of meaning. */
  readonly reduceOrder: readonly string[];
  /** What was done to it, in order. */
  readonly steps: readonly Step[];
}

/** The nest that runs a kernel in its order of meaning. */
export function nestOf(kernel: Kernel): Nest {
  const loops: Loop[] = [
    ...kernel.space.map((a) => ({ name: a.name, extent: a.extent, kind: 'space' as const, mode: 'serial' as const })),
    ...kernel.reduce.map((a) => ({ name: a.name, extent: a.extent, kind: 'reduce' as const, mode: 'serial' as const })),
  ];
  const axes = new Map([...kernel.space, ...kernel.reduce].map((a) => [a.name, axisIndex(a.name)]));
  const nest: Nest = { kernel, loops, axes, overrun: new Set(), reduceOrder: kernel.reduce.map((a) => a.name), steps: [] };
  if (kernel.partials === 1) return nest;
  const last = kernel.reduce[kernel.reduce.length - 1];
  return {
    ...nest,
    loops: loops.flatMap((l): Loop[] =>
      l.name !== last.name
        ? [l]
        : [
            { ...l, name: `${l.name}.o`, extent: l.extent / kernel.partials },
            { name: `${l.name}.p`, extent: kernel.partials, kind: 'partial', mode: 'serial' },
          ],
    ),
    axes: new Map(axes).set(last.name, {
      offset: 0,
      terms: [
        { coeff: kernel.partials, of: `${last.name}.o` },
        { coeff: 1, of: `${last.name}.p` },
      ],
    }),
    reduceOrder: nest.reduceOrder.map((n) => (n === last.name ? `${n}.o` : n)),
  };
}

export function rangesOf(nest: Nest): Ranges {
  return new Map(nest.loops.map((l) => [l.name, [0, l.extent - 1] as const]));
}

/** Index of the first loop of the reduction; the number of loops where there is none. */
function reductionStart(nest: Nest): number {
  const i = nest.loops.findIndex((l) => l.kind !== 'space');
  return i < 0 ? nest.loops.length : i;
}

/** Statements and register buffers of a nest. Names are made unique by `prefix`. */
export function materialize(nest: Nest, prefix = ''): { body: Stmt[]; locals: Local[] } {
  const { kernel } = nest;
  const ranges = rangesOf(nest);
  const bind = (i: Index): Index => simplify(substitute(i, nest.axes), ranges);
  const start = reductionStart(nest);
  const outer = nest.loops.slice(0, start);
  const inner = nest.loops.slice(start);
  const tile = inner.filter((l) => l.kind !== 'reduce');
  const tileAt = tile.map((l) => axisIndex(l.name));
  const locals: Local[] = kernel.accumulators.map((a) => ({ name: prefix + a.name, type: a.type, shape: tile.map((l) => l.extent) }));
  const accumulators = new Set(kernel.accumulators.map((a) => a.name));
  const names = new Map(kernel.body.concat(kernel.epilogue).map((l) => [l.name, prefix + l.name]));

  const expression = (e: Expr, at: readonly Index[]): Expr =>
    mapExpr(e, bind, (x) => {
      if (x.op !== 'ref') return undefined;
      if (accumulators.has(x.name)) return { op: 'local', name: prefix + x.name, at };
      return { op: 'ref', name: names.get(x.name) ?? x.name };
    });
  const wrap = (loops: readonly Loop[], body: readonly Stmt[]): Stmt[] => {
    let result = [...body];
    for (const l of [...loops].reverse()) {
      result = [{ kind: 'loop', axis: l.name, start: 0, extent: l.extent, mode: l.mode, ...(l.initiationInterval ? { initiationInterval: l.initiationInterval } : {}), body: result }];
    }
    return result;
  };
  const lets = (list: Kernel['epilogue'], at: readonly Index[]): Stmt[] =>
    list.map((l) => ({ kind: 'let', name: prefix + l.name, type: l.type, value: expression(l.value, at) }));

  const finalTile = tile.filter((l) => l.kind === 'space');
  const finalAt = tile.map((l) => (l.kind === 'partial' ? { offset: 0, terms: [] } : axisIndex(l.name)));
  const guard = storeGuard(nest, bind, ranges);
  const early = nest.apart && finalTile.length === tile.length ? earlyStores(kernel) : new Map<string, readonly Store[]>();
  /** The epilogue of the stores that wait for an accumulator, or of all others. */
  const finish = (accumulator?: string): Stmt[] => {
    const stores = accumulator === undefined ? kernel.stores.filter((s) => ![...early.values()].some((list) => list.includes(s))) : (early.get(accumulator) ?? []);
    if (stores.length === 0) return [];
    const needed = stores.length === kernel.stores.length ? kernel.epilogue : neededBy(stores.map((s) => s.value), kernel.epilogue);
    return wrap(finalTile, [
      ...lets(needed, finalAt),
      ...stores.map((s): Stmt => {
        const store = { kind: 'store' as const, tensor: s.tensor, at: s.at.map(bind), value: expression(s.value, finalAt) };
        return guard.length > 0 ? { ...store, guard } : store;
      }),
    ]);
  };

  const body: Stmt[] = [];
  if (kernel.accumulators.length > 0) {
    body.push(...wrap(tile, kernel.accumulators.map((a) => ({ kind: 'set', name: prefix + a.name, at: tileAt, value: expression(a.init, tileAt) }))));
    const points = (loops: readonly Loop[], extent?: number): Stmt[] => {
      const own = extent === undefined ? loops : loops.map((l) => (l.name === nest.ragged!.inner ? { ...l, extent } : l));
      const group = nest.loops.find((l) => l.name === nest.dot);
      const size = extent !== undefined && group?.name === nest.ragged!.inner ? extent : group?.extent;
      const loopsOf = own.filter((l) => l.name !== nest.dot);
      if (!nest.apart) return wrap(loopsOf, [...lets(kernel.body, tileAt), ...updates(nest, prefix, tileAt, expression, size)]);
      return kernel.accumulators.flatMap((a) => {
        const alone: Nest = { ...nest, kernel: { ...kernel, accumulators: [a] } };
        return [...wrap(loopsOf, [...lets(neededBy([a.update], kernel.body), tileAt), ...updates(alone, prefix, tileAt, expression, size)]), ...finish(a.name)];
      });
    };
    const split = inner.findIndex((l) => l.name === nest.ragged?.outer);
    if (split < 0) body.push(...points(inner));
    else {
      // The last iteration of the split loop is apart.
      const { name, extent, mode } = inner[split];
      const [whole, last] = [points(inner.slice(split + 1)), points(inner.slice(split + 1), nest.ragged!.rest)];
      const parts: Stmt[] = [{ kind: 'loop', axis: name, start: 0, extent: extent - 1, mode, body: whole }, { kind: 'loop', axis: name, start: extent - 1, extent: 1, mode, body: last }];
      body.push(...wrap(inner.slice(0, split), extent === 1 ? parts.slice(1) : parts));
    }
    body.push(...combinePartials(nest, prefix, tile));
  }
  body.push(...finish());
  return { body: outer.length > 0 ? peelLast(wrap(outer, body), guard) : body, locals };
}

/** Those of `values`, in their order, that expressions need. */
function neededBy(all: readonly Expr[], values: Kernel['body']): Kernel['body'] {
  const needed = new Set<string>();
  const visit = (x: Expr): void => walkExpr(x, { expr: (r) => { if (r.op === 'ref') needed.add(r.name); } });
  all.forEach(visit);
  for (const l of [...values].reverse()) if (needed.has(l.name)) visit(l.value);
  return values.filter((l) => needed.has(l.name));
}

/**
 * Stores that need not wait for the last accumulator, by the one that they wait for: what is stored takes no register while the next sums
 * run, and engines keep such registers by writing them in every step (LeNet-5's second convolution: 25.8 instead of 27.4 us). None of the
 * rest needs any of their values, so that nothing is computed twice.
 */
function earlyStores({ accumulators, epilogue, stores }: Kernel): Map<string, readonly Store[]> {
  const names = accumulators.map((a) => a.name);
  const values = (list: readonly Store[]): Kernel['body'] => neededBy(list.map((s) => s.value), epilogue);
  const waitsFor = (store: Store): number => {
    let last = -1;
    for (const e of [store.value, ...values([store]).map((l) => l.value)]) walkExpr(e, { expr: (x) => { if (x.op === 'ref') last = Math.max(last, names.indexOf(x.name)); } });
    return last;
  };
  const early = new Map<string, readonly Store[]>();
  for (const [i, name] of names.slice(0, -1).entries()) {
    const ready = stores.filter((s) => waitsFor(s) === i);
    const others = values(stores.filter((s) => !ready.includes(s)));
    if (ready.length > 0 && values(ready).every((l) => !others.includes(l))) early.set(name, ready);
  }
  return early;
}

/** The last iteration of loops that overrun an axis is apart, so that guards are decided at compile time. */
function peelLast(body: readonly Stmt[], guard: readonly Condition[]): Stmt[] {
  return body.flatMap((s): Stmt[] => {
    if (s.kind !== 'loop') return [s];
    const inner = { ...s, body: peelLast(s.body, guard) };
    if (s.mode !== 'serial' || s.extent === 1 || !guard.some((c) => c.index.terms.some((t) => t.of === s.axis))) return [inner];
    return [{ ...inner, extent: s.extent - 1 }, { ...inner, start: s.start + s.extent - 1, extent: 1 }];
  });
}

function updates(nest: Nest, prefix: string, at: readonly Index[], expression: (e: Expr, at: readonly Index[]) => Expr, extent?: number): Stmt[] {
  const { accumulators } = nest.kernel;
  if (nest.dot !== undefined) {
    return accumulators.map((a) => {
      const update = a.update as Extract<Expr, { a: Expr; b: Expr; type: unknown }>;
      const product = update.b as Extract<Expr, { a: Expr; b: Expr; type: unknown }>;
      const [first, second] = nest.sevenBits === 'a' ? [product.b, product.a] : [product.a, product.b];
      const dot: Expr = nest.lookup
        ? { op: 'dot', type: 'int8', axis: nest.dot!, extent: extent!, ...weightsSecond(product, nest), ...nest.lookup }
        : nest.shared
          ? { op: 'dot', type: nest.shared === 'lanes' ? `int${sumBits}` : a.type, axis: nest.dot!, extent: extent!, ...weightsSecond(product, nest) }
          : { op: 'dot', type: a.type, axis: nest.dot!, extent: extent!, ...(nest.sevenBits ? { bytes: true as const } : {}), a: first, b: second };
      return { kind: 'set', name: prefix + a.name, at, value: expression({ ...update, b: dot } as Expr, at) };
    });
  }
  if (accumulators.length === 1) {
    return [{ kind: 'set', name: prefix + accumulators[0].name, at, value: expression(accumulators[0].update, at) }];
  }
  // All accumulators of a tuple take their new values at once.
  return [
    ...accumulators.map((a): Stmt => ({ kind: 'let', name: `${prefix}${a.name}.next`, type: a.type, value: expression(a.update, at) })),
    ...accumulators.map((a): Stmt => ({ kind: 'set', name: prefix + a.name, at, value: { op: 'ref', name: `${prefix}${a.name}.next` } })),
  ];
}

/** The weights, which lanes tell apart. */
function weightsSecond(product: { readonly a: Expr; readonly b: Expr }, nest: Nest): { a: Expr; b: Expr } {
  const lane = nest.loops.find((l) => l.mode === 'vector');
  const inLanes = (e: Expr): boolean => lane !== undefined && e.op === 'load' && e.at.some((i) => dependsOn(substitute(i, nest.axes), lane.name));
  return inLanes(product.b) ? { a: product.a, b: product.b } : { a: product.b, b: product.a };
}

/** Partial p takes p + P/2, until one is left. */
function combinePartials(nest: Nest, prefix: string, tile: readonly Loop[]): Stmt[] {
  const partial = tile.find((l) => l.kind === 'partial');
  if (!partial) return [];
  const result: Stmt[] = [];
  for (let half = partial.extent / 2; half >= 1; half /= 2) {
    for (let p = 0; p < half; p++) {
      const at = (q: number): Index[] => tile.map((l) => (l === partial ? { offset: q, terms: [] } : axisIndex(l.name)));
      const body = nest.kernel.accumulators.map((a): Stmt => {
        const { op, type } = a.update as Extract<Expr, { a: Expr; b: Expr; type: unknown }>;
        const name = prefix + a.name;
        return { kind: 'set', name, at: at(p), value: { op, type, a: { op: 'local', name, at: at(p) }, b: { op: 'local', name, at: at(p + half) } } as Expr };
      });
      let wrapped: Stmt[] = body;
      for (const l of tile.filter((x) => x !== partial).reverse()) {
        wrapped = [{ kind: 'loop', axis: l.name, start: 0, extent: l.extent, mode: l.mode === 'vector' ? 'unrolled' : l.mode, body: wrapped }];
      }
      result.push(...wrapped);
    }
  }
  return result;
}

/** Conditions that keep stores within the axes that loops overrun. */
function storeGuard(nest: Nest, bind: (i: Index) => Index, ranges: Ranges): Condition[] {
  const guard: Condition[] = [];
  for (const name of nest.overrun) {
    const extent = nest.kernel.space.find((a) => a.name === name)!.extent;
    const index = bind(axisIndex(name));
    if (interval(index, ranges)[1] >= extent) guard.push({ index, lo: 0, hi: extent });
  }
  return guard;
}

/** The whole schedule of a kernel: its nests one after the other. */
export function scheduleKernel(kernel: Kernel, nests: readonly Nest[]): Kernel {
  const parts = nests.map((n, i) => materialize(n, nests.length > 1 ? `part${i}.` : ''));
  return {
    ...kernel,
    scheduled: {
      steps: nests.flatMap((n, i) => n.steps.map((s) => (nests.length > 1 ? `part ${i}: ${printStep(s)}` : printStep(s)))),
      locals: parts.flatMap((p) => p.locals),
      body: parts.flatMap((p) => p.body),
    },
  };
}

