/** `sigmaflow quantize`: a float model and calibration data into a quantized model, and what that does to every layer. */
import { exportQcdq } from '../../codegen/export/qcdq.js';
import { exportQonnx } from '../../codegen/export/qonnx.js';
import { codeRange, rangeMethods, type Codes, type RangeMethod } from '../../codegen/passes/quantizeRanges.js';
import { quantize, worstLayers, type QuantizationReport, type QuantizeProgress } from '../quantize.js';
import { usage, type Arguments, type Command } from './command.js';
import { referenceEngine } from './engines.js';
import { checkFile, writeAll } from './files.js';
import { atFile, readModel } from './models.js';
import { progressLine } from './progress.js';
import { readInputs } from './tensors.js';
import { count, duration, number, plural, table } from './text.js';

const formats = ['qonnx', 'qcdq'] as const;

export const command: Command = {
  name: 'quantize',
  usage: 'FLOAT.onnx --calibrate X.npy -o Q.onnx [options]',
  about: `Quantizes a float model with calibration data: some hundred inputs as the model will meet them. Prints for every layer
the signal-to-quantization-noise ratio with this layer alone quantized and in the whole quantized network, and in how many
calibration inputs the largest output stays the same.`,
  positionals: ['FLOAT.onnx'],
  options: [
    { name: 'calibrate', short: 'c', value: '[NAME=]FILE', doc: '.npy, or .npz with arrays by input name', repeated: true },
    { name: 'output', short: 'o', value: 'FILE', doc: 'the quantized model to write' },
    { name: 'bits', value: 'N', doc: 'bits of weights and activations, 2 to 8 (default 8)' },
    { name: 'activation-bits', value: 'N', doc: 'of activations (7: unsigned ones lie in 0..127)' },
    { name: 'weight-bits', value: 'N', doc: 'of weights' },
    { name: 'ranges', value: 'NAME', doc: `of activations: ${rangeMethods.join(', ')} (default mse, least squared error)`, choices: rangeMethods },
    { name: 'percentile', value: 'P', doc: 'of the values inside the range, for --ranges percentile (default 99.99)' },
    { name: 'format', value: 'NAME', doc: 'qonnx (default), or qcdq, which any ONNX runtime runs', choices: formats },
    { name: 'keep-float', value: 'N|LIST', doc: 'keeps the N worst layers in float, or those named, with commas' },
    { name: 'no-bias-correction', doc: 'leaves biases as they are' },
    { name: 'json', doc: 'prints the report as JSON' },
  ],
  examples: ['sigmaflow quantize lenet.onnx --calibrate images.npy -o lenet_q.onnx', 'sigmaflow quantize net.onnx -c images.npy --activation-bits 7 --weight-bits 4 --keep-float 2 -o net_q.onnx'],
  async run(args, context) {
    const [file] = args.positionals;
    const output = args.required('output');
    if (output === '') usage(command, '-o', 'expected a file, found an empty name');
    if (!args.flag('calibrate')) usage(command, '--calibrate', '"quantize" needs --calibrate FILE.npy');
    const bits = args.integer('bits', 2, 8);
    const ranges = args.text('ranges') as RangeMethod | undefined;
    const options = {
      bits, ranges,
      activationBits: args.integer('activation-bits', 2, 8),
      weightBits: args.integer('weight-bits', 2, 8),
      percentile: percentileOf(args, ranges),
      keepFloat: keptOf(args),
      biasCorrection: !args.flag('no-bias-correction'),
    };
    checkFile(output);
    const model = readModel(file);
    const { inputs: slots } = referenceEngine(model);
    const calibration = readInputs(args.texts('calibrate'), slots);

    const start = performance.now();
    const { name, bytes, readExternal } = model;
    const progress = progressLine();
    const onProgress = ({ stage, stages, doing }: QuantizeProgress): void => progress.show(`${stage} of ${stages}, ${doing}`);
    const { graph, report } = await atFile(file, () => quantize(bytes, calibration.tensors, { name, readExternal, ...options, onProgress })).finally(progress.end);
    const written = args.text('format') === 'qcdq' ? exportQcdq(graph) : exportQonnx(graph);
    const time = performance.now() - start;
    writeAll([{ file: output, bytes: written }]);
    if (args.flag('json')) {
      context.print(JSON.stringify(report, (_, value) => (value === Infinity ? null : value), 2));
      return 0;
    }
    context.print(`${name}: ${plural(calibration.count, 'calibration input')}, ranges by ${ranges ?? 'mse'}${options.biasCorrection ? ', biases corrected' : ''}\n`);
    context.print(describeReport(report));
    context.print(`\n${output}: ${count(written.length)} bytes, ${duration(time)}`);
    return 0;
  },
};

function percentileOf(args: Arguments, ranges: RangeMethod | undefined): number | undefined {
  const text = args.text('percentile');
  if (text === undefined) return undefined;
  if (ranges !== 'percentile') usage(command, '--percentile', 'it belongs to --ranges percentile');
  const value = Number(text);
  return text.trim() !== '' && value >= 50 && value <= 100 ? value : usage(command, '--percentile', `expected a number of 50 to 100, found "${text}"`);
}

/** A number of layers, or their names. */
function keptOf(args: Arguments): number | readonly string[] | undefined {
  const text = args.text('keep-float');
  if (text === undefined) return undefined;
  if (/^\d+$/.test(text)) return args.integer('keep-float', 0, 65536);
  const names = text.split(',').filter((name) => name !== '');
  return names.length > 0 ? names : usage(command, '--keep-float', `expected a number of layers, or their names, found "${text}"`);
}

// ---- The report ----------------------------------------------------------------------------------------------------

/** The table of layers, the worst of them, and the outputs. */
export function describeReport({ layers, outputs, count: inferences }: QuantizationReport): string {
  const rows = layers.map((l) => [`  ${l.name}`, l.op, l.weightBits === undefined ? '' : `int${l.weightBits}`, l.float ?? l.inputs.map(describeCodes).join(', '), l.float ? '' : decibels(l.alone), decibels(l.total)]);
  const lines = [table([['  layer', 'operator', 'weights', 'input', 'alone', 'network'], ...rows], [4, 5]), ''];
  const worst = worstLayers(layers, 3);
  if (layers.length > 3) lines.push(`worst by themselves: ${worst.map((l) => `${l.name} (${decibels(l.alone)})`).join(', ')}; --keep-float keeps such layers in float`);
  for (const { name, total, agreeing, rows: all } of outputs) {
    const same = agreeing === undefined ? '' : `, largest element at the same place in ${count(agreeing)} of ${all === inferences ? plural(all, 'input') : plural(all, 'row')} (${((100 * agreeing) / all).toFixed(2)} %)`;
    lines.push(`${name}: ${decibels(total)} against the float model${same}`);
  }
  return lines.join('\n');
}

const decibels = (x: number): string => (Number.isFinite(x) ? `${x.toFixed(1)} dB` : x > 0 ? 'exact' : 'no signal');

/** `uint8 0 .. 6.02`: the type of the codes, and the values that they stand for. */
function describeCodes(codes: Codes): string {
  const [least, greatest] = codeRange(codes).map((q) => (q - codes.zeroPoint) * codes.scale);
  const short = (x: number): string => number(Number(x.toPrecision(3)));
  return `${codes.signed ? 'int' : 'uint'}${codes.bits} ${short(least)} .. ${short(greatest)}`;
}
