/**
 * Interleaving: two sums of one form over few channels, such as mean and variance of a first layer, become one sum over twice the
 * channels, of which neighbours are the two sums of one channel. Six channels are two vectors of four lanes, so both sums four; interleaved
 * they are three, and one load brings the data of both. Data that differ lie side by side in one buffer, constants are merged, and results
 * are views of one tensor.
 *
 * A program-level step, after layouts are known; no bit changes: each sum keeps its terms and its order. Not here: joining the two into one
 * kernel (join.ts), and which lanes they get (defaults/).
 */
import { load, ref, rem, rowMajor } from '../ir/build.js';
import { sha256 } from '../ir/hash.js';
import { addressAt, indexKey, isAxis, mapExpr, simplify, type Ranges } from '../ir/indexing.js';
import type { Expr, Index, Kernel, Layout, Program, ProgramUnit, Tensor } from '../ir/program.js';
import { carriedTensors, dependsOn } from '../ir/walk.js';
import type { Target } from '../targets/target.js';
import { loadsOf } from './fuse.js';
import { unusedName } from './lower.js';
import { sumsAreApart } from './steps.js';

type Load = Extract<Expr, { op: 'load' }>;
type Both = readonly [Tensor, Tensor];

/** Of more channels than this, half a vector is too little to gain. */
const mostChannels = 14;

/** Interleaves every kernel that gains by it. Appends what was done to `steps`. */
export function interleaveSums(unit: ProgramUnit, target: Target, steps: string[]): ProgramUnit {
  if (target.lanes !== 4) return unit;
  return unit.program.blocks.reduce((u, block) => {
    const made = block.kind === 'kernel' ? interleaved(u, block) : undefined;
    if (made) steps.push(`interleave the sums of ${block.kind === 'kernel' ? block.name : ''}`);
    return made ?? u;
  }, unit);
}

function interleaved(unit: ProgramUnit, kernel: Kernel): ProgramUnit | undefined {
  const { program } = unit;
  const [first, second] = kernel.accumulators;
  if (kernel.accumulators.length !== 2 || kernel.stores.length !== 2 || kernel.body.length > 0 || kernel.partials !== 1 || !sumsAreApart(kernel)) return undefined;
  const outputs = kernel.stores.map((s) => program.tensors[s.tensor]) as unknown as Both;
  const lane = kernel.space.find((a) => outputs.every((t, i) => t.layout.dims.some((digits, d) => digits.length === 1 && digits[0].stride === 32 && t.shape[d] === a.extent && isAxis(kernel.stores[i].at[d], a.name))));
  if (!lane || lane.extent % 4 !== 2 || lane.extent > mostChannels) return undefined;
  const dimension = kernel.stores[0].at.findIndex((i) => isAxis(i, lane.name));
  const ranges: Ranges = new Map([...kernel.space, ...kernel.reduce].map((a) => [a.name, [0, a.extent - 1] as const]));
  if (!haveOnePlace(kernel.stores[0].at, kernel.stores[1].at, ranges)) return undefined;
  const pair = new Pair(unit, kernel, lane.name, lane.extent, ranges);
  const lets = new Map<string, Expr>();
  const whole = (e: Expr): Expr => mapExpr(e, (i) => i, (x) => (x.op === 'ref' ? lets.get(x.name) : undefined));
  for (const l of kernel.epilogue) lets.set(l.name, whole(l.value));
  const init = pair.zip(first.init, second.init);
  const update = pair.zip(first.update, second.update);
  const value = pair.zip(whole(kernel.stores[0].value), whole(kernel.stores[1].value));
  if (!init || !update || !value || !pair.data || !pair.owns(outputs)) return undefined;
  const pitch = 32 * (lane.extent + (outputs[0].layout.pad?.[dimension] ?? 0));
  const isEven = outputs[0].layout.dims.every((digits, d) => d === dimension || outputs[0].shape[d] === 1 || digits.every((x) => x.stride % pitch === 0));
  if (!isEven) return undefined;
  const [from, to] = [`${pair.data[0].name}.pair`, `${outputs[0].name}.pair`].map((name) => unusedName(program.tensors, name));
  const tensors = { ...program.tensors, ...pair.constants.tensors };
  const buffers = { ...program.buffers, ...pair.constants.buffers };
  const inputLayout = spread(pair.data[0].layout, 0);
  tensors[from] = {
    ...pair.data[0], name: from, buffer: from, shape: [2, ...pair.data[0].shape],
    layout: { ...inputLayout, dims: [[{ stride: 32, divisor: 1, modulus: 0 }], ...inputLayout.dims], ...(inputLayout.pad ? { pad: [0, ...inputLayout.pad] } : {}), ...(inputLayout.halo ? { halo: [[0, 0], ...inputLayout.halo] } : {}) },
  };
  const outputLayout = spread(outputs[0].layout, 0, dimension);
  tensors[to] = {
    ...outputs[0], name: to, buffer: to, shape: outputs[0].shape.map((n, d) => (d === dimension ? 2 * n : n)),
    layout: {
      offset: outputLayout.offset, elementBits: 32, containerBits: 32,
      dims: outputLayout.dims.map((digits, d) => (d === dimension ? [{ stride: 32, divisor: 2, modulus: 0 }, { stride: pitch, divisor: 1, modulus: 2 }] : digits)),
    },
  };
  pair.data.forEach((t, i) => { tensors[t.name] = { ...t, buffer: from, layout: spread(t.layout, 32 * i) }; });
  outputs.forEach((t, i) => { tensors[t.name] = { ...t, buffer: to, layout: spread(t.layout, pitch * i, dimension) }; });
  for (const [name, [one, other]] of [[from, pair.data], [to, outputs]] as const) {
    buffers[name] = { ...buffers[one.buffer], name, bytes: 2 * buffers[one.buffer].bytes };
    for (const t of [one, other]) delete buffers[t.buffer];
  }
  const merged: Kernel = {
    ...kernel,
    space: kernel.space.map((a) => (a === lane ? { ...a, extent: 2 * a.extent } : a)),
    accumulators: [{ ...first, init, update: mapExpr(update, (i) => i, (e) => (e.op === 'load' && e.tensor === pair.data![0].name ? load(from, [rem(lane.name, 2), ...e.at]) : undefined)) }],
    epilogue: [],
    stores: [{ ...kernel.stores[0], tensor: to, value }],
  };
  return { program: { ...program, tensors, buffers, blocks: program.blocks.map((b) => (b === kernel ? merged : b)) }, data: pair.constants.data };
}

/** Room for a second value between every two, or, with `dimension`, for second rows along it; from a place of its own. */
function spread(layout: Layout, from: number, dimension?: number): Layout {
  return { ...layout, offset: 2 * layout.offset + from, dims: layout.dims.map((digits, d) => (d === dimension ? digits : digits.map((x) => ({ ...x, stride: 2 * x.stride })))) };
}

function haveOnePlace(a: readonly Index[], b: readonly Index[], ranges: Ranges): boolean {
  const keys = (list: readonly Index[]): string => list.map((i) => indexKey(simplify(i, ranges))).join();
  return keys(a) === keys(b);
}

/** What two expressions of one form have in common, and what becomes of where they differ. */
class Pair {
  /** The data of the two sums. */
  data: Both | undefined;
  readonly constants: { tensors: Record<string, Tensor>; buffers: Record<string, Program['buffers'][string]>; data: Map<string, Uint8Array> };
  constructor(private readonly unit: ProgramUnit, private readonly kernel: Kernel, private readonly lane: string, private readonly extent: number, private readonly ranges: Ranges) {
    this.constants = { tensors: {}, buffers: {}, data: new Map(unit.data) };
  }

  /** Both as one, for the channel that the doubled axis stands for; data keep the first's name. Undefined where their forms differ. */
  zip(a: Expr, b: Expr): Expr | undefined {
    if (a.op === 'load' && b.op === 'load') return this.loads(a, b);
    const { accumulators: [first, second] } = this.kernel;
    if (a.op === 'ref') return b.op === 'ref' && a.name === first.name && b.name === second.name ? ref(first.name) : undefined;
    if (a.op === 'float') return b.op === 'float' && a.bits === b.bits ? a : undefined;
    if ((a.op !== 'add' && a.op !== 'mul') || b.op !== a.op) return undefined;
    const [left, right] = [this.zip(a.a, b.a), this.zip(a.b, b.b)];
    return left && right && { ...a, a: left, b: right };
  }

  private loads(a: Load, b: Load): Expr | undefined {
    const { tensors, buffers } = this.unit.program;
    const both: Both = [tensors[a.tensor], tensors[b.tensor]];
    if (a.guard || b.guard || both.some((t) => t.dtype !== 'float32' || t.layout.elementBits !== 32)) return undefined;
    const roles = both.map((t) => buffers[t.buffer].role);
    if (roles.every((role) => role === 'constant')) return this.constant(a, b, both);
    const isFree = a.at.every((i) => !dependsOn(i, this.lane)) && haveOnePlace(a.at, b.at, this.ranges);
    if (this.data || !isFree || !this.owns(both)) return undefined;
    this.data = both;
    return a;
  }

  /** True of two temporaries of one layout with buffers of their own, which are not carried; data are read here alone. */
  owns([a, b]: Both): boolean {
    const { program } = this.unit;
    const carried = carriedTensors(program.blocks);
    const isOwn = (t: Tensor): boolean => program.buffers[t.buffer].role === 'temporary' && !carried.has(t.name) && Object.values(program.tensors).every((o) => o === t || o.buffer !== t.buffer);
    const isData = this.kernel.stores.every((s) => s.tensor !== a.name && s.tensor !== b.name);
    const reads = program.blocks.filter((k) => k !== this.kernel && (k.kind === 'repeat' || loadsOf(k).some((l) => l.tensor === a.name || l.tensor === b.name)));
    return a !== b && isOwn(a) && isOwn(b) && JSON.stringify([a.shape, a.layout]) === JSON.stringify([b.shape, b.layout]) && (!isData || reads.length === 0);
  }

  /** Both constants as one over the axes that they depend on. */
  private constant(a: Load, b: Load, both: Both): Expr | undefined {
    const axes = [a, b].map((l) => l.at.map((i) => simplify(i, this.ranges)).filter((i) => i.terms.length > 0));
    if (axes[0].some((i) => typeof i.terms[0].of !== 'string' || !isAxis(i, i.terms[0].of)) || axes.map((list) => list.map(indexKey).join())[0] !== axes.map((list) => list.map(indexKey).join())[1]) return undefined;
    const names = axes[0].map((i) => i.terms[0].of as string);
    if (!names.includes(this.lane) || new Set(names).size !== names.length) return undefined;
    const extents = names.map((name) => (name === this.lane ? 2 * this.extent : this.ranges.get(name)![1] + 1));
    const { program, data } = this.unit;
    const views = both.map((t) => {
      const bytes = data.get(program.buffers[t.buffer].hash!)!;
      return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    });
    const out = new DataView(new ArrayBuffer(4 * extents.reduce((x, y) => x * y, 1)));
    for (let flat = 0; flat < out.byteLength / 4; flat++) {
      const at = new Map<string, number>();
      let rest = flat;
      for (let d = names.length - 1; d >= 0; d--) {
        at.set(names[d], rest % extents[d]);
        rest = Math.floor(rest / extents[d]);
      }
      const which = at.get(this.lane)! % 2;
      at.set(this.lane, Math.floor(at.get(this.lane)! / 2));
      const place = [a, b][which].at.map((i) => simplify(i, this.ranges)).map((i) => (i.terms.length > 0 ? at.get(i.terms[0].of as string)! : i.offset));
      out.setUint32(4 * flat, views[which].getUint32(addressAt(both[which].layout, place) / 8, true), true);
    }
    const bytes = new Uint8Array(out.buffer);
    const hash = sha256(bytes).slice(0, 32);
    const name = unusedName({ ...program.tensors, ...this.constants.tensors }, `${a.tensor}.pair`);
    const [low, high] = [both[0].range, both[1].range];
    this.constants.data.set(hash, bytes);
    this.constants.buffers[name] = { name, role: 'constant', bytes: bytes.length, hash };
    this.constants.tensors[name] = { name, dtype: 'float32', shape: extents, buffer: name, layout: rowMajor(extents, 32), ...(low && high ? { range: [Math.min(low[0], high[0]), Math.max(low[1], high[1])] as const } : {}) };
    return load(name, axes[0]);
  }
}
