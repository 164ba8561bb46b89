/**
 * A lowered Program as a circuit: processes, folded and pipelined kernels, streams between them. The same lowering, language,
 * verifier and interpreter as for processors; only the steps are others.
 */
import type { Without } from '../../ir/optimization.js';
import type { Block, Kernel, ProgramUnit, Stream } from '../../ir/program.js';
import { memoryLanes } from '../../ir/traffic.js';
import { processesOf, touched } from '../../ir/verifyDataflow.js';
import { kernelsOf } from '../../ir/walk.js';
import { withoutUnused } from '../lower.js';
import { planMemory } from '../plan.js';
import { packConstants } from '../schedule.js';
import { fpga } from '../../targets/fpga.js';
import { circuit, foldedNest, togetherIn, type Folding } from './kernel.js';
import type { RomKind } from './memory.js';
import { defaultBus, isMover, memoryPorts, memoryTensor, paceMovers } from './movers.js';
import { pipelined } from './pipeline.js';
import { prepareFabric, type Processes } from './prepare.js';
import { shifted } from './shift.js';
import { isWindow } from './window.js';
import { wordsOf } from './words.js';

export interface FabricOptions extends Without {
  /** By kernel; 1 and 1, and a process of its own, where nothing is said. Raises schedule/illegal for one that does not divide. */
  readonly folding?: Readonly<Record<string, Folding>>;
  /** Bits of a word of the bus to memory: 32 or 64, which it is where nothing is said. */
  readonly bus?: number;
  /** Words by stream, `TENSOR to PROCESS`; 2 where nothing is said. */
  readonly depths?: Readonly<Record<string, number>>;
  /** Where all constants lie that are no wires; by their shape where nothing is said. */
  readonly memories?: RomKind;
  /**
   * For estimates: constants keep their order and tensors have no addresses, so the result is not to be run. Holds the kernels of
   * earlier drafts of the same processes, by what they depend on.
   */
  readonly drafts?: Map<string, Kernel>;
}

/** The name of a stream in tables and options. */
export const streamName = (s: Pick<Stream, 'tensor' | 'to'>): string => `${s.tensor} to ${s.to}`;

/** Schedules a lowered Program for a circuit. The result has the same bits as on every other target. */
export function scheduleFabric(unit: ProgramUnit, options: FabricOptions = {}): ProgramUnit {
  const steps: string[] = [];
  return circuitOf(prepareFabric(unit, steps, options, togetherIn(options.folding)), options, steps);
}

/** Prepared processes as a circuit of the given folding. */
export function circuitOf({ unit, processes, streams }: Omit<Processes, 'whole'>, options: FabricOptions, steps: readonly string[]): ProgramUnit {
  let { program } = unit;
  const data = new Map(unit.data);
  const foldings = paces({ unit, processes, streams }, options);
  const parts = processesOf({ ...program, dataflow: { processes, streams: [] } });
  const words = wordsOf({ ...program, dataflow: { processes, streams: [] } }, streams, foldings);
  const memory = memoryPorts(foldings, program, parts, options.bus ?? defaultBus);
  const outside = [...memoryLanes({ ...program, dataflow: { processes, streams: [], memory } })].map(([t, n]): [string, number[]] => [t, [n]]);
  const map = (blocks: readonly Block[], process: string): Block[] =>
    blocks.map((b): Block => {
      if (b.kind === 'repeat') return { ...b, body: map(b.body, process) };
      const { writes } = touched([b]);
      const own = [...streams].filter(([t, to]) => to.includes(process) || writes.has(t));
      const { pe, cores } = foldings.get(b)!;
      const lanes = new Map(own.flatMap(([t, to]): [string, number][] => (to.includes(process) ? [[t, words.lanes(t, process).taken]] : words.sent(t) > pe ? [[t, words.sent(t)]] : [])));
      const moved = new Map(own.map(([t, to]) => [t, (to.includes(process) ? [process] : to).map((reader) => words.lanes(t, reader).word)]));
      const key = JSON.stringify([b.name, foldings.get(b), words.of(b), [...lanes], [...moved]]);
      const known = options.drafts?.get(key);
      if (known) return known;
      const nest = foldedNest(b, program, foldings.get(b)!, words.of(b));
      const packed = options.drafts ? { program, kernel: nest.kernel } : packConstants(b, { nests: [nest], packs: {} }, program, data, true);
      program = packed.program;
      const port = memoryTensor(b, program);
      const carriers = new Map([...moved, ...outside]);
      const made = pipelined(shifted(circuit({ ...nest, kernel: packed.kernel }, program, new Set(moved.keys()), lanes, memory.some((m) => m.tensor === port) ? port : undefined), isWindow), program, carriers, { memories: options.memories, most: cores === undefined ? undefined : cores * pe });
      options.drafts?.set(key, made);
      return made;
    });
  const blocks = parts.flatMap((p) => map(p.body, p.name));
  const queues: Stream[] = [...streams].flatMap(([tensor, to]) =>
    to.map((reader): Stream => ({ tensor, to: reader, lanes: words.lanes(tensor, reader).word, depth: options.depths?.[streamName({ tensor, to: reader })] ?? 2 })));
  const dataflow = { processes, streams: queues, memory };
  if (options.drafts) return { program: { ...program, blocks, dataflow }, data };
  const whole = withoutUnused({ program: { ...program, blocks, dataflow }, data });
  return { ...whole, program: { ...planMemory(whole.program, { reuse: false }), target: fpga.name, ...(steps.length > 0 ? { steps } : {}) } };
}

/** The folding of every kernel; movers keep pace with the others. */
function paces({ unit, processes, streams }: Omit<Processes, 'whole'>, { folding = {}, bus = defaultBus }: FabricOptions): Map<Kernel, Folding> {
  const { program } = unit;
  const parts = processesOf({ ...program, dataflow: { processes, streams: [] } });
  const result = new Map<Kernel, Folding>(parts.flatMap((p) => kernelsOf(p.body)).map((k) => [k, isMover(k) ? { pe: 1, simd: 1 } : (folding[k.name] ?? { pe: 1, simd: 1 })]));
  // In a process that shares cores every kernel says how many it has.
  for (const { body } of parts) {
    const own = kernelsOf(body).filter((k) => !isMover(k));
    if (own.some((k) => result.get(k)!.cores !== undefined)) for (const k of own) result.set(k, { cores: Infinity, ...result.get(k)! });
  }
  paceMovers(result, program, streams, bus);
  return result;
}
