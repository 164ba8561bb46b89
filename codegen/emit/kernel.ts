/**
 * One scheduled kernel as one AssemblyScript function: statements, loops, register buffers.
 *
 * Unrolled loops are expanded here (constants of all indices are known), vector loops become v128 operations. Expressions,
 * loads and stores are in expression.ts, memory.ts and store.ts; text only, no decisions: those are the schedule's.
 */
import { describe } from '../ir/datatype.js';
import { fail } from '../ir/diagnostic.js';
import type { Kernel, Program, Stmt } from '../ir/program.js';
import { walkKernel, walkStmts } from '../ir/walk.js';
import type { Target } from '../targets/target.js';
import { type Base, conditionText, identifier, localRegister, registerName, scalarType, toVector, type Context, type Value } from './context.js';
import { shareConstants } from './constants.js';
import { nameDataIndices } from './dataIndex.js';
import { emitExpr } from './expression.js';
import { emitLookups, lookupLocals, lookupOfLoop } from './lookup.js';
import { countsOf, emitCounts } from './popcount.js';
import { flushStores } from './pending.js';
import { beginBoth, declareBoth, emitShared, endBoth, sharedOfLoop, sharedReductions } from './shared.js';
import { emitSharedBytes, sharedBytesOfLoop } from './sharedBytes.js';
import { emitStore } from './store.js';
import { counterName, functionScope, loopLines, Names, type LoopScope, type Scope } from './scope.js';

/** A function without its name: parameters and body. */
export interface KernelText {
  readonly text: string;
  /** Places of buffers that the parameters after the axes of repeats take. */
  readonly places: readonly number[];
}

/** The function of a scheduled kernel; `parameters` are axes of the repeats around it. Addresses are constants. */
export function emitKernel(program: Program, kernel: Kernel, target: Target, parameters: ReadonlyMap<string, number>): KernelText {
  return { text: emitBody(program, kernel, target, parameters), places: [] };
}

/** The same with the places of buffers as parameters: one text for kernels that differ in these alone. */
export function emitPlaced(program: Program, kernel: Kernel, target: Target, parameters: ReadonlyMap<string, number>): KernelText {
  const bases = new Map<string, Base>();
  emitBody(program, kernel, target, parameters, bases);
  // From the first byte that is touched, so that a tensor's parts have one text too.
  const from = new Map([...bases].map(([buffer, b]) => [buffer, { name: b.name, origin: b.least, least: b.least }]));
  return { text: emitBody(program, kernel, target, parameters, from), places: [...from].map(([buffer, b]) => program.buffers[buffer].offset! + b.origin) };
}

/** What a kernel is and what was done to it, as a comment. */
export function kernelComment(kernel: Kernel, others: readonly string[]): string {
  const doc = [
    `/** ${kernel.op}: ${kernel.space.map((a) => `${a.name}<${a.extent}`).join(' ')}${kernel.reduce.length > 0 ? `, over ${kernel.reduce.map((a) => `${a.name}<${a.extent}`).join(' ')}` : ''}`,
    ...(others.length > 0 ? [` * also ${others.join(', ')}`] : []),
    ...kernel.scheduled!.steps.map((s) => ` * ${s}`),
  ];
  return `${doc.join('\n')} */`;
}

function emitBody(program: Program, kernel: Kernel, target: Target, parameters: ReadonlyMap<string, number>, bases?: Map<string, Base>): string {
  if (!kernel.scheduled) fail('program/invalid', kernel.name, 'a kernel without a schedule reached the emitter');
  const { body, named } = nameDataIndices(kernel);
  const context: Context = {
    program, target, kernel, bases,
    names: new Names(),
    ranges: new Map([...parameters].map(([axis, count]) => [axis, [0, count - 1] as const])),
    lets: new Map(),
    expression: emitExpr,
    locals: new Map(),
    held: hasLongChains(kernel) ? [] : undefined,
    sums: [],
    counts: [],
    shared: new Map(),
  };
  const scope = functionScope();
  const data = [...named].map(([name, { value, lo, hi }]) => {
    const text = emitExpr(value, scope, context).text;
    context.ranges.set(name, [lo, hi]);
    return `const ${counterName(name)}: i32 = min<i32>(max<i32>(${text}, ${lo}), ${hi});`;
  });
  const first = scope.lines.splice(0);
  scope.values.clear();
  const vectorLocals = findVectorLocals(body, target.lanes);
  const halves = lookupLocals(body, context);
  const declarations: string[] = [];
  for (const local of kernel.scheduled.locals) {
    const vector = vectorLocals.has(local.name);
    const half = vector && halves.has(local.name) && describe(local.type).bits <= 16;
    const lanes = half ? 8 : target.lanes;
    const vectors = vector ? local.shape[local.shape.length - 1] / lanes : 1;
    const extents = vector ? [...local.shape.slice(0, -1), ...(vectors > 1 ? [vectors] : [])] : local.shape;
    for (const at of coordinates(extents)) {
      const register = registerName(local.name, at);
      context.locals.set(register, { type: local.type, vector, half });
      const type = vector ? 'v128' : scalarType(local.type);
      const zero = vector ? (local.type === 'float32' ? 'f32x4.splat(0)' : 'i32x4.splat(0)') : '0';
      declarations.push(`let ${register}: ${type} = ${zero};`);
    }
  }
  for (const [loop, all] of sharedReductions(body, context)) {
    context.shared.set(loop, { before: beginBoth(all), after: endBoth(all) });
    declarations.push(...declareBoth(all));
  }
  emitStmts(body, scope, context);
  emitSums(scope, context);
  flushStores(context);
  const pointers = [...scope.loop.pointers.values()].map((p) => `const ${p.name}: usize = ${p.from};`);
  const lines = [...first, ...data, ...pointers, ...shareConstants([...declarations, ...scope.lines], context.names)];
  const list = [...[...parameters.keys()].map((p) => `${counterName(p)}: i32`), ...[...(bases?.values() ?? [])].map((b) => `${b.name}: usize`)].join(', ');
  return `(${list}): void {\n${lines.map((l) => `  ${l}`).join('\n')}\n}\n`;
}

/** Roots and quotients, which take long and of which several can be under way. */
function hasLongChains(kernel: Kernel): boolean {
  let found = false;
  walkKernel(kernel, { expr: (e) => { found ||= e.op === 'sqrt' || e.op === 'div'; } });
  return found;
}

function* coordinates(shape: readonly number[]): Generator<number[]> {
  if (shape.length === 0) {
    yield [];
    return;
  }
  for (const rest of coordinates(shape.slice(0, -1))) for (let i = 0; i < shape[shape.length - 1]; i++) yield [...rest, i];
}

/** Locals whose last dimension is the lanes of a vector loop. */
function findVectorLocals(body: readonly Stmt[], lanes: number): Set<string> {
  const found = new Set<string>();
  walkStmts(body, {
    stmt(loop) {
      if (loop.kind !== 'loop' || loop.mode !== 'vector' || loop.extent % lanes !== 0) return;
      walkStmts(loop.body, {
        stmt(s) {
          if (s.kind === 'set' && s.at.length > 0 && s.at[s.at.length - 1].terms.some((t) => t.of === loop.axis)) found.add(s.name);
        },
      });
    },
  });
  return found;
}

function emitStmts(body: readonly Stmt[], scope: Scope, context: Context): void {
  for (const s of body) {
    // Loops that are written out may hold more of them.
    const counts = countsOf(s, context);
    if (counts) {
      context.counts.push(...counts);
      continue;
    }
    if (s.kind !== 'loop' || s.mode === 'serial') emitSums(scope, context);
    const shared = context.shared.get(s);
    if (shared) {
      emitSums(scope, context);
      scope.lines.push(...shared.before);
    }
    emitStmt(s, scope, context);
    if (shared) {
      emitSums(scope, context);
      scope.lines.push(...shared.after);
    }
  }
}

/** Writes the sums that wait. Those of one dot's extent share a loop, words that are counted share a tree of additions. */
function emitSums(scope: Scope, context: Context): void {
  emitCounts(scope, context);
  const waiting = context.sums.splice(0);
  if (waiting.length === 0) return;
  if (waiting[0].dot.table !== undefined) emitLookups(waiting, scope, context);
  else if (waiting[0].bytes) emitSharedBytes(waiting, scope, context);
  else emitShared(waiting, scope, context);
}

function emitStmt(s: Stmt, scope: Scope, context: Context): void {
  switch (s.kind) {
    case 'loop':
      emitLoop(s, scope, context);
      return;
    case 'let': {
      const value = emitExpr(s.value, scope, context);
      if (/^[\w.]+$/.test(value.text) && value.high === undefined) {
        context.lets.set(s.name, value);
        return;
      }
      const name = context.names.fresh(`${identifier(s.name)}_`);
      if (value.high !== undefined) {
        scope.lines.push(`const ${name}: v128 = ${value.text};`, `const ${name}_high: v128 = ${value.high};`);
        context.lets.set(s.name, { ...value, text: name, high: `${name}_high` });
        return;
      }
      const type = value.shape === 'scalar' ? (value.mask ? 'bool' : scalarType(value.type)) : 'v128';
      scope.lines.push(`const ${name}: ${type} = ${value.text};`);
      context.lets.set(s.name, { ...value, text: name });
      return;
    }
    case 'set':
      emitSet(s, scope, context);
      return;
    case 'store':
      emitStore(s, scope, context);
      return;
    case 'if': {
      const condition = conditionText(s.guard, scope, context);
      if (condition === 'false') return;
      if (condition === 'true') return emitStmts(s.body, scope, context);
      flushStores(context);
      const inner: Scope = { loop: scope.loop, lines: [], values: new Map(scope.values) };
      emitStmts(s.body, inner, context);
      emitSums(inner, context);
      flushStores(context);
      scope.lines.push(`if (${condition}) {`, ...inner.lines.map((l) => `  ${l}`), '}');
      scope.values.clear();
    }
  }
}

function emitLoop(s: Extract<Stmt, { kind: 'loop' }>, scope: Scope, context: Context): void {
  const { ranges } = context;
  const { lanes } = context.target;
  if (s.mode === 'vector' && s.extent % lanes === 0 && lanes > 1) {
    const sum = lookupOfLoop(s, context) ?? sharedOfLoop(s, context) ?? sharedBytesOfLoop(s, context);
    if (sum) {
      context.sums.push({ ...sum, lane: s.axis, ranges: new Map(ranges) });
      return;
    }
    for (let first = s.start; first < s.start + s.extent; first += lanes) {
      ranges.set(s.axis, [first, first + lanes - 1]);
      context.lane = s.axis;
      emitStmts(s.body, scope, context);
    }
    context.lane = undefined;
    ranges.delete(s.axis);
    return;
  }
  if (s.extent === 1 || s.mode === 'unrolled' || s.mode === 'vector') {
    for (let i = s.start; i < s.start + s.extent; i++) {
      ranges.set(s.axis, [i, i]);
      emitStmts(s.body, scope, context);
    }
    ranges.delete(s.axis);
    return;
  }
  ranges.set(s.axis, [s.start, s.start + s.extent - 1]);
  const loop: LoopScope = { parent: scope.loop, axis: s.axis, counterName: context.names.fresh(`${counterName(s.axis)}_`), start: s.start, extent: s.extent, pointers: new Map() };
  const inner: Scope = { loop, parent: scope, lines: [], values: new Map() };
  flushStores(context);
  emitStmts(s.body, inner, context);
  emitSums(inner, context);
  flushStores(context);
  ranges.delete(s.axis);
  scope.lines.push(...loopLines(loop, inner.lines, context.names));
  scope.values.clear();
}

/** Vectors of sums that make fusing worth it: fewer wait for their own additions, and a fused one takes no less. */
const leastFused = 4;

/** sum + a * b as one instruction, where the target may; only here, so that requantizations keep their exact roundings. */
function fusedSum({ name, value }: Extract<Stmt, { kind: 'set' }>, scope: Scope, context: Context): Value | undefined {
  if (!context.target.fastMath || value.op !== 'add' || value.type !== 'float32') return undefined;
  const { shape } = context.kernel.scheduled!.locals.find((l) => l.name === name)!;
  if (shape.reduce((n, extent) => n * extent, 1) < leastFused * context.target.lanes) return undefined;
  if (value.a.op !== 'local' || value.a.name !== name || value.b.op !== 'mul') return undefined;
  const [sum, a, b] = [value.a, value.b.a, value.b.b].map((e) => toVector(emitExpr(e, scope, context), scope, context));
  return { text: `f32x4.relaxed_madd(${a}, ${b}, ${sum})`, type: 'float32', shape: 'vector' };
}

function emitSet(s: Extract<Stmt, { kind: 'set' }>, scope: Scope, context: Context): void {
  const { name, laneAt, high } = localRegister(s.name, s.at, context);
  const { type, vector, half } = context.locals.get(name)!;
  if (half) {
    // Only constants are set to halves otherwise (lookupLocals).
    if (s.value.op === 'int' && !high) scope.lines.push(`${name} = i16x8.splat(${s.value.value});`);
    return;
  }
  const value = (vector && laneAt === undefined && fusedSum(s, scope, context)) || emitExpr(s.value, scope, context);
  if (!vector) scope.lines.push(`${name} = ${value.text};`);
  else if (laneAt === undefined) scope.lines.push(`${name} = ${toVector(value, scope, context)};`);
  else scope.lines.push(`${name} = ${type === 'float32' ? 'f32x4' : 'i32x4'}.replace_lane(${name}, ${laneAt}, ${value.text});`);
}
