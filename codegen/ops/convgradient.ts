/**
 * Cotangents of a convolution as graph nodes: the data's by a transposed convolution, the weight's by a convolution
 * whose batch and channels trade places and whose stride and dilation do too, the bias's by a sum.
 */
import { intVector } from './operands.js';
import type { FragmentBuilder, ValueInfo } from './record.js';
import type { Window } from './window.js';

interface Parts {
  readonly x: ValueInfo;
  readonly w: ValueInfo;
  readonly b?: ValueInfo;
  readonly dy: string;
  readonly dims: readonly Window[];
  readonly group: number;
}

export function convGradient(build: FragmentBuilder, { x, w, b, dy, dims, group }: Parts): (string | undefined)[] {
  const spatial = dims.map((_, d) => d + 2);
  const dB = b && build.node('ReduceSum', [dy, build.constant(intVector([0, ...spatial]))], { keepdims: 0 });
  return [dataCotangent(build, x, w, dy, dims, group), weightCotangent(build, x, w, dy, dims, group), dB];
}

function dataCotangent(build: FragmentBuilder, x: ValueInfo, w: ValueInfo, dy: string, dims: readonly Window[], group: number): string {
  return build.node('ConvTranspose', [dy, w.name], {
    group,
    strides: dims.map((d) => d.stride),
    dilations: dims.map((d) => d.dilation),
    pads: [...dims.map((d) => d.before), ...dims.map((d) => d.after)],
    // elements after the last window, which no output saw
    output_padding: dims.map((d) => d.input + d.before + d.after - ((d.output - 1) * d.stride + (d.kernel - 1) * d.dilation + 1)),
  });
}

function weightCotangent(build: FragmentBuilder, x: ValueInfo, w: ValueInfo, dy: string, dims: readonly Window[], group: number): string {
  const [batch, perGroup] = [x.shape[0], w.shape[1]];
  const rank = dims.length;
  const spatial = dims.map((_, d) => d + 2);
  // X as [C / group, group * N, spatial..]: channels become the batch, the batch becomes channels
  const inputs = dims.map((d) => d.input);
  const split = build.node('Reshape', [x.name, build.constant(intVector([batch, group, perGroup, ...inputs]))]);
  const turned = build.node('Transpose', [split], { perm: [2, 1, 0, ...spatial.map((d) => d + 1)] });
  const data = build.node('Reshape', [turned, build.constant(intVector([perGroup, group * batch, ...inputs]))]);
  const cotangent = build.node('Transpose', [dy], { perm: [1, 0, ...spatial] });
  const after = dims.map((d) => Math.max(0, (d.output - 1) * d.stride + (d.kernel - 1) * d.dilation + 1 - d.input - d.before));
  let result = build.node('Conv', [data, cotangent], {
    group,
    strides: dims.map((d) => d.dilation),
    dilations: dims.map((d) => d.stride),
    pads: [...dims.map((d) => d.before), ...after],
  });
  const kernel = dims.map((d) => d.kernel);
  if (build.info(result).shape.slice(2).some((extent, d) => extent !== kernel[d])) {
    const zeros = new Array<number>(rank).fill(0);
    result = build.node('Slice', [result, build.constant(intVector(zeros)), build.constant(intVector(kernel)), build.constant(intVector(spatial))]);
  }
  return build.node('Transpose', [result], { perm: [1, 0, ...spatial] });
}
