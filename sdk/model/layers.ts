/**
 * Layers, from which `network` (network.ts) makes a graph. A weight is a plain array of numbers, row-major, or `gaussian`:
 * a mean and a standard deviation for each element.
 *
 * Not here: training, and what a layer computes (the operators of codegen/ops).
 */

/** A random weight: element i is normal with mean `mean[i]` and standard deviation `deviation[i]`, apart from all others. */
export interface Gaussian {
  readonly mean: ArrayLike<number>;
  readonly deviation: ArrayLike<number>;
}

/** Numbers of a weight, row-major; absent: zeros, to be filled by a posterior. */
export type Weights = ArrayLike<number> | Gaussian;

/** A weight whose elements are normal variables; one deviation for all elements, or one each (float32, >= 0). */
export function gaussian(mean: ArrayLike<number>, deviation: ArrayLike<number> | number): Gaussian {
  return { mean, deviation: typeof deviation === 'number' ? new Float32Array(mean.length).fill(deviation) : deviation };
}

export interface Dense {
  readonly kind: 'dense';
  readonly name?: string;
  readonly outputs: number;
  /** [outputs, inputs] */
  readonly weight?: Weights;
  /** [outputs]; false: none. */
  readonly bias?: Weights | false;
}

export interface Convolution {
  readonly kind: 'convolution';
  readonly name?: string;
  readonly channels: number;
  /** Height and width of the window. */
  readonly kernel: readonly [number, number];
  readonly stride: readonly [number, number];
  /** Rows above and below, columns left and right, of zeros. */
  readonly padding: readonly [number, number];
  /** Input channels are cut into so many groups; equal to the input channels: depthwise. */
  readonly groups: number;
  /** [channels, input channels / groups, height, width] */
  readonly weight?: Weights;
  /** [channels]; false: none. */
  readonly bias?: Weights | false;
}

/** An operator without weights, with its attributes. */
export interface Plain {
  readonly kind: 'plain';
  readonly name?: string;
  readonly op: string;
  readonly attributes: Readonly<Record<string, number | readonly number[]>>;
}

export type Layer = Dense | Convolution | Plain;

interface Named {
  /** Names of its weights begin so (`NAME.weight`, `NAME.bias`); default: the kind and a count, as in `dense1`. */
  readonly name?: string;
}

const pair = (n: number | readonly [number, number]): readonly [number, number] => (typeof n === 'number' ? [n, n] : n);

/** y[n, o] = sum over i of x[n, i] * weight[o, i] + bias[o] */
export function dense(outputs: number, options: Named & { readonly weight?: Weights; readonly bias?: Weights | false } = {}): Dense {
  return { kind: 'dense', outputs, ...options };
}

/** Convolution over [n, c, y, x]. */
export function convolution(
  channels: number,
  kernel: number | readonly [number, number],
  { stride = 1, padding = 0, groups = 1, ...rest }: Named & {
    readonly stride?: number | readonly [number, number];
    readonly padding?: number | readonly [number, number];
    readonly groups?: number;
    readonly weight?: Weights;
    readonly bias?: Weights | false;
  } = {},
): Convolution {
  return { kind: 'convolution', channels, kernel: pair(kernel), stride: pair(stride), padding: pair(padding), groups, ...rest };
}

const plain = (op: string, attributes: Plain['attributes'] = {}): Plain => ({ kind: 'plain', op, attributes });

/** max(x, 0) */
export const relu = (): Plain => plain('Relu');
/** x where x >= 0, slope * x elsewhere */
export const leakyRelu = (slope = 0.01): Plain => plain('LeakyRelu', { alpha: slope });
export const sigmoid = (): Plain => plain('Sigmoid');
export const tanh = (): Plain => plain('Tanh');
/** e^x over the sum of e^x of the last dimension. */
export const softmax = (): Plain => plain('Softmax', { axis: -1 });
/** [n, c, y, x] to [n, c * y * x]; smaller ranks likewise. */
export const flatten = (): Plain => plain('Flatten', { axis: 1 });

/** The greatest of each window; windows side by side unless a stride is given. */
export function maxPool(kernel: number | readonly [number, number], stride: number | readonly [number, number] = kernel): Plain {
  return plain('MaxPool', { kernel_shape: [...pair(kernel)], strides: [...pair(stride)] });
}

/** The mean of each window; windows side by side unless a stride is given. */
export function averagePool(kernel: number | readonly [number, number], stride: number | readonly [number, number] = kernel): Plain {
  return plain('AveragePool', { kernel_shape: [...pair(kernel)], strides: [...pair(stride)] });
}

/** The mean over height and width. */
export const globalAveragePool = (): Plain => plain('GlobalAveragePool');
