/**
 * How many elements the words of each stream have. A writer sends as many at once as it makes, or gathers the outputs of several
 * steps into one word where its readers take more in a step: FINN's data-width converters, without processes of their own.
 */
import { gcd } from '../../ir/progression.js';
import type { Kernel, Program } from '../../ir/program.js';
import { processesOf, touched } from '../../ir/verifyDataflow.js';
import { kernelsOf } from '../../ir/walk.js';
import { mostGathered } from '../../targets/fpga.js';
import { foldableLoops, hasFreeOrder, type Folding } from './kernel.js';
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
  /** Outputs and products of a kernel that go through a stream as one word: at least those that are done at once. */
  readonly of: (kernel: Kernel) => Folding;
}

/** The words of all streams of prepared processes. */
export function wordsOf(program: Program, streams: ReadonlyMap<string, readonly string[]>, foldings: ReadonlyMap<Kernel, Folding>): Words {
  const parts = processesOf(program);
  const all = parts.flatMap((p) => kernelsOf(p.body));
  const lanes = new Map<string, Map<string, Lanes>>();
  const sent = new Map<string, number>();
  const whole = new Map(foldings);
  for (const [tensor, to] of streams) {
    const writer = all.find((k) => k.stores.some((s) => s.tensor === tensor))!;
    const made = foldings.get(writer)!.pe;
    const readers = to.map((name) => {
      const kernel = kernelsOf(parts.find((p) => p.name === name)!.body).find((k) => touched([k]).reads.has(tensor))!;
      return { name, kernel, step: stepOf(kernel, tensor, program, foldings.get(kernel)!) };
    });
    const together = readers.reduce((n, { step = 1 }) => (n * step) / gcd(n, step), made);
    const gathers = readers.every((r) => r.step !== undefined) && canGather(writer, tensor, made, together, program);
    sent.set(tensor, gathers ? together : made);
    if (gathers) whole.set(writer, { ...whole.get(writer)!, pe: together });
    lanes.set(tensor, new Map(readers.map(({ name, kernel, step }) => {
      const found = gathers ? { word: together, taken: together } : apart(kernel, tensor, made, program, foldings.get(kernel)!);
      if (step !== undefined) whole.set(kernel, { ...whole.get(kernel)!, simd: Math.max(whole.get(kernel)!.simd, found.taken) });
      return [name, found];
    })));
  }
  return { lanes: (tensor, to) => lanes.get(tensor)!.get(to)!, sent: (tensor) => sent.get(tensor) ?? 1, of: (kernel) => whole.get(kernel)! };
}

/** Elements that a kernel takes in a step where it takes a vector along. */
function stepOf(kernel: Kernel, tensor: string, program: Program, folding: Folding): number | undefined {
  if (readsInOrder(kernel, tensor, program) || !hasFreeOrder(kernel)) return undefined;
  const window = windowOf(kernel, tensor, program);
  const channel = window && channelAxis(kernel, window);
  const { products } = foldableLoops(kernel, program);
  return channel !== undefined && channel === (products?.name ?? '') ? folding.simd : undefined;
}

/** Words of a reader that takes what is made, as it is made. */
function apart(kernel: Kernel, tensor: string, made: number, program: Program, folding: Folding): Lanes {
  const window = readsInOrder(kernel, tensor, program) ? undefined : windowOf(kernel, tensor, program);
  const taken = window ? gcd(made, program.tensors[tensor].shape[window.channels]) : folding.pe;
  return { word: gcd(made, taken), taken };
}

// ---- Gathering -----------------------------------------------------------------------------------------------------

function canGather(writer: Kernel, tensor: string, made: number, together: number, program: Program): boolean {
  const { shape, dtype } = program.tensors[tensor];
  const channels = channelsOf(shape);
  if (shape[channels] % together !== 0) return false;
  if (together === made) return true;
  const { outputs } = foldableLoops(writer, program);
  return writer.stores.length === 1 && plainAxis(writer.stores[0].at[channels], writer.space) === outputs?.name && (writer.reduce.length === 0 || hasFreeOrder(writer))
    && together <= mostGathered.elements && together * bitsOfType(dtype) <= mostGathered.bits;
}
