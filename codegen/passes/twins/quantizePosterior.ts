/**
 * `quantizePosterior`: posteriors in few bits. VPQ quantizes the parameters (mean uniformly, standard deviation to powers of two), SPQ the
 * drawn weight, JQ both (Borras, Wu, Klein and Froening 2025, "Quantized Bayesian neural networks", as far as it is published).
 *
 * After it the posteriors hold codes, which the twins decode where they are read. Not here: choosing scales (posteriorCodes.ts).
 */
import { fail, suggest } from '../../ir/diagnostic.js';
import { makeConstant, type Constant, type Graph, type Posterior, type QuantizedPosterior } from '../../ir/graph.js';
import { coordinateOf } from '../../ops/quantization.js';
import {
  drawnScale, greatestPower, greatestUniform, powerCode, powerReach, powerValue, uniformCode, uniformError, uniformScale, type Clip,
} from './posteriorCodes.js';

export type PosteriorScheme = 'vpq' | 'spq' | 'jq';

export interface PosteriorQuantization {
  /** vpq (default): mean and deviation are stored as codes. spq: drawn weights are rounded. jq: both. */
  readonly scheme?: PosteriorScheme;
  /** Of each code and of a rounded weight, 2 to 8. */
  readonly bits: number;
  /** One scale for each output channel of a layer (default), or one for each weight tensor. Biases always have one. */
  readonly granularity?: 'channel' | 'tensor';
  /** How the greatest value with a code is found; default mse. */
  readonly clip?: Clip;
}

export const posteriorSchemes: readonly PosteriorScheme[] = ['vpq', 'spq', 'jq'];

/** Biases get so many bits where weights get fewer: they are few, and each is a whole output. */
const leastBiasBits = 8;

/** The graph with every posterior quantized. Takes an inferred graph, before constants are folded. Raises graph/posterior for options that do not exist. */
export function quantizePosterior(graph: Graph, options: PosteriorQuantization): Graph {
  check(options);
  // Twins of several batches are made of one posterior.
  const known = made.get(graph.posteriors!) ?? new Map<string, Pick<Graph, 'constants' | 'posteriors'>>();
  const key = JSON.stringify(options);
  if (!known.has(key)) known.set(key, quantizeAll(graph, options));
  made.set(graph.posteriors!, known);
  const { constants, posteriors } = known.get(key)!;
  return { ...graph, constants: { ...graph.constants, ...constants }, posteriors };
}

const made = new WeakMap<NonNullable<Graph['posteriors']>, Map<string, Pick<Graph, 'constants' | 'posteriors'>>>();

function quantizeAll(graph: Graph, options: PosteriorQuantization): Pick<Graph, 'constants' | 'posteriors'> {
  const { scheme = 'vpq', granularity = 'channel', clip = 'mse' } = options;
  const constants: Record<string, Constant> = {};
  const posteriors: Record<string, Posterior> = {};
  for (const [name, { deviation }] of Object.entries(graph.posteriors!)) {
    const mean = graph.constants[name];
    const isBias = mean.shape.length < 2;
    const bits = isBias ? Math.max(options.bits, leastBiasBits) : options.bits;
    const channels = granularity === 'channel' && !isBias ? outputAxis(graph, name) : undefined;
    const quantized = quantize(new Channels(mean, deviation, channels), { scheme, bits, clip });
    constants[name] = quantized.mean;
    posteriors[name] = { deviation: quantized.deviation, quantized: { axis: channels ?? 0, ...quantized.quantized } };
  }
  return { constants, posteriors };
}

function check({ scheme, bits, granularity, clip }: PosteriorQuantization): void {
  const refuse = (option: string, message: string, advice: string): never => fail('graph/posterior', option, message, advice);
  if (!Number.isInteger(bits) || bits < 2 || bits > 8) refuse('bits', `posteriors take 2 to 8 bits, and ${bits} are asked for`, 'Give a whole number from 2 to 8.');
  const choose = (option: string, value: string, from: readonly string[]): void => {
    if (!from.includes(value)) refuse(option, `"${value}" is none of ${from.join(', ')}`, suggest(value, from, option));
  };
  if (scheme !== undefined) choose('scheme', scheme, posteriorSchemes);
  if (granularity !== undefined) choose('granularity', granularity, ['channel', 'tensor']);
  if (typeof clip === 'string') choose('clip', clip, ['max', 'mse']);
  else if (clip && !(clip.percentile > 0 && clip.percentile <= 100)) refuse('clip', `${clip.percentile} is no percentile`, 'Give a number above 0, at most 100.');
}

/** The dimension of a weight that is the output of every layer that it is read by; undefined where they have none in common. */
function outputAxis(graph: Graph, name: string): number | undefined {
  const axes = graph.nodes.filter((n) => n.inputs.includes(name)).map(({ op, inputs, attributes }) => {
    const rank = graph.constants[name].shape.length;
    if (inputs[1] !== name || inputs[0] === name) return undefined;
    if (op === 'Conv') return 0;
    if (op === 'Gemm') return attributes.transB ? 0 : 1;
    return op === 'MatMul' && rank === 2 ? 1 : undefined;
  });
  return axes.length > 0 && axes.every((a) => a === axes[0]) ? axes[0] : undefined;
}

/** Mean and deviation of a weight, channel by channel. */
class Channels {
  readonly count: number;
  readonly means: readonly Float64Array[];
  readonly deviations: readonly Float64Array[];

  constructor(readonly mean: Constant, readonly deviation: Constant, private readonly axis?: number) {
    this.count = axis === undefined ? 1 : mean.shape[axis];
    const split = ({ data }: Constant): Float64Array[] => {
      const parts: number[][] = Array.from({ length: this.count }, () => []);
      data.forEach((x, i) => parts[this.of(i)].push(x));
      return parts.map((p) => Float64Array.from(p));
    };
    this.means = split(mean);
    this.deviations = split(deviation);
  }

  /** The channel of element i. */
  of(i: number): number {
    return this.axis === undefined ? 0 : coordinateOf(this.mean.shape, i, this.axis);
  }
}

interface Settings {
  readonly scheme: PosteriorScheme;
  readonly bits: number;
  readonly clip: Clip;
}

interface Made {
  readonly mean: Constant;
  readonly deviation: Constant;
  readonly quantized: Pick<QuantizedPosterior, 'codes' | 'rounding'>;
}

function quantize(weight: Channels, { scheme, bits, clip }: Settings): Made {
  const greatest = greatestUniform(bits);
  const step = scheme === 'vpq' ? undefined : positive(weight.means.map((m, c) => drawnScale(m, weight.deviations[c], greatest, clip)));
  const rounding = step && { step: floats(step), greatest };
  if (scheme === 'spq') return { mean: weight.mean, deviation: weight.deviation, quantized: { rounding } };
  const coded = encode(weight, bits, clip, step);
  return { ...coded, quantized: { ...coded.quantized, ...(rounding ? { rounding } : {}) } };
}

/**
 * Codes of means and deviations. Where draws are rounded to steps, the scales of all channels are the same multiples of their
 * steps: the moments are then, in steps, a function of the two codes alone.
 */
function encode(weight: Channels, bits: number, clip: Clip, step?: readonly number[]): Made {
  const greatest = greatestUniform(bits);
  const most = greatestPower(bits);
  const hasZero = weight.deviation.data.some((s) => s === 0);
  const own = positive(weight.means.map((m, c) => uniformScale(m, weight.deviations[c], greatest, clip)));
  const isTied = step !== undefined && weight.count > 1;
  const meanScale = isTied ? meansInSteps(weight, own, step, greatest, clip) : own;
  const deviationScale = isTied ? deviationsInSteps(weight, step, most, clip, hasZero) : weight.deviations.map((s) => 2 ** powerReach(s, most, clip, hasZero));
  const { shape } = weight.mean;
  const of = (i: number): number => weight.of(i);
  const meanCodes = makeConstant(`int${bits}`, shape, Int32Array.from(weight.mean.data, (m, i) => uniformCode(m, meanScale[of(i)], greatest)));
  const deviationCodes = makeConstant(`uint${bits}`, shape, Int32Array.from(weight.deviation.data, (s, i) => powerCode(s, deviationScale[of(i)], most, hasZero)));
  return {
    mean: makeConstant('float32', shape, Float32Array.from(meanCodes.data, (c, i) => c * meanScale[of(i)])),
    deviation: makeConstant('float32', shape, Float32Array.from(deviationCodes.data, (k, i) => powerValue(k, deviationScale[of(i)], most, hasZero))),
    quantized: { codes: { mean: meanCodes, meanScale: floats(meanScale), deviation: deviationCodes, deviationScale: floats(deviationScale), greatest: most, hasZero } },
  };
}

/** The steps times one ratio: the greatest of what the channels' own scales are of them, or with `mse` the one of least error. */
function meansInSteps(weight: Channels, own: readonly number[], step: readonly number[], greatest: number, clip: Clip): number[] {
  const ratios = own.map((s, c) => s / step[c]);
  const scaled = (ratio: number): number[] => step.map((u) => Math.fround(u * ratio));
  const [least, most] = [ratios.reduce((a, b) => Math.min(a, b)), ratios.reduce((a, b) => Math.max(a, b))];
  if (clip !== 'mse') return scaled(most);
  const errorOf = (ratio: number): number => scaled(ratio).reduce((sum, s, c) => sum + uniformError(weight.means[c], weight.deviations[c], s, greatest), 0);
  // Steps themselves too: rounding to them leaves such means where they are.
  const candidates = [1, ...Array.from({ length: 25 }, (_, i) => least * (most / least) ** (i / 24))];
  const errors = candidates.map(errorOf);
  return scaled(candidates[errors.indexOf(Math.min(...errors))]);
}

/** The steps times one power of two. */
function deviationsInSteps(weight: Channels, step: readonly number[], most: number, clip: Clip, hasZero: boolean): number[] {
  const reach = 2 ** powerReach(Float64Array.from(weight.deviation.data, (s, i) => s / step[weight.of(i)]), most, clip, hasZero);
  return step.map((u) => u * reach);
}

/** Scales in float32; channels of zeros get the greatest of the others. */
function positive(scales: readonly number[]): number[] {
  const rounded = scales.map((s) => Math.fround(s));
  const greatest = rounded.reduce((a, b) => Math.max(a, b), 0) || 1;
  return rounded.map((s) => (s > 0 ? s : greatest));
}

const floats = (values: readonly number[]): Constant => makeConstant('float32', [values.length], values);
