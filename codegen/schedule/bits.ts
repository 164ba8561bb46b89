/**
 * Which temporaries are stored as bits, eight a byte: bipolar data that only sums of bipolar products read, along channels
 * that fill whole words. Such sums count the bits in which two words differ (emit/popcount.ts).
 */
import type { Expr, Kernel, Layout, Program } from '../ir/program.js';
import { twoValues } from '../ir/progression.js';
import { dependsOn } from '../ir/walk.js';
import type { Target } from '../targets/target.js';
import { innermostDimension } from './bytes.js';
import { loadsOf } from './fuse.js';
import { codedField } from './pack.js';
import { productOperands } from './products.js';

/** A sum of products of two operands that are -1 or 1. */
export interface BitProducts {
  readonly data: string;
  readonly weight: string;
  /** The axis of the reduction along which both operands' bits are neighbours. */
  readonly axis: string;
  /** Bits of a word, of which the axis has a whole number. */
  readonly word: number;
}

/** What a bit stands for. */
export const bipolarCode: NonNullable<Layout['code']> = { base: -1, step: 2 };

/** Words, the widest first. */
const words = [64, 32, 16, 8];

/** Undefined where a kernel is no such sum, or lookups take less time: where words are short, or counting takes several instructions. Whether the data are bipolar is not asked. */
export function bitProducts(kernel: Kernel, program: Program, target: Target): BitProducts | undefined {
  const operands = productOperands(kernel, program);
  if (!operands || kernel.partials !== 1) return undefined;
  const [data, weight] = [program.tensors[operands.data], program.tensors[operands.weight]];
  const { code, bits } = codedField(weight);
  if (bits !== 1 || code?.base !== bipolarCode.base || code.step !== bipolarCode.step) return undefined;
  if (program.buffers[data.buffer].role !== 'temporary' || data.range?.[0] !== -1 || data.range[1] !== 1) return undefined;
  const loads = loadsOf(kernel);
  const [x, w] = [operands.data, operands.weight].map((name) => loads.filter((l) => l.tensor === name));
  if (x.length !== 1 || w.length !== 1) return undefined;
  const channel = innermostDimension(data.shape);
  const axis = kernel.reduce.find((a) => isPlain(x[0].at[channel], a.name));
  if (!axis || axis.extent !== data.shape[channel]) return undefined;
  const others = x[0].at.filter((_, d) => d !== channel);
  if (others.some((i) => dependsOn(i, axis.name)) || w[0].at.filter((i) => dependsOn(i, axis.name)).length !== 1 || !w[0].at.some((i) => isPlain(i, axis.name))) return undefined;
  const word = words.find((n) => axis.extent % n === 0 && (target.lookups === 0 || (n === words[0] && target.processor.countsBits)));
  return word === undefined ? undefined : { ...operands, axis: axis.name, word };
}

function isPlain(i: Extract<Expr, { op: 'load' }>['at'][number], axis: string): boolean {
  return i.offset === 0 && i.terms.length === 1 && i.terms[0].coeff === 1 && i.terms[0].of === axis;
}

/** Names of the temporaries to be stored as bits. */
export function bitTensors(program: Program, kernels: readonly Kernel[], target: Target): ReadonlySet<string> {
  const found = new Set<string>();
  for (const kernel of kernels) {
    const products = bitProducts(kernel, program, target);
    if (products) found.add(products.data);
  }
  for (const name of found) {
    const { range, buffer } = program.tensors[name];
    const writers = kernels.filter((k) => k.stores.some((s) => s.tensor === name));
    const isBipolar = writers.length === 1 && writers[0].stores.every((s) => s.tensor !== name || twoValues(s.value, range!, program) !== undefined);
    const readers = kernels.filter((k) => loadsOf(k).some((l) => l.tensor === name));
    const counted = readers.every((k) => bitProducts(k, program, target)?.data === name);
    const shared = Object.values(program.tensors).some((t) => t.name !== name && t.buffer === buffer);
    if (!isBipolar || !counted || shared) found.delete(name);
  }
  return found;
}
