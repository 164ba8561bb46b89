/**
 * Invariant 4: every element is written before it is read, and once. Kernels are followed in order on a map of each
 * buffer, element by element; what they read is taken as the box that their indices span.
 *
 * Writing over what an earlier kernel wrote is legal in place only: the kernel reads there with the same index, and nobody
 * reads the old tensor later. State is there from the start; its new value is a tensor that nobody has read. What a repeat carries
 * is written ahead of it, whole, and then in place, so that stores to it may depend on data. Padding takes junk, which must not
 * fall on what is still needed. Buffers beyond a limit are followed as a whole.
 */
import { Axes, compileConditions, loopDepth } from './axes.js';
import { fail } from './diagnostic.js';
import { address, indexKey, type Ranges } from './indexing.js';
import { bitAddress, compileIndex } from './interpretMemory.js';
import type { Block, Condition, Expr, Index, Kernel, Program, Stmt, Tensor } from './program.js';
import { accessBox, type Interval } from './verifyBounds.js';
import { freshBuffers, Iterations, movingOnly } from './verifyRepeat.js';
import { operandsOf, walkIndex } from './walk.js';

/** Buffers of more units than this are not followed element by element. */
const mostUnits = 2 ** 22;

const unwritten = 0;
const written = 1;
const junk = 2;

interface BufferMap {
  /** Bits of a unit: no element of the buffer is smaller. */
  readonly unit: number;
  readonly marks: Uint8Array;
  /** Too large: one mark for all, and only reads before the first write are found. */
  readonly whole: boolean;
  /** Number of the kernel that wrote a unit; 0: before the first. */
  readonly writer: Int32Array;
}

interface Load {
  readonly tensor: string;
  readonly at: readonly Index[];
  readonly guard: readonly Condition[];
  readonly ranges: Ranges;
}

// ---- What a kernel reads -------------------------------------------------------------------------------------------

function loadsOfExpr(e: Expr, ranges: Ranges, visit: (l: Load) => void): void {
  const indices = (list: readonly Index[]): void => {
    for (const i of list) {
      for (const { of } of i.terms) {
        if (typeof of === 'string') continue;
        if ('value' in of) loadsOfExpr(of.value, ranges, visit);
        else indices(['div' in of ? of.div : of.rem]);
      }
    }
  };
  if (e.op === 'load') {
    visit({ tensor: e.tensor, at: e.at, guard: e.guard ?? [], ranges });
    indices(e.at);
    if (e.otherwise) loadsOfExpr(e.otherwise, ranges, visit);
  }
  if (e.op === 'index') indices([e.index]);
  const inner = e.op === 'dot' ? new Map(ranges).set(e.axis, [0, e.extent - 1]) : ranges;
  for (const x of operandsOf(e)) loadsOfExpr(x, inner, visit);
}

function loadsOfBody(body: readonly Stmt[], ranges: Ranges, guard: readonly Condition[], visit: (l: Load) => void): void {
  const guarded = (l: Load): void => visit(guard.length === 0 ? l : { ...l, guard: [...guard, ...l.guard] });
  for (const s of body) {
    if (s.kind === 'loop') loadsOfBody(s.body, new Map(ranges).set(s.axis, [s.start, s.start + s.extent - 1]), guard, visit);
    else if (s.kind === 'if') loadsOfBody(s.body, ranges, [...guard, ...s.guard], visit);
    else if (s.kind === 'store') loadsOfExpr(s.value, ranges, (l) => guarded(s.guard ? { ...l, guard: [...s.guard, ...l.guard] } : l));
    else loadsOfExpr(s.value, ranges, guarded);
  }
}

function loadsOf(kernel: Kernel, scheduled: boolean, outer: Ranges): Load[] {
  const loads: Load[] = [];
  if (scheduled && kernel.scheduled) {
    loadsOfBody(kernel.scheduled.body, outer, [], (l) => loads.push(l));
    return loads;
  }
  const space = new Map(outer);
  for (const a of kernel.space) space.set(a.name, [0, a.extent - 1]);
  const point = new Map(space);
  for (const a of kernel.reduce) point.set(a.name, [0, a.extent - 1]);
  for (const a of kernel.accumulators) {
    loadsOfExpr(a.init, space, (l) => loads.push(l));
    loadsOfExpr(a.update, point, (l) => loads.push(l));
  }
  for (const l of kernel.body) loadsOfExpr(l.value, point, (x) => loads.push(x));
  for (const l of [...kernel.epilogue, ...kernel.stores]) loadsOfExpr(l.value, space, (x) => loads.push(x));
  return loads;
}

// ---- What a kernel writes ------------------------------------------------------------------------------------------

const dataStore = 'a store at a data-dependent index: its region is not known: only what a repeat carries is written so';

/** A kernel's stores as loops that compute addresses. */
type StoreVisitor = (tensor: Tensor, address: number, isJunk: boolean) => void;

/** `isCarried`: tensors that are written whole already, so that stores to them may depend on data. */
function compileStores(body: readonly Stmt[], program: Program, scope: Axes, isCarried: (tensor: string) => boolean, visit: StoreVisitor): (() => void) | undefined {
  const actions: (() => void)[] = [];
  for (const s of body) {
    if (s.kind === 'loop') {
      const inner = scope.with(s.axis);
      const slot = inner.slot(s.axis);
      const run = compileStores(s.body, program, inner, isCarried, visit);
      if (run) actions.push(() => { for (let i = 0; i < s.extent; i++) { scope.axes[slot] = s.start + i; run(); } });
    } else if (s.kind === 'if') {
      const run = compileStores(s.body, program, scope, isCarried, visit);
      const holds = compileConditions(s.guard, scope);
      if (run) actions.push(() => { if (holds()) run(); });
    } else if (s.kind === 'store' && !(isCarried(s.tensor) && dependsOnData(s.at))) {
      actions.push(compileStoreVisit(s, program, scope, visit));
    }
  }
  return actions.length === 0 ? undefined : () => { for (const a of actions) a(); };
}

/** A store at a place that data decide. */
function dependsOnData(at: readonly Index[]): boolean {
  let found = false;
  for (const index of at) walkIndex(index, { index: (i) => { found ||= i.terms.some(({ of }) => typeof of !== 'string' && 'value' in of); } });
  return found;
}

function compileStoreVisit(s: Stmt & { readonly kind: 'store' }, program: Program, scope: Axes, visit: StoreVisitor): () => void {
  const tensor = program.tensors[s.tensor];
  const at = compileIndex(bitAddress(tensor, s.at), scope);
  const holds = s.guard && s.guard.length > 0 ? compileConditions(s.guard, scope) : undefined;
  const padded = s.at.flatMap((index, d) => ((tensor.layout.pad?.[d] ?? 0) > 0 ? [{ index: compileIndex(index, scope), extent: tensor.shape[d] }] : []));
  return () => {
    if (holds && !holds()) return;
    let isJunk = false;
    for (const p of padded) if (p.index() >= p.extent) isJunk = true;
    visit(tensor, at(), isJunk);
  };
}

/** The declarative stores as statements. */
function storeNest(kernel: Kernel): Stmt[] {
  let body: Stmt[] = kernel.stores.map((s) => ({ kind: 'store', ...s }));
  for (const a of [...kernel.space].reverse()) body = [{ kind: 'loop', axis: a.name, start: 0, extent: a.extent, mode: 'serial', body }];
  return body;
}

// ---- The walk ------------------------------------------------------------------------------------------------------

/** Follows the Program in the scheduled or the declarative form of its kernels. */
export function verifyCoverage(program: Program, scheduled: boolean): void {
  const maps = makeMaps(program);
  const dead = new Map<string, string>();
  const read = new Set<string>();
  const complete = new Set<string>();
  const iterations = new Iterations();
  let ordinal = 0;

  const runKernel = (kernel: Kernel, outer: ReadonlyMap<string, number>): void => {
    ordinal++;
    const ranges: Ranges = new Map([...outer].map(([axis, i]) => [axis, [i, i] as Interval]));
    const site = { kernel: kernel.name, op: kernel.op };
    const loads = loadsOf(kernel, scheduled, ranges);
    const boxes = new Map<string, Interval[]>();
    for (const l of loads) {
      const killer = dead.get(l.tensor);
      if (killer !== undefined) fail('program/invalid', kernel.name, `it reads ${l.tensor}, which ${killer} has overwritten`);
      const unreadable = iterations.unreadable(l.tensor);
      if (unreadable !== undefined) fail('program/invalid', kernel.name, unreadable);
      const box = accessBox(program.tensors[l.tensor], l.at, l.guard, l.ranges, site, 'load');
      if (!box) continue;
      read.add(l.tensor);
      const old = boxes.get(l.tensor);
      boxes.set(l.tensor, old ? old.map(([a, b], d) => [Math.min(a, box[d][0]), Math.max(b, box[d][1])]) : box);
    }
    for (const [name, box] of boxes) requireWritten(program.tensors[name], box, kernel.name);
    for (const name of new Set(kernel.stores.map((s) => s.tensor))) {
      if (!iterations.carries(name)) continue;
      const tensor = program.tensors[name];
      requireWritten(tensor, tensor.shape.map((extent) => [0, extent - 1]), kernel.name);
      requireInPlace(tensor, kernel, ranges);
      iterations.store(name);
    }
    const body = scheduled && kernel.scheduled ? kernel.scheduled.body : storeNest(kernel);
    const slots = new Map([...outer.keys()].map((axis, i) => [axis, i]));
    const scope = new Axes(new Int32Array(slots.size + loopDepth(body)), dataStore, slots);
    [...outer.values()].forEach((v, i) => { scope.axes[i] = v; });
    const killed = new Set<string>();
    const inPlace = new Set<string>();
    compileStores(body, program, scope, (name) => iterations.carries(name), (tensor, at, isJunk) => {
      const map = maps.get(tensor.buffer)!;
      if (map.whole) {
        map.marks[0] = written;
        return;
      }
      const count = tensor.layout.elementBits / map.unit;
      const first = at / map.unit;
      for (let mark = first; mark < first + count; mark++) {
        if (isJunk) {
          if (map.marks[mark] === written) fail('program/invalid', kernel.name, `padding lanes of ${tensor.name} fall on elements that are written already`);
          map.marks[mark] = junk;
          continue;
        }
        if (map.marks[mark] === written) {
          if (map.writer[mark] === ordinal) fail('program/invalid', kernel.name, `it writes an element of ${tensor.name} twice`);
          if (!inPlace.has(tensor.name)) {
            for (const old of overwrites(tensor, kernel, loads, ranges)) killed.add(old);
            inPlace.add(tensor.name);
          }
        }
        map.marks[mark] = written;
        map.writer[mark] = ordinal;
      }
    })?.();
    for (const name of killed) dead.set(name, kernel.name);
  };

  /** The tensors whose values end when `tensor` is written over; raises where that is not in place. */
  const overwrites = (tensor: Tensor, kernel: Kernel, loads: readonly Load[], outer: Ranges): string[] => {
    const buffer = program.buffers[tensor.buffer];
    const own = loads.filter((l) => program.tensors[l.tensor].buffer === tensor.buffer);
    if (iterations.carries(tensor.name)) return [];
    if (own.length === 0 && buffer.role !== 'state') fail('program/invalid', kernel.name, `it writes over elements of ${tensor.name} that another kernel has written`);
    if (read.has(tensor.name)) fail('program/invalid', kernel.name, `it writes over ${tensor.name}, which is read before: the new value needs a tensor of its own`);
    requireInPlace(tensor, kernel, outer);
    return Object.values(program.tensors).filter((t) => t.buffer === tensor.buffer && t.name !== tensor.name).map((t) => t.name);
  };

  /** What a kernel reads of the buffer that it writes to, it reads at the index that it writes. */
  const requireInPlace = (tensor: Tensor, kernel: Kernel, outer: Ranges): void => {
    const ranges = new Map(outer);
    for (const a of kernel.space) ranges.set(a.name, [0, a.extent - 1]);
    const keys = new Set(kernel.stores.filter((s) => s.tensor === tensor.name).map((s) => indexKey(address(tensor.layout, s.at, ranges))));
    // the declarative form shows best that the indices are the same
    for (const l of loadsOf(kernel, false, outer)) {
      const t = program.tensors[l.tensor];
      if (t.buffer !== tensor.buffer) continue;
      if (!keys.has(indexKey(address(t.layout, l.at, l.ranges)))) fail('program/invalid', kernel.name, `it reads ${l.tensor} and writes ${tensor.name} in place, and not at the same index`);
    }
  };

  const requireWritten = (tensor: Tensor, box: readonly Interval[], kernel: string): void => {
    const map = maps.get(tensor.buffer)!;
    // padding may be read as it is
    const clipped = box.map(([lo, hi], d): Interval => [lo, Math.min(hi, tensor.shape[d] - 1 + (tensor.layout.halo?.[d][1] ?? 0))]);
    const whole = clipped.every(([lo, hi], d) => lo >= 0 && hi < tensor.shape[d]);
    if (whole && complete.has(tensor.name)) return;
    const missing = firstUnwritten(tensor, clipped, map);
    if (missing) fail('program/invalid', kernel, `it reads ${tensor.name}[${missing.join(', ')}], which nothing has written`);
    if (clipped.every(([lo, hi], d) => lo <= 0 && hi >= tensor.shape[d] - 1)) complete.add(tensor.name);
  };

  const runBlocks = (blocks: readonly Block[], outer: ReadonlyMap<string, number>): void => {
    for (const b of blocks) {
      if (b.kind === 'kernel') {
        runKernel(b, outer);
        continue;
      }
      const fresh = freshBuffers(b, program, (buffer) => maps.get(buffer)!.marks.includes(written));
      const count = typeof b.count === 'number' ? b.count : b.count.max;
      const moving = count > 2 ? movingOnly(b, fresh, program) : undefined;
      const whole = b.carried ? 2 : 1;
      for (let i = 0; i < count; i++) {
        if (i >= whole && moving) {
          if (moving.length === 0) break;
          runBlocks(moving, new Map(outer).set(b.axis, i));
          continue;
        }
        for (const name of fresh) maps.get(name)!.marks.fill(unwritten);
        complete.clear();
        iterations.begin(b);
        runBlocks(b.body, new Map(outer).set(b.axis, i));
      }
      iterations.end(b);
    }
  };

  runBlocks(program.blocks, new Map());
  for (const name of program.outputs) {
    const t = program.tensors[name];
    const missing = firstUnwritten(t, t.shape.map((extent): Interval => [0, extent - 1]), maps.get(t.buffer)!);
    if (missing) fail('program/invalid', name, `nothing writes the element [${missing.join(', ')}] of this output`);
  }
}

function makeMaps(program: Program): Map<string, BufferMap> {
  const maps = new Map<string, BufferMap>();
  for (const b of Object.values(program.buffers)) {
    const unit = Object.values(program.tensors).reduce((least, t) => (t.buffer === b.name ? Math.min(least, t.layout.elementBits) : least), 32);
    const units = Math.ceil((b.bytes * 8) / unit);
    // constants are there from the start, and their fields need not be units
    const whole = units > mostUnits || b.role === 'constant';
    const marks = new Uint8Array(whole ? 1 : units);
    if (b.role === 'input' || b.role === 'constant' || b.role === 'state') marks.fill(written);
    maps.set(b.name, { unit, marks, whole, writer: new Int32Array(marks.length) });
  }
  return maps;
}

/** The first element of a box that is not wholly written. */
function firstUnwritten(tensor: Tensor, box: readonly Interval[], map: BufferMap): number[] | undefined {
  if (box.some(([lo, hi]) => lo > hi)) return undefined;
  const at = box.map(([lo]) => lo);
  const axes = Int32Array.from(at);
  const scope = new Axes(axes, dataStore, new Map(at.map((_, d) => [String(d), d])));
  const coordinates = at.map((_, d): Index => ({ offset: 0, terms: [{ coeff: 1, of: String(d) }] }));
  const bits = compileIndex(bitAddress(tensor, coordinates), scope);
  const count = map.whole ? 1 : tensor.layout.elementBits / map.unit;
  for (;;) {
    const first = map.whole ? 0 : bits() / map.unit;
    for (let u = first; u < first + count; u++) if (map.marks[u] !== written) return [...axes];
    let d = box.length - 1;
    while (d >= 0 && ++axes[d] > box[d][1]) axes[d] = box[d--][0];
    if (d < 0) return undefined;
  }
}
