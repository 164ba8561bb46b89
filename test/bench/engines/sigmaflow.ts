/** The product: a compiled module in its own runtime, as an application would run it. */
import { readFileSync } from 'node:fs';
import { loadSync } from '../../../sdk/runtime/index.js';
import type { Load, Runner } from './engine.js';

export async function sigmaflow(message: Load): Promise<Runner> {
  const model = loadSync(new Uint8Array(readFileSync(message.file)));
  const session = model.session();
  const [input] = model.manifest.inputs;
  const [output] = model.manifest.outputs;
  const from = session.inputs[input.name].data;
  const to = session.outputs[output.name].data as Float32Array;
  return {
    settings: `${model.manifest.target} (${model.manifest.features.join(', ') || 'no features'})`,
    feed: (values) => from.set(values),
    infer() {
      session.run();
      return to.slice(); // the peers' outputs are copies too
    },
  };
}
