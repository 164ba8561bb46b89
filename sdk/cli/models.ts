/** Model and module files as the commands take them: told apart by their bytes, never by their names. */
import { existsSync } from 'node:fs';
import path from 'node:path';
import { DiagnosticError, fail } from '../../codegen/ir/diagnostic.js';
import type { Graph } from '../../codegen/ir/graph.js';
import { readSafetensors } from '../../codegen/import/safetensors.js';
import { posteriorSchemes, type PosteriorQuantization } from '../../codegen/passes/twins/quantizePosterior.js';
import type { TwinOptions } from '../../codegen/passes/twins/twin.js';
import { architectures } from '../model/architectures.js';
import { usage, type Arguments, type Option } from './command.js';
import { externalReader, readBytes } from './files.js';

export const isModule = (bytes: Uint8Array): boolean => bytes[0] === 0 && bytes[1] === 0x61 && bytes[2] === 0x73 && bytes[3] === 0x6d;

export interface ModelFile {
  /** As it was given. */
  readonly file: string;
  /** The file's name without `.onnx`. */
  readonly name: string;
  readonly bytes: Uint8Array;
  readonly readExternal: (location: string) => Uint8Array;
  /** Instead of the bytes: a built-in architecture. */
  readonly architecture?: Graph;
  /** Bytes of a safetensors file. */
  readonly posterior?: Uint8Array;
  /** What is compiled of a model with random weights. */
  readonly twin: TwinOptions;
}

/** The name under which a model's files are written. */
export const modelName = (file: string): string => path.basename(file).replace(/\.onnx$/i, '') || 'model';

export function modelFile(file: string, bytes: Uint8Array, args?: Arguments): ModelFile {
  return { file, name: modelName(file), bytes, readExternal: externalReader(file), ...(args ? posteriorOf(args) : { twin: {} }) };
}

/** A file's bytes, or the built-in architecture of this name where there is no such file. */
export function readModelBytes(file: string): Pick<ModelFile, 'bytes' | 'architecture'> {
  if (Object.hasOwn(architectures, file) && !existsSync(file)) return { bytes: new Uint8Array(0), architecture: architectures[file]() };
  return { bytes: readBytes(file) };
}

/** Reads a model; refuses a module, which is a model's result. */
export function readModel(file: string, args?: Arguments): ModelFile {
  const { bytes, architecture } = readModelBytes(file);
  if (architecture) return builtIn(file, architecture, args);
  if (isModule(bytes)) fail('onnx/not-a-model', file, 'expected an ONNX model, found a WebAssembly module', 'Give the .onnx file that it was made from.');
  return modelFile(file, bytes, args);
}

/** A built-in architecture, which has weights only with a posterior. */
export function builtIn(name: string, architecture: Graph, args?: Arguments): ModelFile {
  const model = { ...modelFile(name, new Uint8Array(0), args), architecture };
  if (!model.posterior) fail('graph/posterior', name, 'this is a built-in architecture, and its weights are not known', 'Give them with --posterior FILE.safetensors.');
  return model;
}

const twinNames = ['mean', 'moments', 'sample'] as const;

/** What models with random weights take. */
export const posteriorOptions: readonly Option[] = [
  { name: 'posterior', value: 'FILE', doc: `safetensors with NAME.mean and NAME.std of random weights; MODEL may then be ${Object.keys(architectures).join(' or ')}` },
  { name: 'twin', value: 'NAME', doc: 'of random weights: moments (one pass of mean and variance, the default), sample (draws them) or mean', choices: twinNames },
  { name: 'posterior-bits', value: 'N', doc: 'random weights in N bits, 2 to 8: mean and deviation as codes (default: float32)' },
  { name: 'posterior-scheme', value: 'NAME', doc: 'vpq (mean and deviation in N bits, the default), spq (the drawn weight) or jq (both)', choices: posteriorSchemes },
  { name: 'posterior-granularity', value: 'NAME', doc: 'scales of each output channel (channel, the default) or of each weight tensor (tensor)', choices: ['channel', 'tensor'] },
  { name: 'posterior-clip', value: 'WHAT', doc: 'the greatest value with a code: mse (least squared error, the default), max, or a percentile such as 99.9' },
  { name: 'calibration', value: 'X', doc: 'factor of the variances of random weights (default 1), or by layer or weight: fc1=0.5,fc3.bias=2' },
  { name: 'logit-samples', value: 'N', doc: 'of a classifier\'s moments: probabilities and entropies by N samples of the logits, not in closed form' },
  { name: 'max-samples', value: 'N', doc: 'samples that are returned each by itself (default 100 of --twin sample, 0 of --logit-samples)' },
  { name: 'local-reparameterization', doc: 'of --twin sample: draws the outputs of dense layers instead of their weights' },
];

function posteriorOf(args: Arguments): Pick<ModelFile, 'posterior' | 'twin'> {
  const file = args.text('posterior');
  const calibration = calibrationOf(args);
  const maxSamples = args.integer('max-samples', 0, 65536);
  const logitSamples = args.integer('logit-samples', 1, 65536);
  if (maxSamples !== undefined && args.text('twin') !== 'sample' && logitSamples === undefined) usage(args.command, '--max-samples', 'nothing is drawn here that could be returned', 'Leave it away, or take --twin sample or --logit-samples.');
  return {
    ...(file === undefined ? {} : { posterior: readPosterior(file) }),
    twin: { twin: args.text('twin') as TwinOptions['twin'], ...(calibration === undefined ? {} : { calibration }), ...(maxSamples === undefined ? {} : { maxSamples }), ...(logitSamples === undefined ? {} : { logitSamples }), ...(args.flag('local-reparameterization') ? { localReparameterization: true } : {}), ...quantizationOf(args) },
  };
}

/** Bytes of a safetensors file; what is wrong with them is said of the file. */
function readPosterior(file: string): Uint8Array {
  const bytes = readBytes(file);
  try {
    readSafetensors(bytes);
  } catch (error) {
    if (!(error instanceof DiagnosticError)) throw error;
    const { at, message } = error.diagnostic;
    throw new DiagnosticError({ ...error.diagnostic, at: file, message: at === undefined ? message : `${at}: ${message}` });
  }
  return bytes;
}

/** One factor, or NAME=FACTOR with commas. */
function calibrationOf(args: Arguments): TwinOptions['calibration'] {
  const text = args.text('calibration');
  if (text === undefined || !text.includes('=')) return args.number('calibration', 0, 1e6);
  return Object.fromEntries(
    text.split(',').map((part) => {
      const [name, factor, ...rest] = part.split('=');
      const value = factor === undefined || factor.trim() === '' ? NaN : Number(factor);
      if (rest.length > 0 || name === '' || !(value >= 0 && value <= 1e6)) return usage(args.command, '--calibration', `expected NAME=FACTOR with factors of 0 to 1000000, found "${part}"`);
      return [name, value];
    }),
  );
}

function quantizationOf(args: Arguments): Pick<TwinOptions, 'quantizePosterior'> {
  const bits = args.integer('posterior-bits', 2, 8);
  const others = ['posterior-scheme', 'posterior-granularity', 'posterior-clip'];
  if (bits === undefined) {
    const given = others.find((name) => args.text(name) !== undefined);
    if (given) fail('cli/usage', `--${given}`, 'it says how random weights are quantized, and not to how many bits', 'Give --posterior-bits N as well.');
    return {};
  }
  const clip = args.text('posterior-clip');
  if (clip !== undefined && clip !== 'max' && clip !== 'mse' && !(Number(clip) > 0 && Number(clip) <= 100)) {
    fail('cli/usage', '--posterior-clip', `expected max, mse or a percentile, found "${clip}"`, 'Give a number above 0 and at most 100 for a percentile.');
  }
  return {
    quantizePosterior: {
      bits,
      scheme: args.text('posterior-scheme') as PosteriorQuantization['scheme'],
      granularity: args.text('posterior-granularity') as PosteriorQuantization['granularity'],
      ...(clip === undefined ? {} : { clip: clip === 'max' || clip === 'mse' ? clip : { percentile: Number(clip) } }),
    },
  };
}

/** Diagnostics that name no node or tensor are about the whole file: they get its name. */
export function atFile<T>(file: string, work: () => T): T {
  const named = (error: unknown): never => {
    if (error instanceof DiagnosticError && error.diagnostic.at === undefined) throw new DiagnosticError({ ...error.diagnostic, at: file });
    throw error;
  };
  try {
    const result = work();
    return result instanceof Promise ? (result.catch(named) as T) : result;
  } catch (error) {
    return named(error);
  }
}

/** Options that several commands share. */
export const batchOption: Option = { name: 'batch', value: 'N', doc: 'inferences in one call, 1 to 65536 (default 1)' };
export const largestBatch = 65536;

export const targets = ['scalar', 'simd128', 'relaxed'] as const;
export type WasmTarget = (typeof targets)[number];
export const targetOption: Option = { name: 'target', value: 'NAME', doc: 'scalar, simd128 or relaxed (default simd128)', choices: targets };
export const targetOf = (args: Arguments): WasmTarget => (args.text('target') as WasmTarget | undefined) ?? 'simd128';
export const processorOption: Option = { name: 'processor', value: 'NAME', doc: 'what tiles are made for: x86-64 (default) or arm64; changes times, never a result', choices: ['x86-64', 'arm64'] };
export const processorOf = (args: Arguments): 'x86-64' | 'arm64' | undefined => args.text('processor') as 'x86-64' | 'arm64' | undefined;
