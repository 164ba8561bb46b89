/** `sigmaflow inspect`: what a model consists of and what it needs once compiled; for a module, its manifest. */
import { formatShape } from '../../codegen/ir/graph.js';
import type { Buffer } from '../../codegen/ir/program.js';
import type { Manifest, ManifestTensor } from '../runtime/manifest.js';
import { readManifest } from '../runtime/index.js';
import { boardOption, machineOf } from './boards.js';
import { describeBytes, modelBytes, moduleBytes, type ModelBytes } from './bytes.js';
import type { Command, Context } from './command.js';
import { plan, type Plan } from './engines.js';
import { layers, type Layer } from './layers.js';
import { batchOption, builtIn, isModule, largestBatch, modelFile, targetOption, posteriorOptions, readModelBytes } from './models.js';
import { count, table } from './text.js';

export const command: Command = {
  name: 'inspect',
  usage: 'MODEL.onnx|MODEL.wasm [options]',
  about: `Says what a model consists of: inputs, outputs, layers with data types, shapes, multiply-accumulates (MACs) and
weight bits, and the memory plan; with --bytes, which compiles it, where the module's bytes go. For a module: its bytes
and its manifest.`,
  positionals: ['MODEL'],
  options: [
    { name: 'json', doc: 'print it as JSON' },
    { name: 'bytes', doc: 'also compile: weights, biases and requantization constants, and code, of each step' },
    boardOption,
    targetOption,
    batchOption,
    ...posteriorOptions,
  ],
  examples: ['sigmaflow inspect mlp.onnx', 'sigmaflow inspect mlp.onnx --bytes --target relaxed', 'sigmaflow inspect out/mlp.wasm --json'],
  async run(args, context) {
    const [file] = args.positionals;
    const batch = args.integer('batch', 1, largestBatch);
    const { bytes, architecture } = readModelBytes(file);
    if (isModule(bytes)) {
      const manifest = readManifest(bytes);
      if (args.flag('json')) context.print(JSON.stringify(manifest, null, 2));
      else printModule(manifest, bytes, context);
      return 0;
    }
    const model = architecture ? builtIn(file, architecture, args) : modelFile(file, bytes, args);
    const { target, processor } = machineOf(args, context.root);
    const options = { batch, target, processor };
    const facts = { ...describeModel(plan(model, options)), ...(args.flag('bytes') ? { bytes: await modelBytes(model, options) } : {}) };
    if (args.flag('json')) context.print(JSON.stringify(facts, null, 2));
    else printModel(facts, context);
    return 0;
  },
};

interface Facts {
  readonly name: string;
  readonly target: string;
  readonly batch: number;
  readonly inputs: readonly Interface[];
  readonly outputs: readonly Interface[];
  readonly layers: readonly Layer[];
  /** By offset in the module's memory. */
  readonly memory: readonly Buffer[];
  /** Of one call. */
  readonly bytes?: ModelBytes;
  readonly totals: { readonly macs: number; readonly weightBits: number; readonly constantBytes: number; readonly temporaryBytes: number; readonly peakBytes: number };
}
type Interface = Pick<ManifestTensor, 'name' | 'shape' | 'dtype' | 'batched' | 'scale' | 'zeroPoint'>;

function describeModel({ graph, unit, manifest }: Plan): Facts {
  const slot = ({ name, shape, dtype, batched, scale, zeroPoint }: ManifestTensor): Interface => ({ name, shape, dtype, batched, scale, zeroPoint });
  const rows = layers(graph);
  return {
    name: manifest.name,
    target: manifest.target,
    batch: manifest.batch,
    inputs: manifest.inputs.map(slot),
    outputs: manifest.outputs.map(slot),
    layers: rows,
    memory: Object.values(unit.program.buffers).sort((a, b) => (a.offset ?? 0) - (b.offset ?? 0)),
    totals: {
      macs: rows.reduce((sum, layer) => sum + layer.macs, 0),
      weightBits: rows.reduce((sum, layer) => sum + layer.weightBits, 0),
      constantBytes: manifest.constantBytes,
      temporaryBytes: manifest.temporaryBytes,
      peakBytes: manifest.arenaBytes,
    },
  };
}

function printModel(facts: Facts, { print }: Context): void {
  const { totals } = facts;
  print(`${facts.name}, batch ${facts.batch}, target ${facts.target}\n`);
  print(interfaceTable(facts.inputs, facts.outputs));
  const dash = (n: number): string => (n === 0 ? '-' : count(n));
  print('\nlayers (after the compiler\'s passes)');
  print(
    table(
      [
        ['  name', 'operator', 'in', 'weights', 'out', 'shape', 'MACs', 'weight bits'],
        ...facts.layers.map((l) => [`  ${l.name}`, l.op, l.input, l.weights ?? '-', l.result, formatShape(l.shape), dash(l.macs), dash(l.weightBits)]),
        ['  total', '', '', '', '', '', count(totals.macs), count(totals.weightBits)],
      ],
      [6, 7],
    ),
  );
  print('\nmemory plan (bytes)');
  print(table([['  offset', 'bytes', 'role', 'holds'], ...planRows(facts.memory)], [0, 1]));
  print(`\npeak ${count(totals.peakBytes)} bytes (constants ${count(totals.constantBytes)}, temporaries ${count(totals.temporaryBytes)})`);
  if (facts.bytes) print(`\nmodule ${describeBytes(facts.bytes)}`);
}

/** Constants in one row; everything else, a row a buffer. */
function planRows(memory: readonly Buffer[]): string[][] {
  const row = (offset: number | undefined, bytes: number, role: string, holds: string): string[] => [`  ${offset === undefined ? '-' : count(offset)}`, count(bytes), role, holds];
  const constants = memory.filter((b) => b.role === 'constant');
  const sum = constants.reduce((bytes, b) => bytes + b.bytes, 0);
  return [
    ...(constants.length === 0 ? [] : [row(constants[0].offset, sum, 'constant', `${constants.length} tensors`)]),
    ...memory.filter((b) => b.role !== 'constant').map((b) => row(b.offset, b.bytes, b.role, b.name)),
  ];
}

function interfaceTable(inputs: readonly Interface[], outputs: readonly Interface[]): string {
  const row = (what: string) => (t: Interface): string[] => [what, t.name, t.dtype, formatShape(t.shape), t.scale === undefined ? '' : `scale ${t.scale}, zero point ${t.zeroPoint ?? 0}`];
  return table([...inputs.map(row('input')), ...outputs.map(row('output'))]);
}

function printModule(manifest: Manifest, wasm: Uint8Array, { print }: Context): void {
  print(`${manifest.name}, a module of ${count(wasm.length)} bytes, batch ${manifest.batch}, target ${manifest.target}${manifest.fastMath ? ' with fast math' : ''}\n`);
  print(interfaceTable(manifest.inputs, manifest.outputs));
  print('');
  const rows: [string, string | undefined][] = [
    ['module', describeBytes(moduleBytes(wasm))],
    ['peak bytes', `${count(manifest.arenaBytes)} (constants ${count(manifest.constantBytes)}, temporaries ${count(manifest.temporaryBytes)})`],
    ['features', manifest.features.join(', ') || 'none beyond WebAssembly 1.0'],
    ['entries', manifest.entries.join(', ')],
    ['labels', manifest.labels?.join(', ')],
    ['preprocessing', manifest.preprocessing],
    ['model SHA-256', manifest.sourceHash],
    ['program SHA-256', manifest.programHash],
    ['compiler', manifest.compiler],
    ['format', `version ${manifest.version}`],
  ];
  print(table(rows.filter(([, text]) => text !== undefined) as [string, string][]));
}
