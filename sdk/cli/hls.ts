/**
 * `sigmaflow hls`: a model as a project for Vitis HLS and Vivado, with a test bench whose expected outputs are the WebAssembly
 * module's. What is in the files: sdk/hls.
 */
import path from 'node:path';
import { emitHls } from '../../codegen/emit/hls/design.js';
import { fail, suggest } from '../../codegen/ir/diagnostic.js';
import type { ProgramUnit } from '../../codegen/ir/program.js';
import { kernelsOf } from '../../codegen/ir/verifyDataflow.js';
import { foldableLoops, type Folding } from '../../codegen/schedule/fabric/kernel.js';
import { isMover } from '../../codegen/schedule/fabric/index.js';
import { prepareFabric } from '../../codegen/schedule/fabric/prepare.js';
import type { FpgaBoard } from '../../codegen/targets/board.js';
import { writeNpy } from '../data/npy.js';
import { projectFiles, type Project, type Vectors } from '../hls/project.js';
import { describeDifference, firstDifference } from './bits.js';
import { readBoard } from './boards.js';
import { circuitName, interfaceArray, lowerForCircuit, makeCircuit, simulationHeaders } from './circuits.js';
import { usage, type Arguments, type Command } from './command.js';
import { controlsOf, samplesOption } from './controls.js';
import { artifactEngine, build, importModel, interpreterEngine } from './engines.js';
import { checkProjectFolder, readBytes, writeFolder } from './files.js';
import { atFile, batchOption, largestBatch, posteriorOptions, readModel } from './models.js';
import { drawnFrom, randomInputs, readInputs, slice, type Inputs, type Slot } from './tensors.js';
import { count, plural } from './text.js';
import { megahertz } from './units.js';

/** Files of a project by which its folder is known. */
const signs = ['folding.json', 'vitis_hls.tcl'];

export const command: Command = {
  name: 'hls',
  usage: 'MODEL.onnx --board NAME|BOARD.json -o DIR [options]',
  about: `Makes a project for Vitis HLS and Vivado: C++ of the model as a circuit, a test bench with the outputs of the WebAssembly module
(make csim needs g++ alone), scripts, a driver for the board, README.md and report.html. Every bit is that of the module.`,
  positionals: ['MODEL.onnx'],
  options: [
    { name: 'board', short: 'b', value: 'NAME', doc: 'pynq-z2, arty-a7-100t, or a file like boards/pynq-z2/board.json' },
    { name: 'output', short: 'o', value: 'DIR', doc: 'the folder of the project; made where it is missing' },
    { name: 'force', doc: 'DIR may hold a project of this command, which is replaced' },
    { name: 'clock', value: 'FREQUENCY', doc: 'such as 100MHz (default: the board\'s)' },
    { name: 'folding', value: 'FILE', doc: 'how much of each kernel is a circuit of its own, as DIR/folding.json has it (default: one product at once)' },
    { name: 'input', short: 'i', value: '[NAME=]FILE', doc: 'inputs of the test bench: .npy, or .npz with arrays by input name', repeated: true },
    { name: 'random', value: 'N', doc: `draw N inputs for it (default 8): ${drawnFrom}` },
    { name: 'seed', value: 'S', doc: 'of the random inputs (default 1), and of the weights that --twin sample draws' },
    batchOption,
    ...posteriorOptions,
    { ...samplesOption, doc: 'of --twin sample: samples of the weights in the test bench, 1 to 65536 (default 2)' },
  ],
  examples: ['sigmaflow hls mlp.onnx --board pynq-z2 -o mlp_hls', 'sigmaflow hls mlp.onnx --board arty-a7-100t -o mlp_hls --folding folding.json --input digits.npy'],
  async run(args, context) {
    const folder = args.required('output');
    if (folder === '') usage(command, '-o', 'expected a folder, found an empty name');
    const board = fpgaBoard(args, context.root);
    const clock = clockOf(args, board);
    const batch = args.integer('batch', 1, largestBatch);
    const random = args.integer('random', 1, 100_000);
    const seed = args.integer('seed', 0, 2 ** 32 - 1) ?? 1;
    if (args.flag('input') && (args.flag('random') || (args.flag('seed') && args.text('twin') !== 'sample'))) usage(command, '--input', 'inputs are either given or drawn', 'Leave --random and --seed away, or --input.');
    checkProjectFolder(folder, signs, args.flag('force'));
    const model = readModel(args.positionals[0], args);
    const imported = importModel(model);

    const artifact = await build(model, { batch, target: 'scalar' });
    const { graph } = artifact;
    const [lowered, unit, folding] = atFile(model.file, () => {
      const l = lowerForCircuit(graph);
      const f = foldingOf(args, l);
      return [l, makeCircuit(l, { folding: f }), f] as const;
    });
    const name = circuitName(model.name);
    const text = emitHls(unit, name);

    const interpreter = interpreterEngine(artifact);
    const controls = { samples: controlsOf(args).samples ?? 2, seed };
    const inputs = args.flag('input') ? readInputs(args.texts('input'), interpreter.inputs, controls) : randomInputs(interpreter.inputs, random ?? 8 * interpreter.batch, seed, controls);
    const origin = args.flag('input') ? `from ${args.texts('input').map((f) => path.basename(f)).join(', ')}` : `drawn with seed ${seed}`;
    const project: Project = {
      name, model: model.name, board, clock, imported, graph, lowered, unit, text, folding,
      vectors: vectorsOf(text, inputs, origin, artifactEngine(artifact), interpreter),
      headers: simulationHeaders(context.root), version: context.version, date: new Date().toISOString(),
    };
    const files = projectFiles(project);
    writeFolder(folder, files);
    context.print(`${folder}: ${plural(Object.keys(files).length, 'file')} for ${board.title} (${board.part}) at ${clock} MHz, ${unit.program.dataflow!.processes.length} processes, ${plural(project.vectors.calls, 'call')} in the test bench`);
    context.print(`next: make -C ${folder} csim; then ${path.join(folder, 'README.md')} and report.html`);
    return 0;
  },
};

function fpgaBoard(args: Arguments, root: string): FpgaBoard {
  const board = readBoard(args.required('board'), root);
  if (board.kind !== 'fpga') fail('target/board', board.name, `expected a board with an FPGA, found a processor (${board.core})`, 'Take pynq-z2, arty-a7-100t or a board file of kind "fpga"; for a processor, compile --board.');
  return board;
}

function clockOf(args: Arguments, { name, title, clock }: FpgaBoard): number {
  const asked = megahertz(args, 'clock');
  if (asked !== undefined && asked > clock.most) fail('hls/goal', '--clock', `expected at most ${clock.most} MHz, which circuits on ${title} reach, found ${args.text('clock')}`, `Ask for less: --clock ${clock.default}MHz is the default of ${name}.`);
  if (asked !== undefined && asked < 1) fail('hls/goal', '--clock', `expected at least 1 MHz, found ${args.text('clock')}`, `Ask for more: --clock ${clock.default}MHz is the default of ${name}.`);
  return asked ?? clock.default;
}

// ---- Folding -------------------------------------------------------------------------------------------------------

/** The folding of every kernel that has one: as the file says, else one output and one product at once. */
function foldingOf(args: Arguments, lowered: ProgramUnit): Record<string, Folding> {
  const { program } = prepareFabric(lowered, []).unit;
  const kernels = new Map(kernelsOf(program.blocks).filter((k) => !isMover(k)).map((k) => [k.name, k]));
  const folding: Record<string, Folding> = Object.fromEntries([...kernels.keys()].map((name) => [name, { pe: 1, simd: 1 }]));
  const file = args.text('folding');
  for (const [name, asked] of file === undefined ? [] : Object.entries(readFolding(file))) {
    const kernel = kernels.get(name);
    if (!kernel) return fail('hls/folding', file, `the model has no kernel "${name}"`, suggest(name, [...kernels.keys()], 'kernel'));
    const { outputs, products } = foldableLoops(kernel, program);
    const check = (what: string, by: number, extent: number, of: string): void => {
      if (extent % by !== 0) fail('hls/folding', file, `"${name}": ${what} ${by} does not divide its ${extent} ${of}`, `Take one of ${divisors(extent)}.`);
    };
    check('pe', asked.pe, outputs?.extent ?? 1, outputs ? 'outputs' : 'output that can be computed side by side');
    check('simd', asked.simd, products?.extent ?? 1, products ? 'products' : 'product that can be added at once');
    folding[name] = asked;
  }
  return folding;
}

const divisors = (n: number): string => {
  const all = Array.from({ length: Math.min(n, 4096) }, (_, i) => i + 1).filter((d) => n % d === 0);
  return all.length > 16 ? `${all.slice(0, 16).join(', ')} and more` : all.join(', ');
};

function readFolding(file: string): Record<string, Folding> {
  const example = 'Write {"KERNEL": {"pe": 4, "simd": 2}, ...}, as folding.json of a project has it.';
  let json: unknown;
  try {
    json = JSON.parse(new TextDecoder().decode(readBytes(file)));
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
    return fail('hls/folding', file, `expected JSON, found text that is not: ${error.message}`, example);
  }
  const isObject = (v: unknown): v is Record<string, unknown> => typeof v === 'object' && v !== null && !Array.isArray(v);
  if (!isObject(json)) return fail('hls/folding', file, 'expected an object with a folding by kernel', example);
  return Object.fromEntries(Object.entries(json).map(([name, value]) => {
    const one = isObject(value) ? { pe: value.pe ?? 1, simd: value.simd ?? 1 } : {};
    const other = isObject(value) && Object.keys(value).find((k) => k !== 'pe' && k !== 'simd');
    const isCount = (n: unknown): n is number => Number.isInteger(n) && (n as number) >= 1;
    if (other || !isCount(one.pe) || !isCount(one.simd)) return fail('hls/folding', file, `"${name}" must be an object with whole numbers "pe" and "simd" from 1 on, found ${JSON.stringify(value)}`, example);
    return [name, { pe: one.pe, simd: one.simd }];
  }));
}

// ---- The test bench's data -----------------------------------------------------------------------------------------

/** Inputs and the module's outputs, call after call; the interpreter must agree. */
function vectorsOf(text: Project['text'], inputs: Inputs, origin: string, module: ReturnType<typeof artifactEngine>, interpreter: ReturnType<typeof interpreterEngine>): Vectors {
  const calls = interpreter.inputs.some((s) => s.batched) ? Math.ceil(inputs.count / interpreter.batch) : 1;
  const collected = new Map(text.arguments.map((a) => [a.name, [] as number[]]));
  const ofInputs = text.arguments.filter((a) => a.isInput);
  const ofOutputs = text.arguments.filter((a) => !a.isInput);
  const add = (argument: string, data: ArrayLike<number>): void => {
    const all = collected.get(argument)!;
    for (let i = 0; i < data.length; i++) all.push(data[i]);
  };
  for (let c = 0; c < calls; c++) {
    const call = slice(inputs, interpreter.inputs, interpreter.batch, c);
    ofInputs.forEach((a, i) => add(a.name, call[interpreter.inputs[i].name].data));
    const [found, expected] = [module.call(call), interpreter.call(call)];
    ofOutputs.forEach((a, i) => {
      const { name, dtype, shape }: Slot = interpreter.outputs[i];
      if (firstDifference(found[name], expected[name], dtype === 'float32') >= 0) {
        fail('internal/fault', name, `module and interpreter differ: ${describeDifference(name, shape, found[name], expected[name], dtype === 'float32')}`, 'This is a fault of the compiler. Report it with the model.');
      }
      add(a.name, found[name]);
    });
  }
  return {
    calls,
    origin: `${count(inputs.count)} inputs, ${origin}`,
    arrays: Object.fromEntries(text.arguments.map((a) => {
      const data = interfaceArray(a.type, collected.get(a.name)!);
      const shape = [calls, ...a.tensor.shape];
      return [a.name, { shape, data, npy: writeNpy({ shape, data }) }];
    })),
  };
}
