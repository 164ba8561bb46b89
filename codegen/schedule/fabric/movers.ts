/**
 * How much at once the kernels move that only move data: between memory and streams whole words of the bus, between streams and
 * arrays what their neighbours give or take. And the ports to memory that follow from it. Which kernels these are: prepare.ts.
 */
import { rowMajor } from '../../ir/build.js';
import type { Kernel, MemoryPort, Program } from '../../ir/program.js';
import { gcd } from '../../ir/progression.js';
import { touched, type ProcessBlocks } from '../../ir/verifyDataflow.js';
import { kernelsOf } from '../../ir/walk.js';
import { foldableLoops, type Folding } from './kernel.js';
import { apart, gatheredFor } from './words.js';

/** Bits of a word of the bus to memory where nothing is said: a high-performance port of a Zynq-7000. */
export const defaultBus = 64;

/** The kernels that move data between memory, streams and arrays: they keep pace with their neighbours. */
export const isMover = (kernel: Kernel): boolean => ['load', 'store', 'send', 'receive'].includes(kernel.op);

/** The tensor of the interface that a kernel moves to or from memory, where its bytes lie as words of the bus take them. */
export function memoryTensor(kernel: Kernel, program: Program): string | undefined {
  const [{ tensor, value }] = kernel.stores;
  const name = kernel.op === 'store' ? tensor : kernel.op === 'load' && value.op === 'load' ? value.tensor : undefined;
  if (name === undefined) return undefined;
  const { layout, shape } = program.tensors[name];
  return JSON.stringify(layout) === JSON.stringify(rowMajor(shape, layout.elementBits)) ? name : undefined;
}

/** Elements of a tensor in a word of the bus. */
const wordOf = (tensor: string, program: Program, bus: number): number => Math.max(1, Math.floor(bus / program.tensors[tensor].layout.elementBits));

/** The divisors of n up to `most`, from 1. */
const divisors = (n: number, most: number): number[] => Array.from({ length: Math.min(n, most) }, (_, i) => i + 1).filter((d) => n % d === 0);

/** More than a word of the bus has. */
const mostAtOnce = 64;

const extentOf = (k: Kernel, program: Program): number => foldableLoops(k, program).outputs?.extent ?? 1;

/** Sets the folding of every mover among `foldings`, whose other kernels have theirs. `streams`: by tensor, the processes that read it. */
export function paceMovers(foldings: Map<Kernel, Folding>, program: Program, streams: ReadonlyMap<string, readonly string[]>, bus: number): void {
  const all = [...foldings.keys()];
  const set = (k: Kernel, pe: number): void => void foldings.set(k, { pe, simd: 1 });
  for (const k of all.filter((x) => x.op === 'load')) {
    const memory = memoryTensor(k, program);
    if (memory === undefined) continue;
    const [{ tensor }] = k.stores;
    const choices = divisors(extentOf(k, program), wordOf(memory, program, bus));
    const readers = streams.has(tensor) ? all.filter((r) => r !== k && touched([r]).reads.has(tensor)) : [];
    // As much as all who read can take, and no more than that needs: best where words are gathered as they need them, if not many
    // times as wide. Of an array, a power of two.
    const worth = (n: number): number => {
      if (readers.length === 0) return gcd(n, 2 ** 16);
      const gathered = gatheredFor(k, readers, tensor, program, foldings, n);
      if (!gathered) return Math.min(...readers.map((r) => apart(r, tensor, n, program, foldings.get(r)!).word));
      const { together, most } = gathered;
      return mostAtOnce + Math.min(n, most) / Math.sqrt(together / Math.max(n, Number.isFinite(most) ? most : 1));
    };
    set(k, choices.reduce((best, n) => (worth(n) > worth(best) ? n : best), 1));
  }
  for (const k of all.filter((x) => x.op === 'receive' || x.op === 'store')) {
    const from = [...touched([k]).reads].find((t) => streams.has(t));
    const writer = all.find((w) => w.stores.some((s) => s.tensor === from));
    const memory = memoryTensor(k, program);
    // What is written at once comes at once, even where it goes to memory in several words.
    if (writer) set(k, gcd(foldings.get(writer)!.pe, extentOf(k, program)));
    else if (memory !== undefined) set(k, gcd(extentOf(k, program), 2 ** Math.floor(Math.log2(wordOf(memory, program, bus)))));
  }
}

/** The ports of words to memory of a circuit whose movers have these foldings. Stores that share a process share a port of elements. */
export function memoryPorts(foldings: ReadonlyMap<Kernel, Folding>, program: Program, parts: readonly ProcessBlocks[], bus: number): MemoryPort[] {
  return [...program.inputs, ...program.outputs].flatMap((tensor): MemoryPort[] => {
    const mover = kernelsOf(program.blocks).find((k) => memoryTensor(k, program) === tensor);
    if (!mover || !program.blocks.includes(mover) || parts.some(({ body }) => body.includes(mover) && body.filter((b) => b.kind === 'kernel' && b.op === 'store').length > 1)) return [];
    const { pe } = foldings.get(mover)!;
    return [{ tensor, bits: bus, lanes: Math.max(...divisors(pe, wordOf(tensor, program, bus))) }];
  });
}
