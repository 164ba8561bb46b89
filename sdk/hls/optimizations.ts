/**
 * What the compiler did to make a circuit small, each with its effect in figures: facts of the graph before and after the passes, of
 * the kernels, and of the circuit. Not here: how they look (report.ts).
 */
import { describe } from '../../codegen/ir/datatype.js';
import type { Graph } from '../../codegen/ir/graph.js';
import type { Expr, Kernel, Program } from '../../codegen/ir/program.js';
import { processesOf } from '../../codegen/ir/verifyDataflow.js';
import { kernelsOf, walkExpr } from '../../codegen/ir/walk.js';
import { isMover } from '../../codegen/schedule/fabric/movers.js';
import type { Ablation, Figures } from './effects.js';
import type { Project } from './types.js';

/** One optimization and what it did here. */
export interface Optimization {
  readonly name: string;
  readonly effect: string;
  /** What the circuit would be without it; none where that has no figures, or no such circuit can be made. */
  readonly without: readonly { readonly way: string; readonly figures: Figures }[];
  /** Whether the model gave it something to do. */
  readonly applies: boolean;
}

/** An integer accumulator: bits by its operands' types, and those that its weights can reach. */
export interface AccumulatorWidth {
  readonly kernel: string;
  readonly products: number;
  readonly byTypes: number;
  readonly proved: number;
}

const plural = (n: number, what: string, many = `${what}s`): string => `${n.toLocaleString('en-US')} ${n === 1 ? what : many}`;
/** Names, of many the first. */
const listed = (names: readonly string[], most = 6): string => (names.length <= most ? names.join(', ') : `${names.slice(0, most).join(', ')} and ${names.length - most} more`);
const count = (graph: Graph, ops: readonly string[]): number => graph.nodes.filter((n) => ops.includes(n.op)).length;

const quantizers = ['Quant', 'BipolarQuant', 'QuantizeLinear', 'MultiThreshold', 'Trunc'];
const activations = ['Relu', 'Clip', 'LeakyRelu', 'PRelu', 'Sigmoid', 'Tanh', 'HardSigmoid', 'Sign'];

/** Signed bits that hold [low, high]; of an unsigned range its own. */
function bitsOf(low: number, high: number): number {
  const unsigned = Math.ceil(Math.log2(high + 1));
  return low >= 0 ? Math.max(1, unsigned) : Math.max(Math.ceil(Math.log2(-low)), unsigned) + 1;
}

/** The tensors that an expression reads. */
function tensorsIn(e: Expr): string[] {
  const found: string[] = [];
  walkExpr(e, { expr: (x) => { if (x.op === 'load') found.push(x.tensor); } });
  return found;
}

/** Sums of integer products or of matches, as wide as the types of their operands would need, and as they are. */
export function accumulatorWidths(program: Program): AccumulatorWidth[] {
  return kernelsOf(program.blocks).flatMap((k) => {
    const [acc] = k.accumulators;
    if (k.accumulators.length !== 1 || !describe(acc.type).integer || acc.update.op !== 'add') return [];
    const operands = summands(acc.update, k);
    if (!operands) return [];
    const products = k.reduce.reduce((n, a) => n * a.extent, 1);
    const [a, b] = operands.map((t) => describe(program.tensors[t].dtype));
    // One bit against one: a match.
    const ends = [a.min * b.min, a.min * b.max, a.max * b.min, a.max * b.max].map((x) => x * products);
    return [{ kernel: k.name, products, byTypes: bitsOf(Math.min(...ends, 0), Math.max(...ends, 0)), proved: describe(acc.type).bits }];
  });
}

/** The layers whose bipolar products are counted as matches. */
export const countedLayers = (program: Program): string[] => (program.steps ?? []).flatMap((s) => /^count matches in (.*)$/.exec(s)?.slice(1) ?? []);

/** The two integer tensors of which a sum adds up products, or counts matches. */
function summands(update: Expr, kernel: Kernel): [string, string] | undefined {
  const lets = new Map(kernel.body.map((l) => [l.name, l.value]));
  let found: [string, string] | undefined;
  const look = (e: Expr): void => walkExpr(e, {
    expr: (x) => {
      if (x.op === 'ref' && lets.has(x.name)) look(lets.get(x.name)!);
      if (x.op !== 'mul' && x.op !== 'eq') return;
      const sides = [x.a, x.b].map((side) => tensorsIn(side.op === 'ref' && lets.has(side.name) ? lets.get(side.name)! : side));
      if (sides.every((s) => s.length === 1)) found ??= [sides[0][0], sides[1][0]];
    },
  });
  look(update);
  return found;
}

/** Everything that was done, in the order of the compiler. */
export function optimizations({ imported, graph, lowered, unit, estimate, depths, effects }: Project): Optimization[] {
  const without = (...ways: readonly (readonly [Ablation, string])[]): Optimization['without'] => ways.flatMap(([name, way]) => (effects.without[name] ? [{ way, figures: effects.without[name] }] : []));
  const { program } = unit;
  const kernels = kernelsOf(program.blocks);
  const [normalizations, left] = [count(imported, ['BatchNormalization']), count(graph, ['BatchNormalization'])];
  const ofData = imported.nodes.filter((n) => quantizers.includes(n.op) && !Object.hasOwn(imported.constants, n.inputs[0])).length;
  const merged = [ofData, count(imported, activations)];
  const thresholds = Object.values(program.tensors).filter((t) => /_thresholds(@|$)/.test(t.name));
  const before = kernelsOf(lowered.program.blocks).length;
  const computing = kernels.filter((k) => !isMover(k));
  const fused = (program.steps ?? []).filter((s) => /^(fuse|read|join) /.test(s));
  const widths = accumulatorWidths(program);
  const [wide, narrow] = [widths.reduce((n, w) => n + w.byTypes, 0), widths.reduce((n, w) => n + w.proved, 0)];
  const constants = Object.values(program.tensors).filter((t) => program.buffers[t.buffer].role === 'constant');
  const stored = constants.reduce((n, t) => n + t.shape.reduce((a, b) => a * b, 1) * describe(t.dtype).bits, 0);
  const counted = countedLayers(program);
  const streams = program.dataflow?.streams ?? [];
  const streamBits = (s: (typeof streams)[number]): number => s.lanes * describe(program.tensors[s.tensor].dtype).bits;
  const whole = streams.reduce((n, s) => n + program.tensors[s.tensor].shape.reduce((a, b) => a * b, 1) * describe(program.tensors[s.tensor].dtype).bits, 0);
  const queued = streams.reduce((n, s) => n + s.depth * streamBits(s), 0);
  const memories = estimate.processes.map((p) => p.parts.memories);
  const placed = (kind: string): string => listed(kernels.flatMap((k) => Object.entries(k.scheduled?.memories ?? {}).flatMap(([array, m]) => (m === kind ? [array.replace(/@.*/, '')] : [])))) || 'no constant';
  const windows = kernels.flatMap((k) => (k.scheduled?.locals ?? []).filter((l) => l.name.endsWith('.window')).map((l) => ({ bits: l.shape.reduce((a, b) => a * b, 1) * describe(l.type).bits })));
  return [
    {
      name: 'Batch normalization folded',
      applies: normalizations > 0,
      without: without(['normalization', 'normalization in float32']),
      effect: normalizations === 0 ? 'the model has none' : `${normalizations - left} of ${normalizations} went into weights, biases or thresholds (${listed(imported.nodes.filter((n) => n.op === 'BatchNormalization').map((n) => n.name))})${left === 0 ? '; no circuit is left of them' : ''}`,
    },
    {
      name: 'Activation and quantizer merged into the layer before',
      applies: merged[0] > 0,
      without: without(['merging', 'quantizers in float32']),
      effect: merged[0] === 0 ? 'the model has no quantizers: it computes in float32' : `${plural(merged[0], 'quantizer')} of activations and ${plural(merged[1], 'activation')} of the model ended as ${thresholds.length === 0 ? 'integer arithmetic' : `comparisons with thresholds behind ${plural(thresholds.length, 'sum')}`}`,
    },
    {
      name: 'Thresholds clipped to what a sum can reach',
      applies: thresholds.length > 0,
      without: without(['thresholds', 'thresholds of 32 bits']),
      effect: thresholds.length === 0 ? 'there are none' : thresholds.map((t) => `${t.name.replace(/_thresholds.*/, '')}: ${t.shape.reduce((a, b) => a * b, 1).toLocaleString('en-US')} of ${t.range ? `${bitsOf(t.range[0], t.range[1])} bits (${t.range[0]} to ${t.range[1]})` : t.dtype}`).join('; '),
    },
    {
      name: 'Accumulators as wide as their weights can reach',
      applies: narrow < wide || effects.without.accumulators !== undefined,
      without: without(['accumulators', 'sums of 32 bits']),
      effect: widths.length === 0 ? 'there are no sums of integer products' : `${plural(narrow, 'bit')} in ${plural(widths.length, 'sum')}${narrow < wide ? `, where the types of the operands would need ${wide}` : ', as the types of the operands need them'} (table below)`,
    },
    {
      name: 'Kernels fused',
      applies: fused.length > 0,
      without: [],
      effect: `${plural(before, 'kernel')} of the model became ${plural(computing.length, 'kernel')} in ${plural(processesOf(program).filter((p) => kernelsOf(p.body).some((k) => computing.includes(k))).length, 'process', 'processes')}: ${fused.length === 0 ? 'nothing to fuse' : plural(fused.length, 'step')}`,
    },
    {
      name: 'Bipolar products as XNOR and a count of ones',
      applies: counted.length > 0,
      without: without(['matches', 'signs multiplied']),
      effect: counted.length === 0 ? 'no layer has bipolar weights and bipolar inputs' : `${plural(counted.length, 'layer')}: ${counted.join(', ')}`,
    },
    {
      name: 'Constants in as many bits as they need',
      applies: stored > 0,
      without: [],
      effect: `${kib(stored)} of weights, thresholds and other constants, as they are stored (float32 weights would be ${kib(constants.reduce((n, t) => n + t.shape.reduce((a, b) => a * b, 1) * 32, 0))})`,
    },
    {
      name: 'Constants and arrays in LUTs or in block memory, by their shape',
      applies: true,
      without: without(['all constants in block memory', 'constants in block RAM'], ['all constants in LUTs', 'constants in LUTs']),
      effect: `${plural(Math.round(memories.reduce((n, m) => n + m.lut, 0)), 'LUT')} and ${plural(Math.round(memories.reduce((n, m) => n + m.bram18, 0)), 'block')} of 18 Kbit; what is short or wide lies in LUTs: ${placed('lutram')}; in blocks: ${placed('bram')}`,
    },
    {
      name: 'Depths of the streams minimized',
      applies: streams.length > 0,
      without: without(['depths', 'queues of whole tensors']),
      effect: `${plural(streams.reduce((n, s) => n + (depths.least[`${s.tensor} to ${s.to}`] ?? s.depth), 0), 'word')} needed and ${plural(streams.reduce((n, s) => n + s.depth, 0), 'word')} built, where whole tensors would be ${plural(streams.reduce((n, s) => n + program.tensors[s.tensor].shape.reduce((a, b) => a * b, 1) / s.lanes, 0), 'word')}, at the speed of queues without end`,
    },
    {
      name: 'Streams instead of whole tensors',
      applies: streams.length > 0,
      without: [],
      effect: `${plural(streams.length, 'queue')} of ${kib(queued)} and ${windows.length === 0 ? 'no line buffers' : `${plural(windows.length, 'window')} of ${kib(windows.reduce((n, w) => n + w.bits, 0))}`} hold what would be ${kib(whole)} of tensors`,
    },
  ];
}

/** Bits as KiB. */
function kib(bits: number): string {
  return bits < 8192 ? `${Math.ceil(bits / 8).toLocaleString('en-US')} bytes` : `${(bits / 8192).toFixed(1)} KiB`;
}
