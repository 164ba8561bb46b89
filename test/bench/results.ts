/** Everything that one run measured, as plain data: run.mts fills it, the reports read it, results.json keeps it. */
import type { Bayesian } from './bayesian/measure.js';
import type { Bytes } from './bytes.js';
import type { Cold, CompileTime } from './cold.js';
import type { Batches, Inference } from './inference.js';
import type { Instructions } from './instructions.js';
import type { KernelRate } from './layers.js';
import type { DenseLimit } from './limit.js';
import type { Widths } from './lowbit.js';
import type { Clock } from './process.js';
import type { Threads } from './threads.js';

export interface Results {
  readonly date: string;
  /** Processor, cores, memory, system. */
  readonly machine: string;
  /** Of one minute, at the begin and the end. */
  readonly load: number[];
  /** What part of their time the processes had a processor for, a number a race. */
  readonly busy: number[];
  readonly clock: Clock;
  readonly rounds: number;
  readonly milliseconds: number;
  /** Engines of the hosts, by name. */
  readonly hosts: Record<string, string>;
  /** Versions of the product and the peers. */
  readonly versions: Record<string, string>;
  /** Settings of each engine, by label. */
  readonly settings: Record<string, string>;
  /** What could not be measured, in sentences. */
  readonly absent: string[];
  readonly inference: Inference[];
  /** On hosts with relaxed SIMD. */
  readonly relaxed: Inference[];
  readonly batches: Batches[];
  readonly widths: Widths[];
  readonly trained: Widths[];
  readonly kernels: KernelRate[];
  readonly dense: DenseLimit[];
  readonly bytes: Bytes[];
  readonly cold: Cold[];
  readonly compile: CompileTime[];
  readonly threads: Threads[];
  readonly bayesian: Bayesian[];
  readonly instructions: Instructions[];
}
