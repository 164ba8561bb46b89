/**
 * The values that the pipelines of a scheduled kernel compute: equal ones are one, as synthesis has it, and each says how wide it is
 * and how many circuits unrolled loops make of it. What these cost is not known here (resources.ts, cores.ts).
 */
import type { ElementType, Expr, Index, Kernel, Local, LoopStmt, Program, Stmt } from '../../ir/program.js';
import { axesIn, dependsOn, operandsOf } from '../../ir/walk.js';
import { bitsOfType } from './memory.js';

/** A value: what it is (equal keys are one circuit), how wide, on which loops it depends, whether synthesis knows it. */
export interface Value {
  readonly key: string;
  readonly bits: number;
  readonly isFloat: boolean;
  readonly axes: ReadonlySet<string>;
  readonly isFixed: boolean;
}

/** What a reader of values is told, in the order of the statements. */
export interface ValueVisitor {
  /** A new value that synthesis does not know, in so many copies. */
  operation(e: Expr, value: Value, operands: readonly Value[], copies: number): void;
  /** A sum of integers over unrolled loops: a tree of `terms`, and one sum with what came before; for so many outputs. */
  sum?(terms: number, bits: number, total: number, outputs: number): void;
  /** What one of two statements puts into an element of a local is chosen from both. */
  choice?(bits: number, copies: number): void;
  /** A local takes a value. */
  set?(local: string, value: Value): void;
  /** A rolled loop begins and ends. */
  enter?(loop: LoopStmt): void;
  leave?(): void;
}

/** Bits of an element of a local; of a sum of integers `accumulatorBits`, where they are given. */
export function localBits(l: Local, kernel: Kernel, accumulatorBits?: number): number {
  const isSum = l.type !== 'float32' && kernel.accumulators.some((a) => l.name === a.name || l.name.endsWith(`.${a.name}`));
  return isSum ? (accumulatorBits ?? bitsOfType(l.type)) : bitsOfType(l.type);
}

export class ValueReader {
  private readonly program: Program;
  private readonly visitor: ValueVisitor;
  private readonly accumulatorBits: number | undefined;
  private readonly locals: ReadonlyMap<string, { readonly bits: number; readonly isFloat: boolean }>;
  /** Of the pipeline that is being read. */
  private values = new Map<string, Value>();
  private lets = new Map<string, Value>();
  /** Times each local was set, so that what is read before and after are two values. */
  private readonly sets = new Map<string, number>();
  private count = 0;

  /** `accumulatorBits`: the width of all sums of integers, where they are not as wide as proved. */
  constructor(program: Program, kernel: Kernel, visitor: ValueVisitor, accumulatorBits?: number) {
    this.program = program;
    this.accumulatorBits = accumulatorBits;
    this.visitor = visitor;
    this.locals = new Map(kernel.scheduled!.locals.map((l) => [l.name, { isFloat: l.type === 'float32', bits: localBits(l, kernel, accumulatorBits) }]));
  }

  read(body: readonly Stmt[], unrolled: readonly LoopStmt[] = []): void {
    for (const s of body) {
      switch (s.kind) {
        case 'loop':
          if (s.mode === 'unrolled') this.read(s.body, [...unrolled, s]);
          else this.pipeline(s);
          break;
        case 'if':
          this.read(s.body, unrolled);
          break;
        case 'let': {
          const v = this.value(s.value, unrolled);
          this.lets.set(s.name, { ...v, bits: Math.min(v.bits, this.accumulatorBits ?? bitsOfType(s.type)) });
          break;
        }
        case 'set':
          this.set(s, unrolled);
          break;
        case 'store':
          this.value(s.value, unrolled);
          break;
      }
    }
  }

  private pipeline(loop: LoopStmt): void {
    const before = { values: this.values, lets: this.lets };
    this.values = new Map();
    this.lets = new Map(this.lets);
    this.visitor.enter?.(loop);
    this.read(loop.body);
    this.visitor.leave?.();
    Object.assign(this, before);
  }

  private set(s: Stmt & { readonly kind: 'set' }, unrolled: readonly LoopStmt[]): void {
    const e = s.value;
    const isOwn = (x: Expr): boolean => x.op === 'local' && x.name === s.name && JSON.stringify(x.at) === JSON.stringify(s.at);
    if (e.op === 'add' && e.type !== 'float32' && (isOwn(e.a) || isOwn(e.b))) {
      const term = this.value(isOwn(e.a) ? e.b : e.a, unrolled);
      const at = new Set(s.at.flatMap((i) => [...axesIn(i)]));
      const outputs = unrolled.filter((l) => at.has(l.axis)).reduce((n, l) => n * l.extent, 1);
      const terms = unrolled.filter((l) => !at.has(l.axis)).reduce((n, l) => n * l.extent, 1);
      this.visitor.sum?.(terms, term.bits, this.locals.get(s.name)!.bits, outputs);
    } else {
      const value = this.value(e, unrolled);
      if ((e.op === 'load' || e.op === 'local') && this.sets.has(s.name)) this.visitor.choice?.(value.bits, unrolled.filter((l) => s.at.some((i) => dependsOn(i, l.axis))).reduce((n, l) => n * l.extent, 1));
      this.visitor.set?.(s.name, value);
    }
    this.sets.set(s.name, (this.sets.get(s.name) ?? 0) + 1);
  }

  private value(e: Expr, unrolled: readonly LoopStmt[]): Value {
    const bound = e.op === 'ref' ? this.lets.get(e.name) : undefined;
    if (bound) return bound;
    const operands = childrenOf(e).map((x) => this.value(x, unrolled));
    const key = this.keyOf(e, operands);
    const known = this.values.get(key);
    if (known) return known;
    const axes = new Set([...operands.flatMap((o) => [...o.axes]), ...indicesOf(e).flatMap((i) => [...axesIn(i)])]);
    const isKnown = operands.every((o) => o.isFixed) && [...axes].every((a) => unrolled.some((l) => l.axis === a));
    const isFixed = isKnown && (e.op === 'load' ? this.isConstant(e.tensor) : e.op !== 'local' && e.op !== 'ref');
    const v: Value = { key: String(this.count++), ...this.widthOf(e, operands), axes, isFixed };
    this.values.set(key, v);
    if (!isFixed) {
      const copies = unrolled.filter((l) => v.axes.has(l.axis)).reduce((n, l) => n * l.extent, 1);
      this.visitor.operation(e, v, operands, copies);
    }
    return v;
  }

  private keyOf(e: Expr, operands: readonly Value[]): string {
    const of = operands.map((o) => o.key).join(' ');
    switch (e.op) {
      case 'load': return `load ${e.tensor} ${JSON.stringify([e.at, e.guard])} ${of}`;
      case 'local': return `local ${e.name} ${this.sets.get(e.name) ?? 0} ${JSON.stringify(e.at)}`;
      case 'ref': return `ref ${e.name}`;
      case 'int': return `int ${e.value}`;
      case 'float': return `float ${e.bits}`;
      case 'index': return `index ${JSON.stringify(e.index)}`;
      default: return `${e.op} ${'type' in e ? e.type : ''} ${of}`;
    }
  }

  private isConstant(tensor: string): boolean {
    return this.program.buffers[this.program.tensors[tensor].buffer].role === 'constant';
  }

  /** No wider than its type, nor than its operands can make it. */
  private widthOf(e: Expr, operands: readonly Value[]): { readonly bits: number; readonly isFloat: boolean } {
    const typed = (type: ElementType, most = Infinity): { bits: number; isFloat: boolean } => ({ bits: Math.min(bitsOfType(type), most), isFloat: type === 'float32' });
    const widest = Math.max(0, ...operands.map((o) => o.bits));
    switch (e.op) {
      case 'float': return typed('float32');
      case 'load': return typed(this.program.tensors[e.tensor].dtype);
      case 'local': return this.locals.get(e.name) ?? typed('int32');
      case 'ref': return typed('int32');
      case 'int': return typed(e.type, Math.max(1, Math.ceil(Math.log2(Math.abs(e.value) + 1)) + (e.value < 0 ? 1 : 0)));
      case 'lt': case 'le': case 'eq': case 'ne': case 'ge': case 'gt': return { bits: 1, isFloat: false };
      case 'add': case 'sub': return typed(e.type, widest + 1);
      case 'mul': return typed(e.type, operands.reduce((n, o) => n + o.bits, 0));
      default: return typed(e.type);
    }
  }
}

/** Operands, and what is loaded where a guard does not hold. */
function childrenOf(e: Expr): readonly Expr[] {
  return e.op === 'load' && e.otherwise ? [e.otherwise] : operandsOf(e);
}

function indicesOf(e: Expr): readonly Index[] {
  if (e.op === 'load' || e.op === 'local') return e.at;
  return e.op === 'index' ? [e.index] : [];
}

