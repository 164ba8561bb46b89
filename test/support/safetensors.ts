/** Safetensors files for tests. */

interface Tensor {
  readonly shape: readonly number[];
  readonly data: Float32Array;
}

/** A safetensors file of float32 tensors. */
export function safetensors(tensors: Readonly<Record<string, Tensor>>, metadata?: Readonly<Record<string, string>>): Uint8Array {
  let end = 0;
  const header = Object.fromEntries(Object.entries(tensors).map(([name, { shape, data }]) => [name, { dtype: 'F32', shape, data_offsets: [end, (end += data.byteLength)] }]));
  const text = new TextEncoder().encode(JSON.stringify({ ...(metadata ? { __metadata__: metadata } : {}), ...header }));
  const bytes = new Uint8Array(8 + text.length + end);
  new DataView(bytes.buffer).setUint32(0, text.length, true);
  bytes.set(text, 8);
  let at = 8 + text.length;
  for (const { data } of Object.values(tensors)) {
    bytes.set(new Uint8Array(data.buffer), at);
    at += data.byteLength;
  }
  return bytes;
}

/** Mean and standard deviation of a weight. */
export const pair = (name: string, shape: readonly number[], mean: ArrayLike<number>, deviation: number): Record<string, Tensor> => ({
  [`${name}.mean`]: { shape, data: Float32Array.from(mean) },
  [`${name}.std`]: { shape, data: new Float32Array(mean.length).fill(deviation) },
});
