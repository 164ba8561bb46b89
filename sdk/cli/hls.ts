/**
 * `sigmaflow hls`: a model as a project for Vitis HLS and Vivado, with a test bench whose expected outputs are the WebAssembly
 * module's. What is in the files: sdk/hls.
 */
import path from 'node:path';
import { emitHls } from '../../codegen/emit/hls/design.js';
import { DiagnosticError, fail } from '../../codegen/ir/diagnostic.js';
import type { Block, Program, ProgramUnit } from '../../codegen/ir/program.js';
import { verify } from '../../codegen/ir/verify.js';
import { completeFolding, foldingChooser, missing, resourceNames, type Kind } from '../../codegen/schedule/fabric/choose.js';
import { leastDepths, withDepths } from '../../codegen/schedule/fabric/depths.js';
import { scheduleFabric, streamName } from '../../codegen/schedule/fabric/index.js';
import type { Folding } from '../../codegen/schedule/fabric/kernel.js';
import { prepareFabric } from '../../codegen/schedule/fabric/prepare.js';
import { added, type Usage } from '../../codegen/schedule/fabric/operators.js';
import { estimateResources } from '../../codegen/schedule/fabric/resources.js';
import { explainDeadlock, simulateDataflow } from '../../codegen/schedule/fabric/simulate.js';
import { surroundings } from '../../codegen/schedule/fabric/surroundings.js';
import { busCycles, type FpgaBoard } from '../../codegen/targets/board.js';
import { statedPreprocessing } from '../compile.js';
import { writeNpy } from '../data/npy.js';
import { timeOf } from '../hls/report.js';
import { effectsOf } from '../hls/effects.js';
import { projectFiles } from '../hls/project.js';
import type { Project, Vectors } from '../hls/types.js';
import type { Manifest } from '../runtime/index.js';
import { describeDifference, firstDifference } from './bits.js';
import { readBoard } from './boards.js';
import { circuitGraph, circuitName, interfaceArray, lowerForCircuit, makeCircuit, simulationHeaders } from './circuits.js';
import { usage, type Arguments, type Command } from './command.js';
import { controlsOf, controlTensors, samplesOption, type Controls } from './controls.js';
import { imageInput, normalizationFor, normalizeOption, readSet } from './datasets.js';
import { artifactEngine, build, importModel, interpreterEngine } from './engines.js';
import { checkProjectFolder, writeFolder } from './files.js';
import { readFolding } from './folding.js';
import { atFile, batchOption, largestBatch, posteriorOptions, readModel } from './models.js';
import { drawnFrom, randomInputs, readInputs, slice, type Inputs, type Slot } from './tensors.js';
import { count, plural } from './text.js';
import { megahertz, seconds } from './units.js';

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
    { name: 'latency', value: 'TIME', doc: 'the smallest circuit of this latency, such as 20us (default: the fastest that fits the board)' },
    { name: 'fps', value: 'N', doc: 'the smallest circuit of so many inferences a second' },
    { name: 'folding', value: 'FILE', doc: 'how much of each kernel is computed at once, as DIR/folding.json has it' },
    { name: 'input', short: 'i', value: '[NAME=]FILE', doc: 'inputs of the test bench: .npy, or .npz with arrays by input name', repeated: true },
    { name: 'images', value: 'FILE', doc: 'instead: the first of a data set, .npy, .npz or IDX (also .gz), through the model\'s preprocessing' },
    { name: 'limit', value: 'N', doc: 'images of --images (default 8)' },
    normalizeOption,
    { name: 'random', value: 'N', doc: `draw N inputs for it (default 8): ${drawnFrom}` },
    { name: 'seed', value: 'S', doc: 'of the random inputs (default 1), and of the weights that --twin sample draws' },
    batchOption,
    ...posteriorOptions,
    { ...samplesOption, doc: 'of --twin sample: samples of the weights in the test bench and in all times, 1 to 65536 (default 2)' },
  ],
  examples: ['sigmaflow hls mlp.onnx --board pynq-z2 -o mlp_hls', 'sigmaflow hls mlp.onnx --board arty-a7-100t -o mlp_hls --clock 80MHz --latency 50us', 'sigmaflow hls mlp.onnx --board arty-a7-100t -o mlp_hls --folding folding.json --input digits.npy'],
  async run(args, context) {
    const folder = args.required('output');
    if (folder === '') usage(command, '-o', 'expected a folder, found an empty name');
    const board = fpgaBoard(args, context.root);
    const clock = clockOf(args, board);
    const batch = args.integer('batch', 1, largestBatch);
    const random = args.integer('random', 1, 100_000);
    const seed = args.integer('seed', 0, 2 ** 32 - 1) ?? 1;
    const given = (['input', 'images'] as const).filter((o) => args.flag(o));
    if (given.length > 1) usage(command, '--images', 'inputs come from --input or from a data set', 'Leave one of the two away.');
    if (given.length > 0 && (args.flag('random') || (args.flag('seed') && args.text('twin') !== 'sample'))) usage(command, `--${given[0]}`, 'inputs are either given or drawn', `Leave --random and --seed away, or --${given[0]}.`);
    for (const o of ['limit', 'normalize']) if (args.flag(o) && !args.flag('images')) usage(command, `--${o}`, 'it belongs to --images', 'Give the images, or leave it away.');
    const limit = args.integer('limit', 1, 100_000) ?? 8;
    const goals = ['latency', 'fps', 'folding'].filter((o) => args.flag(o));
    if (goals.length > 1) usage(command, `--${goals[1]}`, `--${goals[0]} says already how the circuit is folded`, 'Give one of the two.');
    checkProjectFolder(folder, signs, args.flag('force'));
    const model = readModel(args.positionals[0], args);
    const imported = importModel(model);

    const artifact = await build(model, { batch, target: 'scalar' });
    const controls = { samples: controlsOf(args).samples ?? 2, seed };
    const { graph, lowered, folding, goal, unit, estimate, timing, depths } = atFile(model.file, () => {
      const passed = circuitGraph(model, batch);
      const low = lowerForCircuit(passed);
      return { graph: passed, lowered: low, ...circuitFor(args, low, board, clock, artifact.manifest.batch, controls.samples) };
    });
    const name = circuitName(model.name);
    const text = emitHls(unit, name);

    const interpreter = interpreterEngine(artifact);
    const images = args.text('images');
    const inputs = images !== undefined ? imagesOf(args, images, limit, artifact.manifest, model.posterior, controls)
      : args.flag('input') ? readInputs(args.texts('input'), interpreter.inputs, controls)
        : randomInputs(interpreter.inputs, random ?? 8 * interpreter.batch, seed, controls);
    const files = images !== undefined ? [images] : args.texts('input');
    const origin = files.length > 0 ? `from ${files.map((f) => path.basename(f)).join(', ')}` : `drawn with seed ${seed}`;
    const effects = effectsOf({ ...lowered, program: withSamples(lowered.program, controls.samples) }, {
      folding,
      bus: board.bus.bits,
      depths: Object.fromEntries(unit.program.dataflow!.streams.map((s) => [streamName(s), s.depth])),
      lowerWithout: (without) => lowerForCircuit(circuitGraph(model, batch, without)),
      has: { normalizations: imported.nodes.some((n) => n.op === 'BatchNormalization'), quantizers: graph.nodes.some((n) => n.op === 'Requantize') },
    });
    const project: Project = {
      name, model: model.name, board, clock, goal, imported, graph, lowered, unit, text, folding, estimate, timing, depths, effects,
      vectors: vectorsOf(text, inputs, origin, artifactEngine(artifact), interpreter),
      headers: simulationHeaders(context.root), version: context.version, date: new Date().toISOString(),
    };
    const written = projectFiles(project);
    writeFolder(folder, written);
    context.print(`${folder}: ${plural(Object.keys(written).length, 'file')} for ${board.title} (${board.part}) at ${clock} MHz, ${unit.program.dataflow!.processes.length} processes, ${plural(project.vectors.calls, 'call')} in the test bench`);
    context.print(`${timeOf(timing.latency + busCycles(board), clock)} latency, ${timeOf(busCycles(board), clock)} of it for memory to answer, a call every ${timeOf(timing.interval, clock)}; about ${count(estimate.total.lut)} LUTs, ${count(estimate.total.ff)} flip-flops, ${count(estimate.total.dsp)} DSP slices, ${count(estimate.total.bram18)} block RAMs (${goal})`);
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
  if (asked !== undefined && asked > clock.most) fail('hls/clock', '--clock', `expected at most ${clock.most} MHz, which circuits on ${title} reach, found ${args.text('clock')}`, `Ask for less: --clock ${clock.default}MHz is the default of ${name}.`);
  if (asked !== undefined && asked < 1) fail('hls/clock', '--clock', `expected at least 1 MHz, found ${args.text('clock')}`, `Ask for more: --clock ${clock.default}MHz is the default of ${name}.`);
  return asked ?? clock.default;
}

// ---- Folding -------------------------------------------------------------------------------------------------------

interface Chosen {
  readonly folding: Readonly<Record<string, Folding>>;
  /** What was asked for, in words. */
  readonly goal: string;
}

/** A Program whose repeats with a count from an input run so often, for times: its results are those of the Program with this input. */
function withSamples(program: Program, samples: number): Program {
  const map = (blocks: readonly Block[]): Block[] => blocks.map((b) => (b.kind === 'kernel' ? b : { ...b, count: typeof b.count === 'number' ? b.count : { ...b.count, max: Math.min(b.count.max, samples) }, body: map(b.body) }));
  return { ...program, blocks: map(program.blocks) };
}

/** The circuit: folded as a file says, else the least that meets the goal, else the fastest that fits the board; times of so many samples. */
function circuitFor(args: Arguments, lowered: ProgramUnit, board: FpgaBoard, clock: number, images: number, samples: number): Chosen & Finished {
  const prepared = prepareFabric({ ...lowered, program: withSamples(lowered.program, samples) }, []);
  const note = JSON.stringify(lowered.program.blocks) === JSON.stringify(withSamples(lowered.program, 0).blocks) ? '' : `; times of ${plural(samples, 'sample')}`;
  const file = args.text('folding');
  if (file !== undefined) {
    const named = readFolding(file, prepared);
    const { folding } = completeFolding(prepared, named, board.resources, { bus: board.bus.bits });
    // A folding of 1 and 1 is what a kernel has of which nobody says anything.
    const added = Object.entries(folding).filter(([name, f]) => !Object.hasOwn(named, name) && f.pe * f.simd > 1);
    const said = added.length === 0 ? '' : `; not in it, and folded to keep up: ${added.map(([name, { pe, simd }]) => `${name} (PE ${pe}, SIMD ${simd})`).join(', ')}`;
    return fitting({ folding, goal: `folded as ${path.basename(file)} says${said}${note}`, ...finished(makeCircuit(lowered, { folding, bus: board.bus.bits }), samples) }, board);
  }
  const [latency, fps] = [seconds(args, 'latency'), args.number('fps', 1e-3, 1e12)];
  const outside = busCycles(board);
  if (latency !== undefined && wholeCycles(latency * clock * 1e6) <= outside) fail('fabric/goal', '--latency', `memory on ${board.title} takes ${timeOf(outside, clock)} of every call to answer, and ${args.text('latency')} was asked for`, 'Ask for more than that, or take a higher clock.');
  const cycles = latency !== undefined ? { latency: wholeCycles(latency * clock * 1e6), outside } : fps !== undefined ? { interval: wholeCycles((clock * 1e6 * images) / fps) } : {};
  const goal = `${latency !== undefined ? `asked for a latency of ${args.text('latency')}` : fps !== undefined ? `asked for ${args.text('fps')} inferences a second` : 'as fast as fits'}${note}`;
  // A folding is chosen before the depths of its streams are known: what they take is set aside, and it is chosen again, first with
  // the depths that the streams of the last one had.
  const bus = board.bus.bits;
  const choose = foldingChooser(prepared, cycles, { bus });
  const room = roomOn(board);
  const part = { ...room };
  let before: Readonly<Record<string, number>> = {};
  for (let left = attempts; ; left--) {
    const { folding } = explained(() => choose(part), board);
    const likely = estimateResources(scheduleFabric(lowered, { folding, bus, depths: before }).program);
    const made = missing(likely.total, room) && left > 0 ? undefined : { folding, goal, ...finished(makeCircuit(lowered, { folding, bus }), samples) };
    const kind = missing((made?.estimate ?? likely).total, room);
    if (made && (!kind || left === 0)) return fitting(made, board);
    part[kind!] -= Math.ceil(1.1 * ((made?.estimate ?? likely).total[kind!] - room[kind!])) + 1;
    if (made) before = Object.fromEntries(made.unit.program.dataflow!.streams.map((s) => [streamName(s), s.depth]));
  }
}

const attempts = 8;

/** Cycles that are over, whatever a product of decimal fractions is short of. */
const wholeCycles = (n: number): number => Math.floor(n * (1 + 1e-12));

/** What a board has for a circuit, beside what the processor reaches it by. */
function roomOn({ resources, interface: by }: FpgaBoard): Usage {
  const left = added(resources, surroundings[by], -1);
  return Object.fromEntries(Object.entries(left).map(([k, n]) => [k, Math.max(0, n)])) as Record<Kind, number>;
}

/** What is set aside of a kind; nothing where nothing is. */
function roomText({ title, resources, interface: by }: FpgaBoard, kind: Kind): string[] {
  const taken = surroundings[by][kind];
  return taken > 0 ? [`${title} has ${count(resources[kind])} ${resourceNames[kind]}, of which the processor needs about ${count(taken)} to reach the circuit.`] : [];
}

/** What does not fit is refused with what the room on the board is. */
function explained<T>(f: () => T, board: FpgaBoard): T {
  try {
    return f();
  } catch (error) {
    if (!(error instanceof DiagnosticError) || error.diagnostic.code !== 'fabric/does-not-fit') throw error;
    const { diagnostic } = error;
    const kind = (Object.keys(resourceNames) as Kind[]).find((k) => diagnostic.message.includes(resourceNames[k]));
    throw new DiagnosticError({ ...diagnostic, notes: [...diagnostic.notes, ...(kind ? roomText(board, kind) : [])] });
  }
}

/** Raises fabric/does-not-fit where a circuit is larger than the board. */
function fitting<T extends Finished>(made: T, board: FpgaBoard): T {
  const { estimate } = made;
  const room = roomOn(board);
  const kind = missing(estimate.total, room);
  if (!kind) return made;
  const [largest] = [...estimate.processes].sort((a, b) => b[kind] - a[kind]);
  return fail('fabric/does-not-fit', largest.name, `the circuit takes ${count(estimate.total[kind])} ${resourceNames[kind]}, and there is room for ${count(room[kind])}`, `${largest.name} alone takes ${count(largest[kind])}.`, ...roomText(board, kind), 'Fold it more (smaller pe and simd), or take a larger board.');
}

type Finished = Pick<Project, 'unit' | 'estimate' | 'timing' | 'depths'>;

/** A circuit with the least depths of its streams, its size and its time for so many samples. */
function finished(circuit: ProgramUnit, samples: number): Finished {
  const timed = withSamples(circuit.program, samples);
  const { depths, least, endless } = leastDepths(timed);
  const [unit, program] = [{ ...circuit, program: withDepths(circuit.program, depths) }, withDepths(timed, depths)];
  verify(unit);
  const [one, several] = [simulateDataflow(program), simulateDataflow(program, { images: 3 })];
  if (one.deadlock) fail('internal/fault', circuit.program.name, `the circuit would stand still: ${explainDeadlock(one.deadlock)}`, 'This is a fault of the compiler. Report it with the model.');
  return { unit, estimate: estimateResources(program), timing: { ...one, interval: several.interval, streams: several.streams }, depths: { least, endless } };
}

// ---- The test bench's data -----------------------------------------------------------------------------------------

/** The first images of a data set, as the model takes them. */
function imagesOf(args: Arguments, file: string, limit: number, manifest: Manifest, posterior: Uint8Array | undefined, controls: Controls): Inputs {
  const input = imageInput(manifest, '--images is for models of one input; for others, --input.');
  const { count: found, inputs } = readSet(file, { option: '--images', images: file }, { input, classes: 1, normalization: normalizationFor(args, manifest, statedPreprocessing(posterior)), limit });
  return { count: found, tensors: { [input.name]: { shape: [found, ...input.shape.slice(1)], data: inputs }, ...controlTensors(manifest.inputs, controls) } };
}

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
