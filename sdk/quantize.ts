/**
 * `quantize`: a float model and calibration data in, a quantized model and a report on its error out. The public door to
 * the pass of the same name (codegen/passes/quantize.ts): it runs the float network over the calibration data, twice (ranges,
 * then histograms), and the quantized one beside it (bias correction, error of each layer). Memory is bounded by one batch.
 */
import { fail } from '../codegen/ir/diagnostic.js';
import type { Graph } from '../codegen/ir/graph.js';
import { importOnnx, type ImportOptions } from '../codegen/import/onnx.js';
import { prepareFloat, quantize as quantizeGraph, restoreBatch, type Quantization, type QuantizeSettings } from '../codegen/passes/quantize.js';
import { errorGraph } from '../codegen/passes/quantizeError.js';
import { planQuantization, type QuantizationPlan } from '../codegen/passes/quantizePlan.js';
import { countInto, emptyHistogram, rangeMethods, widen, type Codes, type Observed, type RangeMethod } from '../codegen/passes/quantizeRanges.js';
import { batchFor, checkCalibration, prepareRunner, type CalibrationInputs, type CalibrationSet, type Runner } from './calibrate.js';

export type { CalibrationInputs, CalibrationTensor } from './calibrate.js';

export interface QuantizeOptions extends ImportOptions {
  /** Of activations and weights, 2 to 8; default 8. */
  readonly bits?: number;
  /** Default `bits`. With 7, activations without negative values lie in 0..127. */
  readonly activationBits?: number;
  /** Default `bits`. */
  readonly weightBits?: number;
  /** How ranges of activations are chosen; default mse. */
  readonly ranges?: RangeMethod;
  /** For ranges by percentile, 50 to 100; default 99.99. */
  readonly percentile?: number;
  /** Default true. */
  readonly biasCorrection?: boolean;
  /** Layers that stay float: how many of the worst, or their names. */
  readonly keepFloat?: number | readonly string[];
  /** Called before every stage; most of the time goes into compiling the networks that are run. */
  readonly onProgress?: (progress: QuantizeProgress) => void;
}

export interface QuantizeProgress {
  /** Of `stages`, from 1. */
  readonly stage: number;
  readonly stages: number;
  /** What is done now, in words. */
  readonly doing: string;
}

/** What quantization does to one node. */
export interface LayerReport {
  readonly name: string;
  readonly op: string;
  /** Why it stays float; absent where it does not. */
  readonly float?: string;
  /** Of the weights; absent where there are none, or they stay float. */
  readonly weightBits?: number;
  /** The codes of its inputs; none where it stays float. */
  readonly inputs: readonly Codes[];
  /** Signal to quantization noise, in dB, with this node alone quantized (its weights and inputs); Infinity without noise. */
  readonly alone: number;
  /** The same in the whole quantized network. */
  readonly total: number;
}

export interface QuantizationReport {
  /** Calibration inferences. */
  readonly count: number;
  /** In the graph's order. */
  readonly layers: readonly LayerReport[];
  /** Of each output: signal to quantization noise in dB, and in how many rows the largest element is at the same place. */
  readonly outputs: readonly { readonly name: string; readonly total: number; readonly agreeing?: number; readonly rows: number }[];
}

export interface QuantizedModel {
  /** With Quant nodes; for `compile`, `exportQonnx` and `exportQcdq`. */
  readonly graph: Graph;
  readonly report: QuantizationReport;
}

/**
 * Quantizes a float model (ONNX bytes or a Graph) with calibration data: some hundred inputs as the model will meet them.
 *
 * @throws DiagnosticError: quantize/model, quantize/calibration, quantize/options, and what importing and compiling raise.
 */
export async function quantize(model: Uint8Array | ArrayBuffer | Graph, calibration: CalibrationInputs, options: QuantizeOptions = {}): Promise<QuantizedModel> {
  const settings = checkOptions(options);
  const bytes = model instanceof ArrayBuffer ? new Uint8Array(model) : model instanceof Uint8Array ? model : undefined;
  const original = bytes ? importOnnx(bytes, options) : (model as Graph);
  const float = prepareFloat(original);
  const byName = typeof options.keepFloat === 'object' ? options.keepFloat : [];
  let plan = planQuantization(float, byName);
  const set = checkCalibration(original, calibration);
  const batch = batchFor(restoreBatch(float, original), set);

  const search = typeof options.keepFloat === 'number' && options.keepFloat > 0;
  let stage = 0;
  const tell: Tell = (doing) => options.onProgress?.({ stage: ++stage, stages: search ? 8 : 6, doing });
  const { observed, outputs } = await observe(float, original, plan, set, batch, settings, tell);
  const measureWith = (p: QuantizationPlan): Promise<Measured> => measure(float, original, p, settings, quantizeGraph(float, p, observed, settings), set, batch, options.biasCorrection ?? true, tell);
  let measured = await measureWith(plan);
  if (search) {
    const worst = worstLayers(measured.layers, options.keepFloat as number).map((l) => l.name);
    plan = planQuantization(float, worst);
    measured = await measureWith(plan);
  }
  const { graph } = quantizeGraph(float, plan, observed, settings, measured.corrections);
  const restored = restoreBatch(graph, original);
  return { graph: restored, report: { count: set.count, layers: measured.layers, outputs: await compareOutputs(restored, set, batch, outputs, tell) } };
}

/** Says which stage begins. */
type Tell = (doing: string) => void;

/** The quantized layers that are worst by themselves. */
export function worstLayers(layers: readonly LayerReport[], count: number): LayerReport[] {
  return layers.filter((l) => l.float === undefined).sort((a, b) => a.alone - b.alone).slice(0, count);
}

function checkOptions(options: QuantizeOptions): QuantizeSettings {
  const whole = (name: string, value: number, least: number, most: number): number => {
    if (!Number.isInteger(value) || value < least || value > most) fail('quantize/options', name, `expected a whole number of ${least} to ${most}, found ${value}`);
    return value;
  };
  const { bits = 8, percentile = 99.99, ranges = 'mse', keepFloat = 0 } = options;
  if (!(percentile >= 50 && percentile <= 100)) fail('quantize/options', 'percentile', `expected a number of 50 to 100, found ${percentile}`);
  if (!rangeMethods.includes(ranges)) fail('quantize/options', 'ranges', `expected ${rangeMethods.join(', ')}, found ${String(ranges)}`);
  if (typeof keepFloat === 'number') whole('keepFloat', keepFloat, 0, 2 ** 16);
  whole('bits', bits, 2, 8);
  return { ranges, percentile, activationBits: whole('activationBits', options.activationBits ?? bits, 2, 8), weightBits: whole('weightBits', options.weightBits ?? bits, 2, 8) };
}

// ---- Ranges --------------------------------------------------------------------------------------------------------

interface FloatRun {
  readonly observed: ReadonlyMap<string, Observed>;
  readonly outputs: ReadonlyMap<string, Float32Array>;
}

/** The float network over the calibration data: what each value that gets a quantizer holds, and the model's outputs. */
async function observe(float: Graph, original: Graph, plan: QuantizationPlan, set: CalibrationSet, batch: number, settings: QuantizeSettings, tell: Tell): Promise<FloatRun> {
  const points = [...plan.points.keys()];
  const computed = points.filter((name) => !float.inputs.includes(name));
  const graph = restoreBatch({ ...float, outputs: [...new Set([...float.outputs, ...computed])] }, original);
  tell('compiling the float network');
  const runner = await prepareRunner(graph, set, batch);
  tell('looking for the ranges of its values');
  const observed = new Map<string, Observed>();
  const see = (visit: (name: string, data: ArrayLike<number>) => void, also?: (outputs: Readonly<Record<string, ArrayLike<number>>>, fresh: number) => void): void => {
    for (const { name, data } of set.inputs) if (points.includes(name)) visit(name, data);
    runner.run((outputs, fresh) => {
      for (const name of computed) visit(name, outputs[name]);
      also?.(outputs, fresh);
    });
  };
  const gathered = gather(runner, float.outputs, set.count, batch);
  see((name, data) => observed.set(name, widen(observed.get(name), data)), gathered.add);
  if (settings.ranges !== 'max') {
    for (const [name, range] of observed) observed.set(name, { ...range, histogram: emptyHistogram() });
    see((name, data) => countInto(observed.get(name)!, data));
  }
  return { observed, outputs: gathered.outputs };
}

/** Outputs of all inferences, one after another, where they are batched; of the last call where not. */
function gather(runner: Runner, names: readonly string[], count: number, batch: number): { outputs: Map<string, Float32Array>; add(outputs: Readonly<Record<string, ArrayLike<number>>>, fresh: number): void } {
  const slots = runner.session.manifest.outputs.filter((t) => names.includes(t.name) && t.dtype === 'float32');
  const sizeOf = (shape: readonly number[]): number => shape.reduce((a, b) => a * b, 1);
  const outputs = new Map(slots.map((t) => [t.name, new Float32Array(t.batched ? (sizeOf(t.shape) / batch) * count : sizeOf(t.shape))]));
  let done = 0;
  return {
    outputs,
    add(results, fresh) {
      for (const t of slots) {
        const size = sizeOf(t.shape) / batch;
        const data = results[t.name] as Float32Array;
        if (t.batched) outputs.get(t.name)!.set(data.subarray(0, fresh * size), done * size);
        else outputs.get(t.name)!.set(data);
      }
      done += fresh;
    },
  };
}

// ---- Error ---------------------------------------------------------------------------------------------------------

interface Measured {
  readonly layers: readonly LayerReport[];
  readonly corrections: ReadonlyMap<string, Float64Array>;
}

/** Float and quantized network side by side: first, where wanted, the corrections of biases; then the error with them. */
async function measure(float: Graph, original: Graph, plan: QuantizationPlan, settings: QuantizeSettings, quantization: Quantization, set: CalibrationSet, batch: number, correct: boolean, tell: Tell): Promise<Measured> {
  // The batch gets a name: the further inputs have first dimensions of 1, which are none.
  const inputs = Object.fromEntries(set.inputs.map(({ name, batched }) => {
    const value = original.values[name];
    return [name, batched && set.rebatches ? { ...value, shape: ['N', ...value.shape!.slice(1)] } : value];
  }));
  const { graph, onTheFly, probes } = errorGraph(float, plan, quantization, inputs);
  tell('compiling the float and the quantized network side by side');
  const runner = await prepareRunner(graph, set, batch);
  tell(correct ? 'correcting biases and measuring the error of each layer' : 'measuring the error of each layer');
  const { session } = runner;
  const corrections = new Map<string, Float64Array>();
  if (correct) {
    session.inputs[onTheFly].data.set([1]);
    let calls = 0;
    const sums = new Map(probes.filter((p) => p.shift).map((p) => [p, new Float64Array(p.channels!)]));
    runner.run((outputs) => {
      calls++;
      for (const [probe, sum] of sums) for (let c = 0; c < sum.length; c++) sum[c] += outputs[probe.shift!][c];
    });
    for (const [probe, sum] of sums) {
      corrections.set(probe.node, sum.map((x) => x / calls));
      session.inputs[probe.correction!].data.set(corrections.get(probe.node)!);
    }
    session.inputs[onTheFly].data.set([0]);
  }
  const powers = new Map(probes.map((p) => [p, { signal: 0, alone: 0, total: 0 }]));
  runner.run((outputs) => {
    for (const [probe, power] of powers) {
      for (const kind of ['signal', 'alone', 'total'] as const) for (const x of outputs[probe[kind] ?? ''] ?? []) power[kind] += x;
    }
  });
  const planned = new Map(plan.nodes.map((n) => [n.node.name, n]));
  const layers = [...powers].map(([probe, { signal, alone, total }]): LayerReport => {
    const own = planned.get(probe.node);
    const node = own?.node ?? float.nodes.find((n) => n.name === probe.node)!;
    return {
      name: node.name,
      op: node.op,
      ...(own ? {} : { float: plan.left.find((l) => l.node.name === node.name)?.reason ?? 'kept in float' }),
      ...(own?.weights ? { weightBits: settings.weightBits } : {}),
      inputs: (own?.inputs ?? []).map((k) => quantization.codes.get(plan.sources.get(node.inputs[k])![0])!),
      alone: decibels(signal, alone),
      total: decibels(signal, total),
    };
  });
  return { layers, corrections };
}

/** Infinite where there is no noise. */
const decibels = (signal: number, noise: number): number => 10 * Math.log10(signal / noise);

/** The quantized model's outputs against those of the float model. */
async function compareOutputs(graph: Graph, set: CalibrationSet, batch: number, expected: ReadonlyMap<string, Float32Array>, tell: Tell): Promise<QuantizationReport['outputs']> {
  tell('compiling the quantized network');
  const runner = await prepareRunner(graph, set, batch);
  tell('comparing its outputs with the float network\'s');
  const found = gather(runner, graph.outputs, set.count, batch);
  runner.run((outputs, fresh) => found.add(outputs, fresh));
  return [...expected].map(([name, data]) => {
    const { shape } = runner.session.manifest.outputs.find((t) => t.name === name)!;
    const classes = shape.length > 1 ? shape[shape.length - 1] : 1;
    const rows = data.length / classes;
    const other = found.outputs.get(name)!;
    let [signal, noise, agreeing] = [0, 0, 0];
    data.forEach((x, i) => {
      signal += x * x;
      noise += (x - other[i]) ** 2;
    });
    for (let r = 0; r < rows; r++) if (largest(data, r * classes, classes) === largest(other, r * classes, classes)) agreeing++;
    return { name, total: decibels(signal, noise), rows, ...(classes > 1 ? { agreeing } : {}) };
  });
}

function largest(data: ArrayLike<number>, start: number, count: number): number {
  let best = 0;
  for (let i = 1; i < count; i++) if (data[start + i] > data[start + best]) best = i;
  return best;
}
