/**
 * Products of -1 and +1 as matches: where both factors are bipolar, a sum of K products is twice the number of equal signs less K
 * (XNOR and popcount). Values and weights become one bit each, multipliers one gate. Pools and copies between such layers carry the
 * bits: the greater of two bipolar values is the greater bit. A step on the Program; integers are exact.
 */
import { compare, int, mul, ref, sub } from '../../ir/build.js';
import { describe, smallestInteger } from '../../ir/datatype.js';
import { sha256 } from '../../ir/hash.js';
import { mapLoads } from '../../ir/indexing.js';
import { hasCodes, progressionOf } from '../../ir/progression.js';
import type { Expr, Kernel, Program, ProgramUnit, Tensor } from '../../ir/program.js';
import { touched } from '../../ir/verifyDataflow.js';
import { carriedTensors, kernelsOf } from '../../ir/walk.js';
import { loadsOf } from '../fuse.js';

type Load = Extract<Expr, { op: 'load' }>;
const signs = { base: -1, step: 2 };

/** The kernels outside repeats whose sums of bipolar products can be counted, with what they read become bits. Appends to `steps`. */
export function countMatches(unit: ProgramUnit, steps: string[]): ProgramUnit {
  let { program } = unit;
  const data = new Map(unit.data);
  const coded = codedTensors(program);
  if (coded.size === 0) return unit;
  const weights = new Map<string, string>();
  const bitsOf = (name: string): string => {
    const known = weights.get(name);
    if (known) return known;
    const tensor = program.tensors[name];
    const bytes = unit.data.get(program.buffers[tensor.buffer].hash!)!;
    // One whole element a value, as `lower` stores constants.
    const bits = Uint8Array.from({ length: (bytes.length * 8) / tensor.layout.elementBits }, (_, i) => (bytes[((i + 1) * tensor.layout.elementBits) / 8 - 1] & 128 ? 0 : 1));
    const hash = sha256(bits).slice(0, 32);
    const own = `${name}.bits`;
    data.set(hash, bits);
    const layout = { ...tensor.layout, elementBits: 8, containerBits: 8, dims: tensor.layout.dims.map((d) => d.map((x) => ({ ...x, stride: (x.stride / tensor.layout.elementBits) * 8 }))) };
    program = {
      ...program,
      tensors: { ...program.tensors, [own]: { name: own, dtype: 'uint1', shape: tensor.shape, buffer: own, layout, range: [0, 1] } },
      buffers: { ...program.buffers, [own]: { name: own, role: 'constant', bytes: bits.length, hash } },
    };
    weights.set(name, own);
    return own;
  };
  const blocks = program.blocks.map((b) => {
    if (b.kind !== 'kernel') return b;
    if (carries(b, coded)) {
      steps.push(`carry bits in ${b.name}`);
      return carried(b);
    }
    let kernel: Kernel = { ...b, stores: b.stores.map((s) => (coded.has(s.tensor) ? { ...s, value: compare('gt', s.value, int(0, program.tensors[s.tensor].dtype)) } : s)) };
    const factors = factorsOf(kernel, program);
    if (factors && coded.has(factors.data.tensor)) {
      steps.push(`count matches in ${b.name}`);
      kernel = counted(kernel, factors, bitsOf(factors.weight.tensor));
    }
    return kernel;
  });
  const tensors = Object.fromEntries(Object.entries(program.tensors).map(([name, t]): [string, Tensor] => [name, coded.has(name) ? { ...t, dtype: 'uint1', range: [0, 1], step: undefined } : t]).map(([name, { step, ...t }]) => [name, step === undefined ? t : { ...t, step }]));
  return { program: { ...program, blocks, tensors }, data };
}

/** The tensors that can be bits: all that is written is bipolar, and all that reads counts matches or carries the bits on. */
function codedTensors(program: Program): Set<string> {
  const lasting = carriedTensors(program.blocks);
  const kernels = kernelsOf(program.blocks);
  const coded = new Set<string>();
  for (const tensor of Object.values(program.tensors)) {
    const [least, most] = tensor.range ?? [describe(tensor.dtype).min, describe(tensor.dtype).max];
    const isSmall = tensor.dtype !== 'float32' && least >= -2 && most <= 2;
    if (isSmall && program.buffers[tensor.buffer].role === 'temporary' && !lasting.has(tensor.name) && isAlone(tensor, program)) coded.add(tensor.name);
  }
  const isCoded = (tensor: string): boolean => {
    const readers = program.blocks.filter((b) => touched([b]).reads.has(tensor));
    return readers.length > 0 && readers.every((b) => b.kind === 'kernel' && (factorsOf(b, program)?.data.tensor === tensor || carries(b, coded))) &&
      kernels.every((k) => k.stores.every((s) => s.tensor !== tensor || isBipolar(s.value, k, program, coded)));
  };
  // One that is not takes those with it that it is carried from or to.
  for (let before = Infinity; coded.size < before; ) {
    before = coded.size;
    for (const tensor of [...coded]) if (!isCoded(tensor)) coded.delete(tensor);
  }
  return coded;
}

function isAlone(tensor: Tensor, program: Program): boolean {
  return Object.values(program.tensors).every((t) => t === tensor || t.buffer !== tensor.buffer);
}

/** True where what is stored is proved to be -1 or 1, if the coded tensors are; names stand for their values. */
function isBipolar(value: Expr, kernel: Kernel, program: Program, coded: ReadonlySet<string>): boolean {
  const lets = new Map([...kernel.body, ...kernel.epilogue].map((l) => [l.name, l.value]));
  const isSign = (e: Expr, within?: string): boolean => {
    if (e.op === 'load') return coded.has(e.tensor) && (!e.otherwise || isSign(e.otherwise));
    if (e.op === 'max' || e.op === 'min') return isSign(e.a, within) && isSign(e.b, within);
    if (e.op !== 'ref') return hasCodes(progressionOf(e, program), signs);
    if (e.name === within) return true;
    if (lets.has(e.name)) return isSign(lets.get(e.name)!, within);
    const acc = kernel.accumulators.find((a) => a.name === e.name);
    return acc !== undefined && isSign(acc.init) && isSign(acc.update, acc.name);
  };
  return isSign(value);
}

/** True where a kernel gives coded tensors on and makes nothing else of them: copies, and pools of the greatest or the least. */
function carries(kernel: Kernel, coded: ReadonlySet<string>): boolean {
  const isMoved = (e: Expr): boolean => {
    switch (e.op) {
      case 'ref': return true;
      case 'int': return e.value === -1 || e.value === 1;
      case 'max': case 'min': return isMoved(e.a) && isMoved(e.b);
      case 'load': return coded.has(e.tensor) && (!e.otherwise || isMoved(e.otherwise));
      default: return false;
    }
  };
  return loadsOf(kernel).length > 0 && kernel.stores.every((s) => coded.has(s.tensor) && isMoved(s.value)) &&
    [...kernel.body, ...kernel.epilogue].every((l) => isMoved(l.value)) && kernel.accumulators.every((a) => isMoved(a.init) && isMoved(a.update));
}

/** Such a kernel on bits. */
function carried(kernel: Kernel): Kernel {
  const bit = (e: Expr): Expr => {
    if (e.op === 'int') return int(e.value > 0 ? 1 : 0, 'uint1');
    if (e.op === 'max' || e.op === 'min') return { ...e, type: 'uint1', a: bit(e.a), b: bit(e.b) };
    return e.op === 'load' && e.otherwise ? { ...e, otherwise: bit(e.otherwise) } : e;
  };
  const bits = (lets: Kernel['epilogue']): Kernel['epilogue'] => lets.map((l) => ({ ...l, type: 'uint1', value: bit(l.value) }));
  return {
    ...kernel, body: bits(kernel.body), epilogue: bits(kernel.epilogue),
    accumulators: kernel.accumulators.map((a) => ({ ...a, type: 'uint1', init: bit(a.init), update: bit(a.update) })),
    stores: kernel.stores.map((s) => ({ ...s, value: bit(s.value) })),
  };
}

/** The factors of a kernel that sums the products of bipolar values, the second constant. */
function factorsOf(kernel: Kernel, program: Program): { readonly data: Load; readonly weight: Load } | undefined {
  const [acc] = kernel.accumulators;
  if (kernel.accumulators.length !== 1 || kernel.partials !== 1 || kernel.body.length > 0 || acc.type === 'float32' || acc.init.op !== 'int' || acc.init.value !== 0) return undefined;
  const { update } = acc;
  if (update.op !== 'add' || update.a.op !== 'ref' || update.a.name !== acc.name || update.b.op !== 'mul') return undefined;
  const { a, b } = update.b;
  if (a.op !== 'load' || b.op !== 'load' || a.guard || b.guard) return undefined;
  const isWeight = (l: Load): boolean => program.buffers[program.tensors[l.tensor].buffer].role === 'constant';
  if (isWeight(a) === isWeight(b)) return undefined;
  const [data, weight] = isWeight(b) ? [a, b] : [b, a];
  const { range, step, layout } = program.tensors[weight.tensor];
  const signsOnly = range !== undefined && range[0] === -1 && range[1] === 1 && step === 2 && layout.elementBits === layout.containerBits && layout.offset === 0;
  // Other loads of the data would see bits.
  return signsOnly && loadsOf(kernel).filter((l) => l.tensor === data.tensor).length === 1 ? { data, weight } : undefined;
}

function counted(kernel: Kernel, { data, weight }: { data: Load; weight: Load }, bits: string): Kernel {
  const [acc] = kernel.accumulators;
  const points = kernel.reduce.reduce((n, a) => n * a.extent, 1);
  const type = smallestInteger(0, points);
  const name = `${acc.name}.matches`;
  const twice = mul(smallestInteger(0, 2 * points), int(2, 'uint2'), ref(name));
  const moved = mapLoads(kernel, (l) => (l.tensor === weight.tensor ? { ...l, tensor: bits } : l));
  const loads = loadsOf(moved);
  const [x, w] = [loads.find((l) => l.tensor === data.tensor)!, loads.find((l) => l.tensor === bits)!];
  return {
    ...moved,
    accumulators: [{ name, type, init: int(0, type), update: { op: 'add', type, a: ref(name), b: compare('eq', x, w) } }],
    epilogue: [{ name: acc.name, type: acc.type, value: sub(acc.type, twice, int(points, smallestInteger(0, points))) }, ...moved.epilogue],
  };
}
