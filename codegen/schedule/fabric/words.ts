/**
 * How many elements the words of each stream have. A writer sends as many at once as it makes, or gathers the outputs of several
 * steps into one word where its readers take more in a step; a reader whose steps take less holds a word for several of them. So an
 * iteration moves one word of a stream: FINN's data-width converters, without processes of their own.
 */
import { gcd } from '../../ir/progression.js';
import type { Kernel, Program } from '../../ir/program.js';
import { processesOf, touched } from '../../ir/verifyDataflow.js';
import { kernelsOf } from '../../ir/walk.js';
import { mostGathered } from '../../targets/fpga.js';
import { loadsOf } from '../fuse.js';
import { foldableLoops, hasFreeOrder, type Folding, type WordSteps } from './kernel.js';
import { bitsOfType } from './memory.js';
import { channelsOf, plainAxis } from './order.js';
import { readsInOrder } from './prepare.js';
import { channelAxis } from './vector.js';
import { windowOf } from './window.js';

/** Elements of a word, and how many of them the reader takes at once. */
export interface Lanes {
  readonly word: number;
  readonly taken: number;
}

export interface Words {
  /** Of the stream that carries a tensor to a process. */
  readonly lanes: (tensor: string, to: string) => Lanes;
  /** Elements of a tensor that its writer sends at once. */
  readonly sent: (tensor: string) => number;
  /** Where these are more than are done at once. */
  readonly of: (kernel: Kernel) => WordSteps;
}

/** The words of all streams of prepared processes. */
export function wordsOf(program: Program, streams: ReadonlyMap<string, readonly string[]>, foldings: ReadonlyMap<Kernel, Folding>): Words {
  const parts = processesOf(program);
  const all = parts.flatMap((p) => kernelsOf(p.body));
  const lanes = new Map<string, Map<string, Lanes>>();
  const sent = new Map<string, number>();
  const steps = new Map(all.map((k) => [k, { outputs: [] as number[], products: [] as number[] }]));
  // A loop is cut into words of one size, and these into others, so that one divides the other.
  const fits = (list: readonly number[], n: number): boolean => list.every((m) => m % n === 0 || n % m === 0);
  for (const [tensor, to] of streams) {
    const writer = all.find((k) => k.stores.some((s) => s.tensor === tensor))!;
    const made = foldings.get(writer)!.pe;
    const readers = to.map((name) => {
      const kernel = kernelsOf(parts.find((p) => p.name === name)!.body).find((k) => touched([k]).reads.has(tensor))!;
      return { name, kernel, ...stepOf(kernel, tensor, program, foldings.get(kernel)!) };
    });
    const together = readers.reduce((n, { step = 1 }) => (n * step) / gcd(n, step), made);
    const isWhole = readers.every((r) => r.step !== undefined && (!r.over || fits(steps.get(r.kernel)![r.over], together))) && fits(steps.get(writer)!.outputs, together) && canGather(writer, tensor, made, together, program);
    sent.set(tensor, isWhole ? together : made);
    if (isWhole && together > made) steps.get(writer)!.outputs.push(together);
    lanes.set(tensor, new Map(readers.map(({ name, kernel, step, over }) => {
      const found = isWhole ? { word: together, taken: together } : apart(kernel, tensor, made, program, foldings.get(kernel)!);
      const own = steps.get(kernel)!;
      if (over && found.taken > step! && found.taken % step! === 0 && fits(own[over], found.taken)) own[over].push(found.taken);
      return [name, found];
    })));
  }
  return { lanes: (tensor, to) => lanes.get(tensor)!.get(to)!, sent: (tensor) => sent.get(tensor) ?? 1, of: (kernel) => steps.get(kernel)! };
}

/** What a writer that makes `made` elements at once would gather for its readers. */
export interface Gathered {
  readonly together: number;
  /** The most that all of them take in a cycle. */
  readonly most: number;
}

/** Undefined where not all readers take words of any multiple of what they do in a step. */
export function gatheredFor(writer: Kernel, readers: readonly Kernel[], tensor: string, program: Program, foldings: ReadonlyMap<Kernel, Folding>, made: number): Gathered | undefined {
  const steps = readers.map((kernel) => stepOf(kernel, tensor, program, foldings.get(kernel)!));
  if (steps.some(({ step }) => step === undefined)) return undefined;
  const together = steps.reduce((n, { step = 1 }) => (n * step) / gcd(n, step), made);
  const most = Math.min(...steps.map(({ step, over }, i) => (over && readers[i].op !== 'receive' ? step! : Infinity)));
  return canGather(writer, tensor, made, together, program) ? { together, most } : undefined;
}

interface StepWords {
  /** Elements of a tensor that a kernel takes in a step: words of any multiple will do. Undefined where they have to be so many. */
  readonly step?: number;
  /** The loop that goes over a word that is several steps. */
  readonly over?: keyof WordSteps;
}

function stepOf(kernel: Kernel, tensor: string, program: Program, folding: Folding): StepWords {
  const { outputs, products } = foldableLoops(kernel, program);
  if (program.tensors[tensor].shape.length === 0) return {};
  if (readsInOrder(kernel, tensor, program)) {
    const { at } = loadsOf(kernel).find((l) => l.tensor === tensor)!;
    return plainAxis(at[channelsOf(program.tensors[tensor].shape)], kernel.space) === outputs?.name && isOneNest(kernel) ? { step: folding.pe, over: 'outputs' } : {};
  }
  const window = windowOf(kernel, tensor, program);
  const channel = window && channelAxis(kernel, window);
  if (channel !== undefined && channel === (products?.name ?? '') && hasFreeOrder(kernel)) return { step: folding.simd, over: 'products' };
  return window ? { step: 1 } : {};
}

/** True where a kernel is one nest of loops, which words can cut. */
const isOneNest = (kernel: Kernel): boolean => kernel.reduce.length === 0 || hasFreeOrder(kernel);

/** Words of a reader that takes what is made, as it is made. */
export function apart(kernel: Kernel, tensor: string, made: number, program: Program, folding: Folding): Lanes {
  const window = readsInOrder(kernel, tensor, program) ? undefined : windowOf(kernel, tensor, program);
  const { outputs } = foldableLoops(kernel, program);
  const taken = window ? gcd(made, program.tensors[tensor].shape[window.channels]) : kernel.op === 'receive' ? gcd(made, outputs?.extent ?? 1) : folding.pe;
  return { word: gcd(made, taken), taken };
}

// ---- Gathering -----------------------------------------------------------------------------------------------------

function canGather(writer: Kernel, tensor: string, made: number, together: number, program: Program): boolean {
  const { shape, dtype } = program.tensors[tensor];
  const channels = channelsOf(shape);
  if (shape[channels] % together !== 0) return false;
  if (together === made) return true;
  const { outputs } = foldableLoops(writer, program);
  return writer.stores.length === 1 && plainAxis(writer.stores[0].at[channels], writer.space) === outputs?.name && isOneNest(writer)
    && together <= mostGathered.elements && together * bitsOfType(dtype) <= mostGathered.bits;
}
