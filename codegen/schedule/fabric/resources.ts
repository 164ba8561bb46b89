/**
 * What a scheduled circuit takes of a part, before synthesis: LUTs, flip-flops, DSP slices and block RAMs of every process, by what
 * they are for. Read off the statements alone: an operation inside unrolled loops is as many circuits as its operands differ in, one
 * that a pipeline starts every few cycles is shared, equal operations are one. Costs of operations are in operators.ts, of arrays
 * and queues in memory.ts. Clock, placement and what synthesis optimizes across operations are not known here.
 */
import type { Core, Expr, Index, Kernel, Program, Scheduled } from '../../ir/program.js';
import { processesOf, touched, type ProcessBlocks } from '../../ir/verifyDataflow.js';
import { axesIn, kernelsOf } from '../../ir/walk.js';
import { coreOf } from './cores.js';
import { processCycles } from './cycles.js';
import { bitsOfType, bram18Of, lutramOf, memoryKind, queueOf, shapeOfArray, type MemoryShape } from './memory.js';
import { added, arithmeticOverhead, control, countedBits, floatCores, floatOrder, memoryPort, memoryWords, nothing, perBit, product, sumTree, usage, wholeProduct, type OperatorOptions, type Usage } from './operators.js';
import { localBits, ValueReader, type Value } from './values.js';

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

class Estimator {
  private readonly program: Program;
  private readonly process: ProcessBlocks;
  private readonly options: OperatorOptions;
  private readonly streamed: ReadonlySet<string>;
  private readonly used = Object.fromEntries(parts.map((p) => [p, nothing])) as Parts;
  /** Of the pipelines that are being read. */
  private readonly intervals = [1];
  /** Of kernels that share their float cores: operations of each kind, their operands that synthesis does not know, and cores. */
  private readonly served = new Map<Core, { uses: number; operands: number; cores: number }>();
  private cores: Scheduled['cores'];
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
    this.sharedCores();
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
    let shared = 0;
    for (const tensor of new Set([...reads, ...writes])) {
      const { buffer, dtype, shape } = this.program.tensors[tensor];
      if (this.streamed.has(tensor) || seen.has(buffer)) continue;
      seen.add(buffer);
      const { role } = this.program.buffers[buffer];
      if (role === 'output' && !this.program.dataflow?.memory?.some((m) => m.tensor === tensor)) shared = Math.max(shared, this.program.tensors[tensor].layout.elementBits);
      else if (role === 'input' || role === 'output') this.port(tensor);
      else {
        // Words of a constant; what is written has memories of its own for the banks.
        const size = shape.reduce((a, b) => a * b, 1);
        const n = Math.min(size, banks.get(tensor) ?? 1);
        if (role === 'constant') this.memory(shapeOfArray(dtype, size, n, false), 1, kinds.get(tensor));
        else this.memory(shapeOfArray(dtype, Math.ceil(size / n), 1, true), n, kinds.get(tensor));
      }
    }
    // One port for all outputs that the process writes element by element.
    if (shared > 0) this.use('control', memoryPort(shared));
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
    const { locals, banks = {}, cores, body } = kernel.scheduled!;
    this.cores = cores;
    this.registers = new Set(locals.filter((l) => (banks[l.name] ?? 1) >= l.shape.reduce((a, b) => a * b, 1)).map((l) => l.name));
    // What a matrix-vector unit has besides its arithmetic a process has once.
    this.use('control', kernel === kernelsOf(this.process.body).find((k) => k.reduce.length > 0) ? control.reduction : control.plain);
    for (const l of locals) {
      const size = l.shape.reduce((a, b) => a * b, 1);
      const n = Math.min(size, banks[l.name] ?? 1);
      this.memory({ width: localBits(l, kernel, this.options.accumulatorBits), depth: Math.ceil(size / n), isWritten: true }, n);
    }
    new ValueReader(this.program, kernel, {
      operation: (e, value, operands, copies) => this.operation(e, value, operands, copies),
      sum: (terms, bits, total, outputs) => this.shared('arithmetic', sumTree(terms, bits, total), outputs),
      choice: (bits, copies) => this.shared('comparisons', perBit(bits), copies),
      enter: (loop) => {
        this.rolled.set(loop.axis, loop.extent);
        this.intervals.push(loop.initiationInterval ?? 1);
      },
      leave: () => void this.intervals.pop(),
    }, this.options.accumulatorBits).read(body);
  }

  // ---- Operations --------------------------------------------------------------------------------------------------

  /** So many circuits, each of which starts once in an interval of the pipeline. */
  private shared(part: Part, u: Usage, copies: number): void {
    const times = Math.ceil(copies / this.intervals[this.intervals.length - 1]);
    this.use(part, usage(u.lut * arithmeticOverhead, u.ff, u.dsp, u.bram18, u.lutram), times);
  }

  /** Kernels of a process run one after the other, and share. A core with several users chooses among their operands, four a LUT. */
  private sharedCores(): void {
    for (const [core, { uses, operands, cores }] of this.served) {
      this.shared('arithmetic', core === 'product' ? wholeProduct : floatCores[core], cores);
      if (uses > cores) this.use('arithmetic', usage(8 * operands, 32 * uses));
    }
  }

  private operation(e: Expr, { bits, isFloat }: Value, operands: readonly Value[], copies: number): void {
    const use = (part: Part, u: Usage): void => this.shared(part, u, copies);
    const [a, b] = operands;
    const core = coreOf(e);
    if (core && this.cores) {
      const before = this.served.get(core) ?? { uses: 0, operands: 0, cores: 0 };
      this.served.set(core, { uses: before.uses + copies, operands: before.operands + copies * operands.filter((o) => !o.isFixed).length, cores: Math.max(before.cores, this.cores[core] ?? 0) });
      return;
    }
    const isFixed = operands.some((o) => o.isFixed);
    const open = operands.filter((o) => !o.isFixed).length;
    switch (e.op) {
      case 'add': case 'sub': return use('arithmetic', isFloat ? floatCores.add : perBit(bits));
      case 'mul': return !isFloat && [e.a, e.b].some(isPowerOfTwo) ? undefined : use('arithmetic', isFloat ? floatCores.mul : product(a.bits, b.bits, this.options, isFixed));
      case 'mulLow': case 'mulHigh': return use('arithmetic', wholeProduct);
      case 'div': return use('arithmetic', floatCores.div);
      case 'sqrt': return use('arithmetic', floatCores.sqrt);
      case 'floor': case 'nearest': return use('arithmetic', floatOrder.round);
      case 'convert': return a.isFloat !== isFloat ? use('arithmetic', floatCores.convert) : e.saturate ? use('comparisons', perBit(a.bits)) : undefined;
      case 'neg': case 'abs': return isFloat ? undefined : use('arithmetic', perBit(bits));
      case 'popcount': return use('arithmetic', countedBits(a.bits));
      case 'dot': return use('arithmetic', added(product(a.bits, b.bits, this.options), sumTree(1, a.bits + b.bits, 0), e.extent));
      case 'local': return this.registers.has(e.name) ? use('comparisons', perBit(bits * muxOf(e.at, this.rolled))) : undefined;
      case 'min': case 'max': return use('comparisons', isFloat ? floatOrder.extreme(open) : perBit(bits === 1 ? 1 : 2 * bits));
      case 'select': return use('comparisons', perBit(bits));
      case 'lt': case 'le': case 'ge': case 'gt': return use('comparisons', a.isFloat ? floatOrder.less(open) : usage(Math.max(a.bits, b.bits), 1));
      case 'eq': case 'ne': return use('comparisons', a.isFloat ? floatOrder.equal(open) : usage(Math.max(a.bits, b.bits), 1));
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
