/**
 * Bits: sums of bipolar products by counting the bits in which words differ, and the kernels without a reduction that
 * write such words.
 *
 * The innermost loop walks the output; the operand that does not depend on it stays in registers or on the stack, since its
 * loads are written before that loop (emit/popcount.ts). Measured on V8: 262 GMAC/s with two outputs that share the other operand, 237
 * with one, 170 by tables, for a 3x3 convolution of 64 channels.
 */
import type { Program } from '../../ir/program.js';
import type { Target } from '../../targets/target.js';
import { accesses, type Access } from '../access.js';
import { bipolarCode, bitProducts } from '../bits.js';
import type { Choices, KernelSchedule } from '../choice.js';
import type { Loop, Nest } from '../nest.js';
import { applySteps, partition, type Step } from '../steps.js';
import { joinLoops } from './elementwise.js';
import { divisorIn } from './lanes.js';

/** The most words of an output that are written out. */
const mostWords = 32;
/** Bits of a byte, which are written together. */
const byte = 8;

/** Undefined where a kernel's data are not stored as bits. */
export function popcount(start: Nest, program: Program, target: Target, choices: Choices): KernelSchedule | undefined {
  const products = bitProducts(start.kernel, program, target);
  if (!products || program.tensors[products.data].layout.elementBits !== 1) return undefined;
  const channels = start.loops.find((l) => l.name === products.axis)!;
  const all = accesses(start, program);
  const stores = all.filter((a) => a.store);
  const inner = walked(start, stores[0]);
  const packed = stores.some((s) => s.elementBits < byte && s.stride(inner.name) === s.elementBits);
  // Two outputs that read one operand in common.
  const streamed = all.find((a) => !a.store && (a.tensor === products.data || a.tensor === products.weight) && a.depends(inner.name));
  const row = packed ? undefined : [...start.loops].reverse().find((l) => l.kind === 'space' && l !== inner && l.extent > 1 && streamed && !streamed.depends(l.name)) ?? inner;
  // Places share a row's data, and their outputs are neighbours in memory; weights would be shared by nothing.
  const width = packed && inner.extent % byte === 0 ? byte : target.lanes > 1 && streamed?.tensor === products.data ? divisorIn(inner.extent, [target.lanes]) : 1;
  const rows = row ? divisorIn(row.extent, choices.rows ? [choices.rows, 2] : [2]) : 1;

  const steps: Step[] = [{ step: 'split', loop: channels.name, factor: products.word }];
  const split = (l: Loop, factor: number): string[] => {
    if (factor === 1) return [l.name];
    steps.push({ step: 'split', loop: l.name, factor });
    return [`${l.name}.o`, `${l.name}.i`];
  };
  const lanes = !packed && width > 1;
  const [innerOuter, ...innerTile] = split(inner, row === inner && !lanes ? rows : width);
  const [rowOuter, ...rowTile] = row && row !== inner ? split(row, rows) : [];
  const space = start.loops.filter((l) => l.kind === 'space' && l !== inner).map((l) => (l === row ? rowOuter : l.name));
  const reduce = start.loops.filter((l) => l.kind === 'reduce').map((l) => (l === channels ? `${l.name}.o` : l.name));
  const tile = [...rowTile, ...innerTile];
  steps.push({ step: 'reorder', order: [...space, innerOuter, ...reduce, ...tile, `${channels.name}.i`] });
  let words = 1;
  for (const name of [...reduce].reverse()) {
    const extent = name === `${channels.name}.o` ? channels.extent / products.word : start.loops.find((l) => l.name === name)!.extent;
    if (words * extent > mostWords) break;
    words *= extent;
    steps.push({ step: 'unroll', loop: name });
  }
  steps.push(...tile.map((loop): Step => ({ step: lanes && innerTile.includes(loop) ? 'vectorize' : 'unroll', loop })), { step: 'dot', loop: `${channels.name}.i` });
  return { nests: [applySteps(start, steps)], packs: { [products.weight]: { elementBits: 1, containerBits: byte, innermost: `${channels.name}.i`, code: bipolarCode } } };
}

/** The space loop along which the store takes the smallest steps. */
function walked(nest: Nest, store: Access): Loop {
  const stride = (l: Loop): number => Math.abs(store.stride(l.name) ?? Infinity);
  const space = nest.loops.filter((l) => l.kind === 'space');
  return space.filter((l) => l.extent > 1).sort((a, b) => stride(a) - stride(b))[0] ?? space[space.length - 1];
}

/**
 * A kernel without a reduction that writes bits of which neighbours are not neighbours where they come from (channels of a
 * planar image): lanes run over places, and bits of a byte are written out. Undefined for others.
 */
export function packedPlaces(start: Nest, program: Program, target: Target): KernelSchedule | undefined {
  const all = accesses(start, program);
  const [store, ...others] = all.filter((a) => a.store);
  if (others.length > 0 || store.elementBits !== 1 || start.kernel.reduce.length > 0) return undefined;
  const channel = start.loops.find((l) => store.stride(l.name) === 1 && l.extent % byte === 0);
  if (!channel) return undefined;
  const stride = (l: Loop): number => (l.extent === 1 ? Infinity : (store.stride(l.name) ?? 0));
  const rest = start.loops.filter((l) => l !== channel).sort((a, b) => (stride(a) === stride(b) ? 0 : stride(b) - stride(a)));
  // Joined, places make a longer loop.
  const joined = joinLoops(applySteps(start, [{ step: 'reorder', order: [channel.name, ...rest.map((l) => l.name)] }]), program);
  const places = joined.loops[joined.loops.length - 1];
  const reads = accesses(joined, program).filter((a) => !a.store);
  const isLane = target.lanes > 1 && places.name !== channel.name && places.extent >= target.lanes && reads.every((a) => !a.guarded && [0, a.elementBits].includes(a.stride(places.name) ?? -1));
  if (!isLane) return undefined;
  const outer = joined.loops.filter((l) => l.name !== channel.name && l !== places).map((l) => l.name);
  const whole = places.extent - (places.extent % target.lanes);
  return {
    nests: partition(joined, places.name, whole).map((part, i) => {
      const lanes: Step[] = i === 1 ? [] : [{ step: 'split', loop: places.name, factor: target.lanes }];
      const [around, ...inside] = i === 1 ? [places.name] : [`${places.name}.o`, `${places.name}.i`];
      return applySteps(part, [
        { step: 'split', loop: channel.name, factor: byte },
        ...lanes,
        { step: 'reorder', order: [...outer, `${channel.name}.o`, around, `${channel.name}.i`, ...inside] },
        { step: 'unroll', loop: `${channel.name}.i` },
        ...inside.map((loop): Step => ({ step: 'vectorize', loop })),
      ]);
    }),
    packs: {},
  };
}
