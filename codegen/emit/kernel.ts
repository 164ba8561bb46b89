/**
 * One scheduled kernel as one AssemblyScript function: statements, loops, register buffers.
 *
 * Unrolled loops are expanded here (constants of all indices are known), vector loops become v128 operations. Expressions,
 * loads and stores are in expression.ts; text only, no decisions: those are the schedule's.
 */
import { fail } from '../ir/diagnostic.js';
import { interval, simplify, visitStmts } from '../ir/indexing.js';
import type { Condition, Index, Kernel, Program, Stmt } from '../ir/program.js';
import type { Target } from '../targets/target.js';
import { emitExpr, emitStore, scalarType, toVector, type Value } from './expression.js';
import { counterName, functionScope, indexText, loopLines, Names, type LoopScope, type Scope } from './scope.js';

/** What emitting one function carries along. */
export interface Context {
  readonly program: Program;
  readonly target: Target;
  readonly kernel: Kernel;
  readonly names: Names;
  /** Bounds of all axes in scope; a single value for those of unrolled loops. */
  readonly ranges: Map<string, readonly [number, number]>;
  /** The axis whose iterations are lanes, inside a vector loop. */
  lane?: string;
  readonly lets: Map<string, Value>;
  readonly locals: Map<string, { readonly type: string; readonly vector: boolean }>;
}

/** A TypeScript identifier from any name. */
export function identifier(name: string): string {
  const text = name.replace(/[^A-Za-z0-9_]/g, '_');
  return /^[A-Za-z_]/.test(text) ? text : `_${text}`;
}

/** The function of a scheduled kernel; `parameters` are axes of the repeats around it. */
export function emitKernel(program: Program, kernel: Kernel, target: Target, name: string, parameters: ReadonlyMap<string, number>): string {
  if (!kernel.scheduled) fail('program/invalid', kernel.name, 'a kernel without a schedule reached the emitter');
  const context: Context = {
    program, target, kernel,
    names: new Names(),
    ranges: new Map([...parameters].map(([axis, count]) => [axis, [0, count - 1] as const])),
    lets: new Map(),
    locals: new Map(),
  };
  const scope = functionScope();
  const vectorLocals = findVectorLocals(kernel.scheduled.body, target.lanes);
  const declarations: string[] = [];
  for (const local of kernel.scheduled.locals) {
    const vector = vectorLocals.has(local.name);
    const extents = vector ? local.shape.slice(0, -1) : local.shape;
    for (const at of coordinates(extents)) {
      const register = registerName(local.name, at);
      context.locals.set(register, { type: local.type, vector });
      const type = vector ? 'v128' : scalarType(local.type);
      const zero = vector ? (local.type === 'float32' ? 'f32x4.splat(0)' : 'i32x4.splat(0)') : '0';
      declarations.push(`let ${register}: ${type} = ${zero};`);
    }
  }
  emitStmts(kernel.scheduled.body, scope, context);
  const pointers = [...scope.loop.pointers.values()].map((p) => `const ${p.name}: usize = ${p.from};`);
  const doc = [
    `/** ${kernel.op}: ${kernel.space.map((a) => `${a.name}<${a.extent}`).join(' ')}${kernel.reduce.length > 0 ? `, over ${kernel.reduce.map((a) => `${a.name}<${a.extent}`).join(' ')}` : ''}`,
    ...kernel.scheduled.steps.map((s) => ` * ${s}`),
  ];
  const lines = [...pointers, ...declarations, ...scope.lines];
  const list = [...parameters.keys()].map((p) => `${counterName(p)}: i32`).join(', ');
  return `${doc.join('\n')} */\nfunction ${name}(${list}): void {\n${lines.map((l) => `  ${l}`).join('\n')}\n}\n`;
}

function* coordinates(shape: readonly number[]): Generator<number[]> {
  if (shape.length === 0) {
    yield [];
    return;
  }
  for (const rest of coordinates(shape.slice(0, -1))) for (let i = 0; i < shape[shape.length - 1]; i++) yield [...rest, i];
}

function registerName(local: string, at: readonly number[]): string {
  return [identifier(local), ...at].join('_');
}

/** Locals whose last dimension is the lanes of a vector loop. */
function findVectorLocals(body: readonly Stmt[], lanes: number): Set<string> {
  const found = new Set<string>();
  visitStmts(body, (loop) => {
    if (loop.kind !== 'loop' || loop.mode !== 'vector' || loop.extent !== lanes) return;
    visitStmts(loop.body, (s) => {
      if (s.kind === 'set' && s.at.length > 0 && s.at[s.at.length - 1].terms.some((t) => t.of === loop.axis)) found.add(s.name);
    });
  });
  return found;
}

function emitStmts(body: readonly Stmt[], scope: Scope, context: Context): void {
  for (const s of body) emitStmt(s, scope, context);
}

function emitStmt(s: Stmt, scope: Scope, context: Context): void {
  switch (s.kind) {
    case 'loop':
      emitLoop(s, scope, context);
      return;
    case 'let': {
      const value = emitExpr(s.value, scope, context);
      if (/^[\w.]+$/.test(value.text)) {
        context.lets.set(s.name, value);
        return;
      }
      const name = context.names.fresh(`${identifier(s.name)}_`);
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
      const inner: Scope = { loop: scope.loop, lines: [], values: new Map(scope.values) };
      emitStmts(s.body, inner, context);
      scope.lines.push(`if (${condition}) {`, ...inner.lines.map((l) => `  ${l}`), '}');
      scope.values.clear();
    }
  }
}

function emitLoop(s: Extract<Stmt, { kind: 'loop' }>, scope: Scope, context: Context): void {
  const { ranges } = context;
  if (s.mode === 'vector' && s.extent === context.target.lanes && context.target.lanes > 1) {
    ranges.set(s.axis, [s.start, s.start + s.extent - 1]);
    context.lane = s.axis;
    emitStmts(s.body, scope, context);
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
  const inner: Scope = { loop, lines: [], values: new Map() };
  emitStmts(s.body, inner, context);
  ranges.delete(s.axis);
  scope.lines.push(...loopLines(loop, inner.lines, context.names));
  scope.values.clear();
}

function emitSet(s: Extract<Stmt, { kind: 'set' }>, scope: Scope, context: Context): void {
  const { name, laneAt } = localRegister(s.name, s.at, context);
  const { type, vector } = context.locals.get(name)!;
  const value = emitExpr(s.value, scope, context);
  if (!vector) scope.lines.push(`${name} = ${value.text};`);
  else if (laneAt === undefined) scope.lines.push(`${name} = ${toVector(value, scope, context)};`);
  else scope.lines.push(`${name} = ${type === 'float32' ? 'f32x4' : 'i32x4'}.replace_lane(${name}, ${laneAt}, ${value.text});`);
}

/** The register of a local's element; `laneAt` where one lane of a vector register is meant. */
export function localRegister(local: string, at: readonly Index[], context: Context): { name: string; laneAt?: number } {
  const fixed = at.map((i) => simplify(i, context.ranges));
  const last = fixed[fixed.length - 1];
  if (last && context.lane !== undefined && last.terms.length === 1 && last.terms[0].of === context.lane) {
    return { name: registerName(local, fixed.slice(0, -1).map((i) => constantOf(i, context))) };
  }
  const all = fixed.map((i) => constantOf(i, context));
  const whole = registerName(local, all);
  return context.locals.has(whole) ? { name: whole } : { name: registerName(local, all.slice(0, -1)), laneAt: all[all.length - 1] };
}

function constantOf(i: Index, context: Context): number {
  if (i.terms.length > 0) fail('program/invalid', context.kernel.name, 'registers are addressed by a loop that is not unrolled');
  return i.offset;
}

/** `true`, `false`, or the text of the conditions that the ranges leave open. */
export function conditionText(guard: readonly Condition[], scope: Scope, context: Context): string {
  const parts: string[] = [];
  for (const c of guard) {
    const index = simplify(c.index, context.ranges);
    const [lo, hi] = interval(index, context.ranges);
    if (lo >= c.hi || hi < c.lo) return 'false';
    const text = (): string => indexText(scope.loop, index, context.ranges);
    if (lo < c.lo && hi >= c.hi) parts.push(`<u32>(${text()} - ${c.lo}) < ${c.hi - c.lo}`);
    else if (lo < c.lo) parts.push(`${text()} >= ${c.lo}`);
    else if (hi >= c.hi) parts.push(`${text()} < ${c.hi}`);
  }
  return parts.length === 0 ? 'true' : parts.join(' && ');
}
