/**
 * Groups of integer products that one instruction adds: which reduction loop they run along, which operand is proved to be
 * narrow, and how the weights' fields share containers.
 */
import { describe, isInteger } from '../../ir/datatype.js';
import type { Expr, Program, Tensor } from '../../ir/program.js';
import type { DotProduct, Target } from '../../targets/target.js';
import { accesses } from '../access.js';
import type { Loop, Nest } from '../nest.js';
import { fieldBits } from '../pack.js';
import { isProductSum } from '../steps.js';

/** Groups of products along a reduction loop. */
export interface Group {
  readonly loop: string;
  /** Products in a group. */
  readonly extent: number;
  /** The factor that lies in 0 .. 127, where the products are of bytes. */
  readonly sevenBits?: 'a' | 'b';
  /** Groups whose fields share a container. */
  readonly fields: number;
  readonly bits: number;
  /** Bits of that container. */
  readonly containerBits: number;
  /** The constant whose elements are the weights. */
  readonly weight: string;
}

/** The factors of a sum of products of two loads. */
export interface Products {
  readonly a: string;
  readonly b: string;
}

/** The tensors whose elements a kernel multiplies and adds up, and nothing else; undefined where it does something else. */
export function productsOf(kernel: Nest['kernel']): Products | undefined {
  if (kernel.accumulators.length !== 1 || kernel.body.length > 0) return undefined;
  const [acc] = kernel.accumulators;
  if (!isInteger(acc.type) || !isProductSum(acc.update, acc.name)) return undefined;
  const { a, b } = (acc.update as unknown as { b: { a: Expr; b: Expr } }).b;
  return a.op === 'load' && b.op === 'load' ? { a: a.tensor, b: b.tensor } : undefined;
}

/** The bounds of what a load of a tensor gives: its range, and zero where there is a halo. */
export function loadedRange(tensor: Tensor): readonly [number, number] {
  const { min, max } = describe(tensor.dtype);
  const [lo, hi] = tensor.range ?? [min, max];
  const { haloValue } = tensor.layout;
  return haloValue === undefined ? [lo, hi] : [Math.min(lo, haloValue), Math.max(hi, haloValue)];
}

/** How many products have a sum of so many bits, whatever the operands are. */
export function productsWithin(bits: number, a: Tensor, b: Tensor): number {
  const [[lo, hi], w] = [loadedRange(a), loadedRange(b)];
  const products = [lo * w[0], lo * w[1], hi * w[0], hi * w[1]];
  const most = 2 ** (bits - 1);
  const below = Math.floor(most / Math.max(1e-9, -Math.min(...products)));
  const above = Math.floor((most - 1) / Math.max(1e-9, Math.max(...products)));
  // More than the reduction has is never needed.
  return Math.min(below, above, 1024);
}

/** Which factor lies in the unsigned operand of a dot product while the other fits its signed one. */
export function narrowFactor(dot: DotProduct, a: readonly [number, number], b: readonly [number, number]): 'a' | 'b' | undefined {
  const isUnsigned = ([lo, hi]: readonly [number, number]): boolean => lo >= 0 && hi < 2 ** dot.unsignedBits!;
  const isSigned = ([lo, hi]: readonly [number, number]): boolean => lo >= -(2 ** (dot.operandBits - 1)) && hi < 2 ** (dot.operandBits - 1);
  return isUnsigned(a) && isSigned(b) ? 'a' : isUnsigned(b) && isSigned(a) ? 'b' : undefined;
}

/** The reduction loop along which groups of integer products can be one instruction, for the largest groups that can. */
export function groupLoop(nest: Nest, program: Program, target: Target, lane: string): Group | undefined {
  const products = productsOf(nest.kernel);
  if (!products) return undefined;
  for (const dot of target.dots) {
    const group = groupsOf(dot, products, nest, program, lane);
    if (group) return group;
  }
  return undefined;
}

function groupsOf(dot: DotProduct, products: Products, nest: Nest, program: Program, lane: string): Group | undefined {
  const operands = [program.tensors[products.a], program.tensors[products.b]];
  const sevenBits = dot.unsignedBits === undefined ? undefined : narrowFactor(dot, loadedRange(operands[0]), loadedRange(operands[1]));
  if (dot.unsignedBits === undefined ? !arePairs(dot, operands) : sevenBits === undefined) return undefined;
  const all = accesses(nest, program).filter((a) => a.tensor === products.a || a.tensor === products.b);
  const data = all.find((a) => !a.constant);
  const weight = all.find((a) => a.constant);
  if (!data || !weight || data.guarded || weight.guarded || !weight.depends(lane) || data.elementBits !== dot.operandBits) return undefined;
  // Members of a group are neighbours in memory; or vectors, where the data differ by lane.
  const perLane = data.depends(lane);
  if (perLane && data.stride(lane) !== data.elementBits) return undefined;
  // Of a whole axis the last group may lack members.
  const isAxis = (l: Loop): boolean => nest.kernel.reduce.some((a) => a.name === l.name && a.extent === l.extent);
  const candidates = nest.loops.filter((l) => l.kind === 'reduce' && l.extent >= 2 && weight.depends(l.name) && (l.extent % dot.extent === 0 || isAxis(l)) && (perLane ? data.stride(l.name) !== undefined : data.stride(l.name) === data.elementBits));
  const even = candidates.find((l) => l.extent % dot.extent === 0);
  const loop = perLane && dot.extent > 2 ? fullest(candidates, dot.extent) : (even ?? candidates[candidates.length - 1]);
  if (!loop) return undefined;
  const whole = { fields: 1, bits: 8, containerBits: dot.operandBits };
  return { loop: loop.name, extent: dot.extent, ...(sevenBits ? { sevenBits } : {}), weight: weight.tensor, ...(perLane || loop !== even ? whole : fieldsOf(dot, loop, fieldBits(program.tensors[weight.tensor]))) };
}

/** The loop of which groups lack the fewest members; the outermost of several, whose vectors the inner ones share. */
function fullest(loops: readonly Loop[], extent: number): Loop | undefined {
  const idle = (l: Loop): number => (Math.ceil(l.extent / extent) * extent) / l.extent;
  return [...loops].sort((a, b) => idle(a) - idle(b))[0];
}

/** Two products must fit 32 bits: 16 bits signed would overflow in one case only, which 15 exclude. */
function arePairs(dot: DotProduct, operands: readonly Tensor[]): boolean {
  const narrow = operands.every((t) => {
    const { bits, signed } = describe(t.dtype);
    return bits <= (signed ? dot.operandBits : dot.operandBits - 1);
  });
  return narrow && !operands.every((t) => /int16$/.test(t.dtype));
}

/** How many groups of weights share a container: as many as fit and divide the loop. */
function fieldsOf(dot: DotProduct, loop: Loop, bits: number): Pick<Group, 'fields' | 'bits' | 'containerBits'> {
  const containerBits = dot.operandBits;
  let fields = Math.floor(containerBits / bits);
  const groups = loop.extent / dot.extent;
  while (fields > 1 && groups % fields !== 0) fields--;
  const worth = bits <= 5 || (bits < 8 && fields === 2);
  return { fields: worth ? Math.max(1, fields) : 1, bits, containerBits };
}
