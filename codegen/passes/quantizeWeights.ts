/**
 * Scales of weights: symmetric codes (no zero point, without the lowest code), one scale for each output channel, of
 * least squared error. Not here: which constants are weights (quantizePlan.ts).
 */
import { roundHalfEven } from '../functions/rounding.js';
import type { Constant } from '../ir/graph.js';

/** Up to this many bits a scale below the greatest weight's may be better; above, clipping gains nothing worth a search. */
const searchedBits = 7;

/** The greatest code: codes are -g .. g. */
export const greatestCode = (bits: number): number => 2 ** (bits - 1) - 1;

/**
 * One scale for each coordinate along `axis`. Channels of zeros get the scale of their greatest neighbour.
 * @param least a lower bound for the scale of a channel
 */
export function weightScales({ shape, data }: Constant, axis: number, bits: number, least: (channel: number) => number = () => 0): Float32Array {
  const channels = shape[axis];
  const inner = shape.slice(axis + 1).reduce((a, b) => a * b, 1);
  const outer = data.length / (channels * inner);
  const values = new Float64Array(outer * inner);
  const scales = new Float32Array(channels);
  for (let c = 0; c < channels; c++) {
    for (let o = 0; o < outer; o++) for (let i = 0; i < inner; i++) values[o * inner + i] = data[(o * channels + c) * inner + i];
    scales[c] = Math.max(scaleOf(values, bits), least(c));
  }
  const greatest = scales.reduce((a, b) => Math.max(a, b), 0) || 1;
  return scales.map((s) => (s > 0 ? s : greatest));
}

/** The scale of one channel; 0 for zeros. */
function scaleOf(values: Float64Array, bits: number): number {
  const reach = values.reduce((a, b) => Math.max(a, Math.abs(b)), 0);
  const whole = reach / greatestCode(bits);
  if (bits > searchedBits || reach === 0) return whole;
  let [best, error] = [whole, Infinity];
  const attempt = (scale: number): void => {
    const e = weightError(values, scale, bits);
    if (e < error) [best, error] = [scale, e];
  };
  for (let k = 40; k >= 8; k--) attempt((whole * k) / 40);
  const near = best;
  for (let k = -7; k <= 7; k++) attempt(near * (1 + k / 320));
  return best;
}

/** Sum of squared errors of values under a scale. */
export function weightError(values: Float64Array, scale: number, bits: number): number {
  const greatest = greatestCode(bits);
  let sum = 0;
  for (const x of values) {
    const code = roundHalfEven(x / scale);
    const error = x - Math.min(Math.max(code, -greatest), greatest) * scale;
    sum += error * error;
  }
  return sum;
}
