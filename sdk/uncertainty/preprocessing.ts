/**
 * What is done to pixels before they are a model's input, as a text that people and this file read:
 * `(x / 255 - 0.1307) / 0.3081`, with `[a, b, c]` for a number for each channel, and `x / 255` alone. It belongs to the model: every
 * data set goes through it, never through its own statistics.
 */
import { fail } from '../../codegen/ir/diagnostic.js';

/** Of x / 255, or of numbers that are within 0..1 already: one each, or one a channel. */
export interface Normalization {
  readonly mean: readonly number[];
  readonly deviation: readonly number[];
}

const list = (numbers: readonly number[]): string => (numbers.length === 1 ? String(numbers[0]) : `[${numbers.join(', ')}]`);

/** The text of a normalization. */
export function describeNormalization({ mean, deviation }: Normalization): string {
  return mean.every((m) => m === 0) && deviation.every((d) => d === 1) ? 'x / 255' : `(x / 255 - ${list(mean)}) / ${list(deviation)}`;
}

/** Reads such a text; undefined where it says anything else. */
export function parseNormalization(text: string): Normalization | undefined {
  const plain = text.replace(/\s+/g, '');
  if (plain === 'x/255') return { mean: [0], deviation: [1] };
  const match = /^\(x\/255-(\[[^\]]+\]|[\d.e+-]+)\)\/(\[[^\]]+\]|[\d.e+-]+)$/i.exec(plain);
  if (!match) return undefined;
  const [mean, deviation] = [match[1], match[2]].map((part) => part.replace(/[[\]]/g, '').split(',').map((n) => (n === '' ? NaN : Number(n))));
  return isNormalization({ mean, deviation }) ? { mean, deviation } : undefined;
}

/** Finite numbers, as many of one as of the other, deviations above 0. */
export function isNormalization({ mean, deviation }: Normalization): boolean {
  return mean.length > 0 && mean.length === deviation.length && mean.every(Number.isFinite) && deviation.every((d) => Number.isFinite(d) && d > 0);
}

/** Arrays of images: bytes (0..255), or floats. */
export interface RawInputs {
  /** What diagnostics call them. */
  readonly name: string;
  readonly data: ArrayLike<number>;
  /** Whole numbers of 0..255: a byte a pixel. */
  readonly bytes: boolean;
  /** Of one input. */
  readonly shape: readonly number[];
}

/**
 * Inputs as the model takes them, [N, ...] float32. Without a normalization floats stay as they are.
 *
 * @throws run/data-type for bytes without a normalization, floats that are not within 0..1 where there is one, and numbers that are
 * not finite.
 */
export function normalize({ name, data, bytes, shape }: RawInputs, normalization: Normalization | undefined): Float32Array {
  if (!normalization) {
    if (bytes) fail('run/data-type', name, 'these are bytes, and what the model does to them before they are its input is not known', 'Say it with --normalize MEAN,DEVIATION, for (x / 255 - MEAN) / DEVIATION; --normalize 0,1 only divides by 255.');
    return Float32Array.from(data, (x, i) => (Number.isFinite(x) ? x : fail('run/data-type', name, `element ${i} is ${x}`, 'Give finite numbers.')));
  }
  const { mean, deviation } = normalization;
  const channels = mean.length;
  // [C, H, W] or [C]; one number counts for all
  const size = shape.reduce((a, b) => a * b, 1);
  if (channels > 1 && shape[0] !== channels) fail('run/shape', name, `the normalization has ${channels} channels, and inputs are [${shape.join(', ')}]`, 'Give one mean and deviation, or one a channel, and inputs with channels first.');
  const plane = channels > 1 ? size / channels : size;
  const divisor = bytes ? 255 : 1;
  return Float32Array.from(data, (x, i) => {
    if (bytes && !(x >= 0 && x <= 255)) fail('run/data-type', name, `element ${i} is ${x}, and whole numbers are taken as bytes, 0 to 255`, 'Give the images as bytes, or as numbers of 0 to 1.');
    if (!bytes && !(x >= 0 && x <= 1)) fail('run/data-type', name, `element ${i} is ${x}, and the model's preprocessing takes numbers of 0 to 1 (or bytes)`, 'Give the images as they are, not normalized: every set goes through the model\'s own preprocessing.');
    const c = channels > 1 ? Math.floor((i % size) / plane) : 0;
    return (x / divisor - mean[c]) / deviation[c];
  });
}
