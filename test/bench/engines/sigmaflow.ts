/** The product: a compiled module in its own runtime, as an application would run it. */
import { load } from '../../../sdk/runtime/index.js';
import type { Load, Read, Runner } from './engine.js';

export async function sigmaflow(message: Load, read: Read): Promise<Runner> {
  const model = await load(await read(message.file));
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
