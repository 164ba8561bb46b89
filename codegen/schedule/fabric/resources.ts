/**
 * What a scheduled circuit takes of a part, before synthesis: LUTs, flip-flops, DSP slices and block RAMs of every process, by what
 * they are for. Read off the statements alone: an operation inside unrolled loops is as many circuits as its operands differ in, one
 * that a pipeline starts every few cycles is shared, equal operations are one. Costs of operations are in operators.ts, of arrays
 * and queues in memory.ts. Clock, placement and what synthesis optimizes across operations are not known here.
 */
import type { ElementType, Expr, Index, Kernel, LoopStmt, Local, Program, Stmt } from '../../ir/program.js';
import { processesOf, touched, type ProcessBlocks } from '../../ir/verifyDataflow.js';
import { axesIn, dependsOn, kernelsOf } from '../../ir/walk.js';
import { processCycles } from './cycles.js';
import { bitsOfType, bram18Of, lutramOf, memoryKind, queueOf, shapeOfArray, type MemoryShape } from './memory.js';
import { added, arithmeticOverhead, control, countedBits, floatCores, memoryPort, memoryWords, nothing, perBit, product, sumTree, usage, type OperatorOptions, type Usage } from './operators.js';

/** Sums and products; comparisons with thresholds and choices; arrays and constants; queues; loops, states and ports. */
export const parts = ['arithmetic', 'comparisons', 'memories', 'streams', 'control'] as const;
export type Part = (typeof parts)[number];

export interface ProcessEstimate extends Usage {
  readonly name: string;
  /** Of one run that never waits. */
  readonly cycles: number;
  readonly parts: Readonly<Record<Part, Usage>>;
}

export interface Estimate {
  readonly processes: readonly ProcessEstimate[];
  readonly total: Usage;
}

/** Estimates a scheduled circuit. A queue counts with the process that reads it. */
export function estimateResources(program: Program, options: OperatorOptions = {}): Estimate {
  const cycles = processCycles(program);
  const processes = processesOf(program).map((p, i): ProcessEstimate => {
    const own = rounded(new Estimator(program, p, options).estimate());
    return { name: p.name, ...parts.reduce((sum, part) => added(sum, own[part]), nothing), cycles: cycles[i].cycles, parts: own };
  });
  return { processes, total: processes.reduce<Usage>((sum, p) => added(sum, p), nothing) };
}

type Parts = Record<Part, Usage>;

function rounded(all: Parts): Parts {
  const up = (u: Usage): Usage => usage(Math.ceil(u.lut), Math.ceil(u.ff), Math.ceil(u.dsp), Math.ceil(u.bram18), Math.ceil(u.lutram));
  return Object.fromEntries(parts.map((p) => [p, up(all[p])])) as Parts;
}

/** A value: what it is (equal keys are one circuit), how wide, on which loops it depends, whether synthesis knows it. */
interface Value {
  readonly key: string;
  readonly bits: number;
  readonly isFloat: boolean;
  readonly axes: ReadonlySet<string>;
  readonly isFixed: boolean;
}

class Estimator {
  private readonly program: Program;
  private readonly process: ProcessBlocks;
  private readonly options: OperatorOptions;
  private readonly streamed: ReadonlySet<string>;
  private readonly used = Object.fromEntries(parts.map((p) => [p, nothing])) as Parts;
  /** Of the pipeline that is being read. */
  private values = new Map<string, Value>();
  private lets = new Map<string, Value>();
  private interval = 1;
  /** Times each local was set, so that what is read before and after are two values. */
  private readonly sets = new Map<string, number>();
  private locals = new Map<string, { readonly bits: number; readonly isFloat: boolean }>();
  /** Locals that are registers, and the iterations of the loops around that are not unrolled. */
  private registers = new Set<string>();
  private readonly rolled = new Map<string, number>();

  constructor(program: Program, process: ProcessBlocks, options: OperatorOptions) {
    this.program = program;
    this.process = process;
    this.options = options;
    const { reads, writes } = touched(process.body);
    this.streamed = new Set((program.dataflow?.streams ?? []).filter((s) => (s.to === process.name && reads.has(s.tensor)) || writes.has(s.tensor)).map((s) => s.tensor));
  }

  estimate(): Parts {
    for (const kernel of kernelsOf(this.process.body)) this.kernel(kernel);
    this.arrays();
    for (const s of this.program.dataflow?.streams ?? []) {
      if (s.to !== this.process.name) continue;
      const { lut, ff, bram18, lutram } = queueOf(bitsOfType(this.program.tensors[s.tensor].dtype) * s.lanes, s.depth);
      this.use('streams', usage(lut, ff, 0, bram18, lutram));
    }
    return this.used;
  }

  private use(part: Part, u: Usage, times = 1): void {
    this.used[part] = added(this.used[part], u, times);
  }

  // ---- Arrays ------------------------------------------------------------------------------------------------------

  private memory(shape: MemoryShape, times = 1, kind = memoryKind(shape)): void {
    switch (kind) {
      case 'registers': return this.use('memories', usage(0, shape.isWritten ? shape.width * shape.depth : 0), times);
      // What is only read is logic.
      case 'lutram': return this.use('memories', usage(lutramOf(shape), shape.width, 0, 0, shape.isWritten ? lutramOf(shape) : 0), times);
      case 'bram': return this.use('memories', usage(0, 0, 0, bram18Of(shape.width, shape.depth)), times);
    }
  }

  /** The arrays that the process has for tensors; ports to those of the interface. */
  private arrays(): void {
    const { reads, writes } = touched(this.process.body);
    const banks = new Map<string, number>();
    for (const k of kernelsOf(this.process.body)) for (const [array, n] of Object.entries(k.scheduled?.banks ?? {})) banks.set(array, Math.max(banks.get(array) ?? 1, n));
    const kinds = new Map(kernelsOf(this.process.body).flatMap((k) => Object.entries(k.scheduled?.memories ?? {})));
    const seen = new Set<string>();
    for (const tensor of new Set([...reads, ...writes])) {
      const { buffer, dtype, shape } = this.program.tensors[tensor];
      if (this.streamed.has(tensor) || seen.has(buffer)) continue;
      seen.add(buffer);
      const { role } = this.program.buffers[buffer];
      if (role === 'input' || role === 'output') this.port(tensor);
      else {
        // Words of a constant; what is written has memories of its own for the banks.
        const size = shape.reduce((a, b) => a * b, 1);
        const n = Math.min(size, banks.get(tensor) ?? 1);
        if (role === 'constant') this.memory(shapeOfArray(dtype, size, n, false), 1, kinds.get(tensor));
        else this.memory(shapeOfArray(dtype, Math.ceil(size / n), 1, true), n, kinds.get(tensor));
      }
    }
  }

  /** A port to memory; where it has words of a bus, the process that moves them, its queue, and what takes them apart or together. */
  private port(tensor: string): void {
    const { elementBits } = this.program.tensors[tensor].layout;
    const words = this.program.dataflow?.memory?.find((m) => m.tensor === tensor);
    this.use('control', memoryPort(words?.bits ?? elementBits));
    if (!words) return;
    const { lut, ff, bram18, lutram } = queueOf(words.bits, 2);
    this.use('streams', usage(lut, ff, 0, bram18, lutram));
    this.use('control', control.plain);
    this.use('memories', memoryWords(words.bits, elementBits, words.lanes));
  }

  private kernel(kernel: Kernel): void {
    const { locals, banks = {}, body } = kernel.scheduled!;
    const isSum = (l: Local): boolean => l.type !== 'float32' && kernel.accumulators.some((a) => l.name === a.name || l.name.endsWith(`.${a.name}`));
    this.locals = new Map(locals.map((l) => [l.name, { isFloat: l.type === 'float32', bits: isSum(l) ? (this.options.accumulatorBits ?? bitsOfType(l.type)) : bitsOfType(l.type) }]));
    this.registers = new Set(locals.filter((l) => (banks[l.name] ?? 1) >= l.shape.reduce((a, b) => a * b, 1)).map((l) => l.name));
    this.use('control', kernel.reduce.length > 0 ? control.reduction : control.plain);
    for (const l of locals) {
      const size = l.shape.reduce((a, b) => a * b, 1);
      const n = Math.min(size, banks[l.name] ?? 1);
      this.memory({ width: this.locals.get(l.name)!.bits, depth: Math.ceil(size / n), isWritten: true }, n);
    }
    this.pipeline(1, () => this.statements(body, []));
  }

  // ---- Statements --------------------------------------------------------------------------------------------------

  private pipeline(interval: number, run: () => void): void {
    const before = { values: this.values, lets: this.lets, interval: this.interval };
    this.values = new Map();
    this.lets = new Map(this.lets);
    this.interval = interval;
    run();
    Object.assign(this, before);
  }

  private statements(body: readonly Stmt[], unrolled: readonly LoopStmt[]): void {
    for (const s of body) {
      switch (s.kind) {
        case 'loop':
          if (s.mode !== 'unrolled') this.rolled.set(s.axis, s.extent);
          if (s.mode === 'unrolled') this.statements(s.body, [...unrolled, s]);
          else this.pipeline(s.initiationInterval ?? 1, () => this.statements(s.body, []));
          break;
        case 'if':
          this.statements(s.body, unrolled);
          break;
        case 'let': {
          const v = this.value(s.value, unrolled);
          this.lets.set(s.name, { ...v, bits: Math.min(v.bits, this.options.accumulatorBits ?? bitsOfType(s.type)) });
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

  /** A sum of integers over unrolled loops is a tree and one sum with what came before. */
  private set(s: Stmt & { readonly kind: 'set' }, unrolled: readonly LoopStmt[]): void {
    const e = s.value;
    const isOwn = (x: Expr): boolean => x.op === 'local' && x.name === s.name && JSON.stringify(x.at) === JSON.stringify(s.at);
    if (e.op === 'add' && e.type !== 'float32' && (isOwn(e.a) || isOwn(e.b))) {
      const term = this.value(isOwn(e.a) ? e.b : e.a, unrolled);
      const at = new Set(s.at.flatMap((i) => [...axesIn(i)]));
      const outputs = unrolled.filter((l) => at.has(l.axis)).reduce((n, l) => n * l.extent, 1);
      const terms = unrolled.filter((l) => !at.has(l.axis)).reduce((n, l) => n * l.extent, 1);
      this.shared('arithmetic', sumTree(terms, term.bits, this.locals.get(s.name)!.bits), outputs);
    } else {
      const { bits } = this.value(e, unrolled);
      // What one of two statements puts there is chosen from both.
      if ((e.op === 'load' || e.op === 'local') && this.sets.has(s.name)) this.shared('comparisons', perBit(bits), unrolled.filter((l) => s.at.some((i) => dependsOn(i, l.axis))).reduce((n, l) => n * l.extent, 1));
    }
    this.sets.set(s.name, (this.sets.get(s.name) ?? 0) + 1);
  }

  /** So many circuits, each of which starts once in an interval of the pipeline. */
  private shared(part: Part, u: Usage, copies: number): void {
    const times = Math.ceil(copies / this.interval);
    this.use(part, usage(u.lut * arithmeticOverhead, u.ff, u.dsp, u.bram18, u.lutram), times);
  }

  // ---- Values ------------------------------------------------------------------------------------------------------

  private value(e: Expr, unrolled: readonly LoopStmt[]): Value {
    const operands = childrenOf(e).map((x) => this.value(x, unrolled));
    const key = this.keyOf(e, operands);
    const known = this.values.get(key);
    if (known) return known;
    const axes = new Set([...operands.flatMap((o) => [...o.axes]), ...indicesOf(e).flatMap((i) => [...axesIn(i)])]);
    const isKnown = operands.every((o) => o.isFixed) && [...axes].every((a) => unrolled.some((l) => l.axis === a));
    const isFixed = isKnown && (e.op === 'load' ? this.isConstant(e.tensor) : e.op !== 'local' && (e.op !== 'ref' || (this.lets.get(e.name)?.isFixed ?? false)));
    const v: Value = { key: String(this.values.size), ...this.widthOf(e, operands), axes: e.op === 'ref' ? (this.lets.get(e.name)?.axes ?? axes) : axes, isFixed };
    this.values.set(key, v);
    if (!isFixed) {
      const copies = unrolled.filter((l) => v.axes.has(l.axis)).reduce((n, l) => n * l.extent, 1);
      this.operation(e, v, operands, copies);
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
      case 'ref': return this.lets.get(e.name) ?? typed('int32');
      case 'int': return typed(e.type, Math.max(1, Math.ceil(Math.log2(Math.abs(e.value) + 1)) + (e.value < 0 ? 1 : 0)));
      case 'lt': case 'le': case 'eq': case 'ne': case 'ge': case 'gt': return { bits: 1, isFloat: false };
      case 'add': case 'sub': return typed(e.type, widest + 1);
      case 'mul': return typed(e.type, operands.reduce((n, o) => n + o.bits, 0));
      default: return typed(e.type);
    }
  }

  private operation(e: Expr, { bits, isFloat }: Value, operands: readonly Value[], copies: number): void {
    const use = (part: Part, u: Usage): void => this.shared(part, u, copies);
    const [a, b] = operands;
    const isFixed = operands.some((o) => o.isFixed);
    switch (e.op) {
      case 'add': case 'sub': return use('arithmetic', isFloat ? floatCores.add : perBit(bits));
      case 'mul': return !isFloat && [e.a, e.b].some(isPowerOfTwo) ? undefined : use('arithmetic', isFloat ? floatCores.mul : product(a.bits, b.bits, this.options, isFixed));
      case 'mulLow': case 'mulHigh': return use('arithmetic', product(32, 32, { dspFrom: 0 }));
      case 'div': return use('arithmetic', floatCores.div);
      case 'sqrt': return use('arithmetic', floatCores.sqrt);
      case 'floor': case 'nearest': return use('arithmetic', floatCores.compare);
      case 'convert': return a.isFloat !== isFloat ? use('arithmetic', floatCores.convert) : e.saturate ? use('comparisons', perBit(a.bits)) : undefined;
      case 'neg': case 'abs': return isFloat ? undefined : use('arithmetic', perBit(bits));
      case 'popcount': return use('arithmetic', countedBits(a.bits));
      case 'dot': return use('arithmetic', added(product(a.bits, b.bits, this.options), sumTree(1, a.bits + b.bits, 0), e.extent));
      case 'local': return this.registers.has(e.name) ? use('comparisons', perBit(bits * muxOf(e.at, this.rolled))) : undefined;
      case 'min': case 'max': return use('comparisons', isFloat ? added(floatCores.compare, perBit(32)) : perBit(bits === 1 ? 1 : 2 * bits));
      case 'select': return use('comparisons', perBit(bits));
      case 'lt': case 'le': case 'eq': case 'ne': case 'ge': case 'gt': return use('comparisons', a.isFloat ? floatCores.compare : usage(Math.max(a.bits, b.bits), 1));
      // A shift by a constant is wires; logic with one too.
      case 'and': case 'or': case 'xor': return isFixed ? undefined : use('arithmetic', perBit(bits));
      case 'shl': case 'shr': return b.isFixed ? undefined : use('arithmetic', usage(bits * Math.ceil(Math.log2(bits)), bits));
      default: return undefined;
    }
  }
}

/** A product with it is wires. */
const isPowerOfTwo = (e: Expr): boolean => e.op === 'int' && e.value > 0 && Number.isInteger(Math.log2(e.value));

/** LUTs a bit to choose among registers by loops: one takes four, and each other three more. */
function muxOf(at: readonly Index[], rolled: ReadonlyMap<string, number>): number {
  const choices = [...new Set(at.flatMap((i) => [...axesIn(i)]))].reduce((n, a) => n * (rolled.get(a) ?? 1), 1);
  return Math.ceil((choices - 1) / 3);
}

/** Operands, and what is loaded where a guard does not hold. */
function childrenOf(e: Expr): readonly Expr[] {
  if (e.op === 'load') return e.otherwise ? [e.otherwise] : [];
  if ('cond' in e) return [e.cond, e.a, e.b];
  if ('b' in e) return [e.a, e.b];
  return 'a' in e ? [e.a] : [];
}

function indicesOf(e: Expr): readonly Index[] {
  if (e.op === 'load' || e.op === 'local') return e.at;
  return e.op === 'index' ? [e.index] : [];
}

