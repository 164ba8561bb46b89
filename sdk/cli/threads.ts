/** A module run by several threads at once. Only `run` needs it. */
import { createPool } from '../host/pool.node.js';
import type { ModelTypes } from '../runtime/session.js';
import { allocate, type TensorData } from '../runtime/tensor.js';
import { checkCount, integerArray, type Inputs, type NumericArray, type Tensor } from './tensors.js';

/** All inferences through a pool of so many threads. Raises what `createPool` and `Pool.run` do. */
export async function runInThreads(module: Uint8Array, inputs: Inputs, threads: number): Promise<Record<string, Tensor>> {
  const pool = await createPool<ModelTypes>(module, { threads });
  const { manifest } = pool;
  checkCount(inputs, manifest.inputs, manifest.outputs, manifest.batch);
  const given = manifest.inputs.map((tensor): [string, TensorData] => {
    const { data } = inputs.tensors[tensor.name];
    const elements = allocate(tensor, data.length);
    elements.set(data);
    return [tensor.name, elements];
  });
  const outputs = await pool.run(Object.fromEntries(given));
  await pool.close();
  return Object.fromEntries(Object.values(outputs).map(({ name, shape, data, dtype }): [string, Tensor] => {
    const values: NumericArray = dtype === 'float32' ? data : integerArray(dtype, data.length);
    if (values !== data) values.set(data);
    return [name, { shape, data: values }];
  }));
}
