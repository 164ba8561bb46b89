/** The product: a compiled module in its own runtime, as an application would run it. */
import { load } from '../../../sdk/runtime/index.js';
import { sideBySide, type Load, type Read, type Runner } from './engine.js';

export async function sigmaflow(message: Load, read: Read): Promise<Runner> {
  const model = await load(await read(message.file));
  const session = model.session();
  const [input] = model.manifest.inputs;
  const names = message.outputs ?? [model.manifest.outputs[0].name];
  const from = session.inputs[input.name].data;
  const to = names.map((name) => session.outputs[name].data as Float32Array);
  for (const [name, values] of Object.entries(message.given ?? {})) session.inputs[name].data.set(values);
  return {
    settings: `${model.manifest.target} (${model.manifest.features.join(', ') || 'no features'})`,
    feed: (values) => from.set(values),
    infer() {
      session.run();
      return sideBySide(to, message.batch); // the peers' outputs are copies too
    },
  };
}
