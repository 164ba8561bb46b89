/** `sigmaflow run`: inputs through a model, on any engine, or through a module as it is. */
import { formatShape } from '../../codegen/ir/graph.js';
import { usage, type Command } from './command.js';
import { mostThreads } from '../pool/pool.js';
import { checkControls, controlsOf, samplesOption } from './controls.js';
import { build, engineNames, moduleEngine, prepareEngine, referenceEngine, type EngineName } from './engines.js';
import { writeAll } from './files.js';
import { batchOption, builtIn, isModule, largestBatch, modelFile, targets, posteriorOptions, readModelBytes } from './models.js';
import { checkOutput, outputBytes, readInputs, runInBatches, type Tensor } from './tensors.js';
import { formatTensor } from './text.js';
import { runInThreads } from './threads.js';

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
    ...posteriorOptions,
    samplesOption,
    { name: 'seed', value: 'N', doc: 'of --twin sample: of the random numbers (default 0)' },
    { name: 'threads', value: 'N', doc: `inferences at once, 1 to ${mostThreads} (default 1); pays for many inputs` },
  ],
  examples: ['sigmaflow run mlp.onnx --input digits.npy --output logits.npy', 'sigmaflow run out/resnet.wasm --input images.npy --output classes.npy --threads 4', 'sigmaflow run out/two.wasm --input a=a.npy --input b=b.npy --output both.npz'],
  async run(args, context) {
    const [file] = args.positionals;
    const batch = args.integer('batch', 1, largestBatch);
    const engineName = args.text('engine') as EngineName | undefined;
    const threads = args.integer('threads', 1, mostThreads);
    const output = args.text('output');
    if (!args.flag('input')) usage(command, '--input', '"run" needs --input FILE.npy');
    const { bytes, architecture } = readModelBytes(file);
    if (isModule(bytes)) {
      for (const name of ['engine', 'batch', ...posteriorOptions.map((o) => o.name)]) {
        if (args.flag(name)) usage(command, `--${name}`, 'a module runs as it was compiled', `Leave --${name} away, or give the .onnx file.`);
      }
    }
    const target = engineName ?? 'simd128';
    if (threads !== undefined && (target === 'reference' || target === 'interpret')) {
      usage(command, '--threads', `the engine ${target} has one thread`, `Leave --threads away, or take the engine ${targets.join(', ')}.`);
    }
    // What can be refused is refused before the model is compiled.
    const model = architecture ? builtIn(file, architecture, args) : isModule(bytes) ? undefined : modelFile(file, bytes, args);
    const known = model ? referenceEngine(model, batch) : moduleEngine(bytes);
    if (output !== undefined) checkOutput(output, known.outputs);
    const controls = controlsOf(args);
    checkControls(command, controls, known.inputs);
    const inputs = readInputs(args.texts('input'), known.inputs, controls);
    let outputs: Record<string, Tensor>;
    if (threads !== undefined && target !== 'reference' && target !== 'interpret') {
      const module = model ? (await build(model, { batch, target })).wasm : bytes;
      outputs = await runInThreads(module, inputs, threads);
    } else {
      const engine = model && target !== 'reference' ? await prepareEngine(model, target, batch) : known;
      outputs = runInBatches(inputs, engine.inputs, engine.outputs, engine.batch, engine.call);
    }
    if (output !== undefined) {
      writeAll([{ file: output, bytes: outputBytes(output, outputs) }]);
      return 0;
    }
    for (const { name, dtype } of known.outputs) {
      context.print(`${name}: ${dtype} ${formatShape(outputs[name].shape)}`);
      context.print(formatTensor(outputs[name].shape, outputs[name].data));
    }
    return 0;
  },
};
