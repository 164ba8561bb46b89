/** Runs in Node and in the page: inputs from a generator, the outputs' bytes as hexadecimal. Types aside it imports nothing. */
import type { Manifest, TensorData } from '../../sdk/runtime/index.js';

export interface Runnable {
  readonly manifest: Manifest;
  run(inputs: never): object;
}

/** The outputs of so many inferences, by name. */
export function answers(model: Runnable, inferences: number): Record<string, string> {
  let state = 7;
  const next = () => (state = (Math.imul(state, 1664525) + 1013904223) >>> 0) / 2 ** 32;
  const inputs = Object.fromEntries(model.manifest.inputs.map((t) => {
    const inner = t.batched ? t.shape.slice(1) : t.shape;
    const length = inner.reduce((a, b) => a * b, 1) * (t.batched ? inferences : 1);
    const bits = Number(/\d+/.exec(t.dtype)?.[0] ?? 2);
    const codes = Math.min(8, 2 ** (t.dtype.startsWith('uint') ? bits : bits - 1));
    return [t.name, t.storage === 'float32' ? Float32Array.from({ length }, next) : Array.from({ length }, () => Math.floor(next() * codes))];
  }));
  const outputs = model.run(inputs as never) as Record<string, { data: TensorData }>;
  return Object.fromEntries(Object.entries(outputs).map(([name, { data }]) => {
    const bytes = new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
    return [name, Array.from(bytes, (b) => b.toString(16).padStart(2, '0')).join('')];
  }));
}
