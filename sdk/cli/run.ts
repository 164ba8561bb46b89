/** `sigmaflow run`: inputs through a model, on any engine, or through a module as it is. */
import { formatShape } from '../../codegen/ir/graph.js';
import { usage, type Command } from './command.js';
import { engineNames, moduleEngine, prepareEngine, referenceEngine, type EngineName } from './engines.js';
import { readBytes, writeAll } from './files.js';
import { batchOption, isModule, largestBatch, modelFile } from './models.js';
import { checkOutput, outputBytes, readInputs, runInBatches } from './tensors.js';
import { formatTensor } from './text.js';

export const command: Command = {
  name: 'run',
  usage: 'MODEL.onnx|MODEL.wasm --input X.npy [--output Y.npy] [options]',
  about: `Runs inputs through a model (compiled on the way) or a module (as it is). The first dimension of an input is the
batch: N inputs run in ceil(N / B) calls of a model of batch B.`,
  positionals: ['MODEL'],
  options: [
    { name: 'input', short: 'i', value: '[NAME=]FILE', doc: '.npy, or .npz with arrays by input name', repeated: true },
    { name: 'output', short: 'o', value: 'FILE', doc: '.npy, or .npz for several outputs; without it they are printed' },
    { name: 'engine', value: 'NAME', doc: `${engineNames.join(', ')} (default simd128)`, choices: engineNames },
    batchOption,
  ],
  examples: ['sigmaflow run mlp.onnx --input digits.npy --output logits.npy', 'sigmaflow run out/two.wasm --input a=a.npy --input b=b.npy --output both.npz'],
  async run(args, context) {
    const [file] = args.positionals;
    const batch = args.integer('batch', 1, largestBatch);
    const engineName = args.text('engine') as EngineName | undefined;
    const output = args.text('output');
    if (!args.flag('input')) usage(command, '--input', '"run" needs --input FILE.npy');
    const bytes = readBytes(file);
    if (isModule(bytes)) {
      for (const name of ['engine', 'batch']) {
        if (args.flag(name)) usage(command, `--${name}`, 'a module runs as it was compiled', `Leave --${name} away, or give the .onnx file.`);
      }
    }
    // What can be refused is refused before the model is compiled.
    const model = isModule(bytes) ? undefined : modelFile(file, bytes);
    const known = model ? referenceEngine(model, batch) : moduleEngine(bytes);
    if (output !== undefined) checkOutput(output, known.outputs);
    const inputs = readInputs(args.texts('input'), known.inputs);
    const engine = model && engineName !== 'reference' ? await prepareEngine(model, engineName ?? 'simd128', batch) : known;
    const outputs = runInBatches(inputs, engine.inputs, engine.outputs, engine.batch, engine.call);
    if (output !== undefined) {
      writeAll([{ file: output, bytes: outputBytes(output, outputs) }]);
      return 0;
    }
    for (const { name, dtype } of engine.outputs) {
      context.print(`${name}: ${dtype} ${formatShape(outputs[name].shape)}`);
      context.print(formatTensor(outputs[name].shape, outputs[name].data));
    }
    return 0;
  },
};
