/**
 * Every code of a diagnostic is raised by something, and one diagnostic of each is compared whole. The table must name
 * all codes of the compiler and of the runtime; one that nothing raises any more cannot stay. More of each code's texts are
 * in the tests of what raises it.
 */
import path from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { targetOf } from '../../codegen/compile.js';
import { axis, int } from '../../codegen/ir/build.js';
import { diagnosticCodes, DiagnosticError, formatDiagnostic, suggest, type DiagnosticCode } from '../../codegen/ir/diagnostic.js';
import { makeConstant, type Graph } from '../../codegen/ir/graph.js';
import { verify } from '../../codegen/ir/verify.js';
import { importOnnx } from '../../codegen/import/onnx.js';
import { applyPosterior } from '../../codegen/import/posterior.js';
import { readSafetensors } from '../../codegen/import/safetensors.js';
import { TensorProto_DataType as T } from '../../codegen/import/onnx_pb.js';
import { infer } from '../../codegen/passes/infer.js';
import { moments } from '../../codegen/passes/twins/moments.js';
import { chooseFolding } from '../../codegen/schedule/fabric/choose.js';
import { prepareFabric } from '../../codegen/schedule/fabric/prepare.js';
import { lower } from '../../codegen/schedule/lower.js';
import { parseTuning } from '../../codegen/schedule/records.js';
import { nestOf } from '../../codegen/schedule/nest.js';
import { applySteps } from '../../codegen/schedule/steps.js';
import { readBoard } from '../../sdk/cli/boards.js';
import { requireCompiler } from '../../sdk/cli/circuits.js';
import { writeAll } from '../../sdk/cli/files.js';
import { main } from '../../sdk/cli/main.js';
import { readNpy } from '../../sdk/data/npy.js';
import { assemble } from '../../sdk/host/assembler.js';
import { poolOn } from '../../sdk/pool/pool.js';
import { quantize } from '../../sdk/quantize.js';
import { ModelError, type ModelErrorCode } from '../../sdk/runtime/error.js';
import { loadSync } from '../../sdk/runtime/index.js';
import { command, example, root, temporaryFolder } from '../cli/command.js';
import { killable } from '../pool/threads.js';
import { tinyModule, type TinyTypes } from '../runtime/tiny.js';
import { GraphBuilder } from '../support/graphs.js';
import { floats, intAttribute, modelBytes, node, tensorInput, type ModelInit } from '../support/onnxModels.js';
import { matrixVectorUnit } from '../support/matrixVector.js';
import { makeKernel, makeUnit } from '../support/programs.js';

type Code = DiagnosticCode | ModelErrorCode;
interface Case {
  /** Raises the diagnostic, or gives the text that the command line wrote. */
  readonly raise: () => unknown;
  /** What follows the code. */
  readonly text: string;
}

const folder = temporaryFolder();
const module = await tinyModule(1);
const x = Float32Array.of(1, 2, 3);
const good = { x, code: Int8Array.of(1, 2), gain: Float32Array.of(3) };

const file = (model: ModelInit) => () => importOnnx(modelBytes(model));
const graph = (build: (g: GraphBuilder) => string) => (): Graph => {
  const g = new GraphBuilder();
  g.input('x', [1, 4]);
  return infer(g.build(build(g)));
};
/** The index of a loop, which nothing gathers. */
const loose = (): Graph => {
  const g = new GraphBuilder();
  g.input('x', [1, 4]);
  return g.build(g.node('LoopIndex', [], { max: 4 }));
};
/** x [1, 4] -> Gemm -> y [1, 2]. */
const dense = (): Graph => {
  const g = new GraphBuilder();
  return g.build(g.node('Gemm', [g.input('x', [1, 4]), g.constant('w', [4, 2], [1, 2, 3, 4, 5, 6, 7, 8])]));
};
/** e^(x + w) */
const sharp = (): Graph => {
  const g = new GraphBuilder();
  return g.build(g.node('Log', [g.node('Add', [g.input('x', [1, 4]), g.constant('w', [1, 4], [1, 2, 3, 4])])]));
};
const run = (inputs: object) => () => loadSync<TinyTypes>(module).run(inputs as never);
const line = async (...argv: string[]): Promise<string> => (await command(...argv)).err.trimEnd();

/** A module whose manifest can be read, and whose code no engine takes. */
const refused = Uint8Array.from([...module, 0x7f, 0x00]);
function engineSays(): string {
  try {
    new WebAssembly.Module(refused);
  } catch (error) {
    return (error as Error).message;
  }
  throw new Error('the engine took it');
}

/** The command line where the output is gone. */
async function broken(): Promise<string> {
  let text = '';
  const { stdout, stderr } = process;
  const [writeOut, writeErr] = [stdout.write, stderr.write];
  stdout.write = (() => { throw new Error('the pipe is gone'); }) as typeof stdout.write;
  stderr.write = ((chunk: string) => ((text += chunk), true)) as typeof stderr.write;
  try {
    assert.is(await main(['--version'], root), 1);
  } finally {
    stdout.write = writeOut;
    stderr.write = writeErr;
  }
  return text.trimEnd();
}

/** Runs where no program can be found. */
const withoutPrograms = (run: () => void) => (): void => {
  const before = process.env.PATH;
  process.env.PATH = '';
  try {
    run();
  } finally {
    process.env.PATH = before;
  }
};

const cases: Record<Code, Case> = {
  'file/unreadable': { raise: () => line('inspect', folder.at('model.onnx')), text: ' DIR/model.onnx: there is no such file\n  Check the path.' },
  'file/unwritable': { raise: () => writeAll([{ file: path.dirname(folder.at('x')), bytes: 'text' }]), text: ' DIR: expected the name of a file, found a folder\n  Name a file in it.' },
  'file/not-npy': { raise: () => readNpy(new Uint8Array(16), 'x.npy'), text: ' x.npy: expected a .npy file, which begins with \\x93NUMPY; found other bytes\n  Write the file again with numpy.save.' },
  'file/not-safetensors': { raise: () => readSafetensors(new Uint8Array(4)), text: ': these bytes are no safetensors file: the header has no possible length\n  Write the file anew with the safetensors package.' },
  'onnx/not-a-model': { raise: () => importOnnx(new Uint8Array(0)), text: ': expected an ONNX model, found 0 bytes that are not one\n  Give an .onnx file; if it is one, it is truncated or damaged: export or download it again.' },
  'onnx/truncated': { raise: file({ initializers: [floats('w', [3], [1, 2])], nodes: [node('Relu', ['x'], ['y'])] }), text: ' w: shape [3] of FLOAT needs 3 elements, found 2\n  The file is damaged: export or download it again.' },
  'onnx/external-data': { raise: file({ initializers: [{ name: 'w', dims: [2n], dataType: T.FLOAT, dataLocation: 1, externalData: [{ key: 'location', value: 'w.bin' }] }], nodes: [node('Relu', ['x'], ['y'])] }), text: ' w: the data of this tensor lie in another file, "w.bin", which cannot be read here\n  Export the model with its data inside.' },
  'onnx/opset': { raise: file({ opset: 6, nodes: [node('Relu', ['x'], ['y'])] }), text: ': the model uses opset 6; opsets 7 to 25 are supported\n  Export it with an opset from 7 to 25, or convert it with onnx.version_converter.' },
  'onnx/data-type': { raise: file({ inputs: [tensorInput('x', [1, 4], T.FLOAT16)], nodes: [node('Relu', ['x'], ['y'])] }), text: ' x: inputs of element type FLOAT16 are not supported\n  Export the model with float32 inputs.' },
  'graph/unknown-operator': { raise: file({ nodes: [node('Rellu', ['x'], ['y'], [], { name: 'act' })] }), text: ' act: the operator "Rellu" of the domain "ai.onnx" is not supported\n  Did you mean "Relu"?\n  Replace it by supported operators before export.' },
  'graph/unknown-attribute': { raise: file({ nodes: [node('Flatten', ['x'], ['y'], [intAttribute('axes', 1)], { name: 'flat' })] }), text: ' flat: Flatten has no attribute "axes"\n  Did you mean "axis"?' },
  'graph/attribute-type': { raise: graph((g) => g.node('Flatten', ['x'], { axis: 'one' })), text: ' Flatten_0: the attribute "axis" of Flatten must be an integer, found "one"\n  the first dimension of the columns; negative counts from the end' },
  'graph/missing-attribute': { raise: graph((g) => g.node('Concat', ['x', 'x'])), text: ' Concat_0: Concat needs the attribute "axis", which is absent\n  the dimension along which; negative counts from the end' },
  'graph/missing-tensor': { raise: file({ nodes: [node('Relu', ['z'], ['y'], [], { name: 'act' })] }), text: ' act: Relu takes "z", which nothing in the model defines\n  Did you mean "x"?' },
  'graph/doubly-defined': { raise: file({ nodes: [node('Relu', ['x'], ['y'], [], { name: 'a' }), node('Tanh', ['x'], ['y'], [], { name: 'b' })] }), text: ' b: the tensor "y" is defined twice\n  Give each tensor a name of its own.' },
  'graph/cycle': { raise: file({ nodes: [node('Add', ['x', 'y'], ['z'], [], { name: 'a' }), node('Relu', ['z'], ['y'], [], { name: 'b' })] }), text: ' a: these nodes depend on one another in a circle: a -> b -> a\n  A network must be acyclic: unroll loops before export.' },
  'graph/arity': { raise: graph((g) => g.node('Relu', ['x', 'x'])), text: ' Relu_0: Relu takes 1 input (X), found 2' },
  'graph/dynamic-shape': { raise: () => infer(importOnnx(modelBytes({ inputs: [tensorInput('x', ['N', 'L'])], nodes: [node('Relu', ['x'], ['y'])] }))), text: ' x: dimension 1 of this input is "L", which is not fixed; its shape is [N, L]\n  Only the first dimension, the batch, may be symbolic.\n  Export the model with this dimension fixed.' },
  'graph/shape': { raise: graph((g) => g.node('MatMul', ['x', g.constant('w', [3, 2], [1, 2, 3, 4, 5, 6])])), text: ' MatMul_0: MatMul of x [1, 4] and w [3, 2]: the inner dimensions 4 and 3 differ\n  Give [.., M, K] and [.., K, N]; the leading dimensions broadcast.' },
  'graph/data-type': { raise: graph((g) => g.node('Sqrt', [g.constant('w', [1], [4], 'int8')])), text: ' Sqrt_0: Sqrt takes float32, and w is int8\n  Put a Dequantize in front of it, or give it a tensor of a type that it takes.' },
  'graph/not-constant': { raise: graph((g) => g.node('Reshape', ['x', 'x'])), text: ' Reshape_0: input shape of Reshape ("x") must be known at compile time, but it is computed at run time\n  Make it an initializer of the model.' },
  'graph/unsupported': { raise: graph((g) => g.node('Conv', [g.node('Reshape', ['x', g.constant('s', [5], [1, 1, 1, 2, 2], 'int32')]), g.constant('w', [1, 1, 1, 1, 1], [1])])), text: ' Conv_1: Conv has 3 spatial dimensions\n  One and two spatial dimensions are supported.' },
  'graph/posterior': { raise: () => applyPosterior(dense(), { 'w.mean': makeConstant('float32', [4, 2], new Float32Array(8)) }), text: ' w.mean: the file has no tensor w.std\n  Give mean and standard deviation of w, or w alone for a weight that is not random.' },
  'graph/loop': { raise: () => lower(infer({ ...loose(), loop: { index: 'LoopIndex_0_out', count: 'x', max: 4 } })), text: " LoopIndex_0_out: this output is made anew in each iteration of the graph's loop\n  Give it to SampleMean, SampleMoments, SampleInformation or SampleCollect, whose results are there behind the loop." },
  'graph/no-moments': { raise: () => moments(infer({ ...sharp(), posteriors: { w: { deviation: makeConstant('float32', [1, 4], [1, 1, 1, 1]) } } })), text: ' Log_1: Log has no rule for mean and variance, and its input Add_0_out is random\n  Compile the sampled twin, which needs no rules, or make what comes before it deterministic.' },
  'graph/too-large': { raise: file({ initializers: [{ name: 'w', dims: [1048576n, 1048576n], dataType: T.FLOAT }], nodes: [node('Relu', ['x'], ['y'])] }), text: ' w: a tensor of shape [1048576, 1048576] has more than 2^28 elements\n  Use a smaller model.' },
  'program/invalid': { raise: () => verify(makeUnit({ y: { shape: [4], dtype: 'int8', role: 'output' } }, [makeKernel({ space: [{ name: 'i', extent: 4 }], stores: [{ tensor: 'z', at: [axis('i')], value: int(1, 'int8') }] })])), text: ' k: there is no tensor "z"' },
  'schedule/illegal': { raise: () => applySteps(nestOf(makeKernel({ space: [{ name: 'i', extent: 6 }], stores: [] })), [{ step: 'split', loop: 'i', factor: 4 }]), text: ' k: "split i by 4" is not legal here: 4 does not divide 6' },
  'fabric/does-not-fit': { raise: () => chooseFolding(prepareFabric(matrixVectorUnit(32, 64, 'int4', 'uint4'), []), { lut: 500, ff: 9999, dsp: 9, bram18: 9 }), text: ' x.load: the smallest circuit takes 2,715 LUTs, and there is room for 500: 2,215 too many\n  x.load alone takes 1,180.\n  Take a larger part, or a network with fewer or narrower weights.' },
  'fabric/goal': { raise: () => chooseFolding(prepareFabric(matrixVectorUnit(32, 64, 'int4', 'uint4'), []), { lut: 53200, ff: 106400, dsp: 220, bram18: 280 }, { interval: 5 }), text: ' x.load: for an image every 5 cycles it would have to take less than its 10 cycles, and no folding that synthesis takes makes it faster\n  The circuit reaches an image every 10 cycles and a latency of 24.\n  Ask for less, or take a higher clock.' },
  'target/unsupported': { raise: () => targetOf('simd12'), text: ' simd12: there is no such target\n  Did you mean "simd128"?' },
  'target/board': { raise: () => readBoard('pynq-z1', root), text: ' pynq-z1: there is no such board\n  Did you mean "pynq-z2"?\n  A board of your own: give its file, BOARD.json.' },
  'hls/clock': { raise: () => line('hls', example, '--board', 'pynq-z2', '--clock', '5GHz', '-o', folder.at('out')), text: ' --clock: expected at most 200 MHz, which circuits on PYNQ-Z2 reach, found 5GHz\n  Ask for less: --clock 100MHz is the default of pynq-z2.' },
  'hls/folding': { raise: () => line('hls', example, '--board', 'pynq-z2', '--folding', folder.save('f.json', '[]'), '-o', folder.at('out')), text: ' DIR/f.json: expected an object with a folding by kernel\n  Write {"KERNEL": {"pe": 4, "simd": 2}, ...}, as folding.json of a project has it.' },
  'hls/simulation': { raise: withoutPrograms(requireCompiler), text: ' g++: C simulation needs the compiler g++, which is not here\n  Install it: apt-get install -y g++.' },
  'tuning/record': { raise: () => parseTuning('{"format":2}', 'r.json'), text: ' r.json: this is no tuning file: its format is 2, and 1 is known\n  Make one with "sigmaflow tune MODEL.onnx -o FILE".' },
  'compile/assembler': { raise: () => assemble({ 'a.ts': 'export function run(): i32 { return missing; }' }, { entry: 'a.ts', features: [], memoryBase: 64, pages: 1, optimizeLevel: 0, shrinkLevel: 0 }), text: " a.ts: ERROR TS2304: Cannot find name 'missing'.\n     :\n   1 │ export function run(): i32 { return missing; }\n     │                                     ~~~~~~~\n     └─ in a.ts(1,37)\n  FAILURE 1 compile error(s)\n  This is a fault of the compiler. Report it with the model, or with what `--emit source` wrote." },
  'module/not-a-module': { raise: () => loadSync(Uint8Array.of(1, 2, 3)), text: ' module: expected a WebAssembly module, which begins with 00 61 73 6d 01 00 00 00; found 01 02 03\n  Give the .wasm file that `sigmaflow compile` wrote.' },
  'module/version': { raise: async () => loadSync(await tinyModule(1, { version: 99 })), text: ' tiny: expected format version 1 or older, found 99\n  Install a newer sigmaflow, or compile the model again with this one.' },
  'module/features': { raise: () => loadSync(refused), text: ` tiny: this engine refused the module: ${engineSays()}\n  It needs WebAssembly with: simd128. Where the engine lacks one, compile with --target scalar; else the file is damaged: compile again.` },
  'quantize/model': { raise: () => quantize({ name: 'empty', inputs: ['x'], outputs: ['x'], values: { x: { name: 'x', shape: [1], dtype: 'float32' } }, constants: {}, nodes: [] }, [1]), text: ' empty: the model has no layer that can be quantized\n  Layers are Conv, Gemm and MatMul with constant weights.' },
  'quantize/calibration': { raise: () => quantize(dense(), [1, 2, 3]), text: ' x: expected shape [N, 4], found 3 elements\n  Give at least one inference, and only whole ones.' },
  'quantize/options': { raise: () => quantize(dense(), [1, 2, 3, 4], { bits: 9 }), text: ' bits: expected a whole number of 2 to 8, found 9' },
  'run/missing-input': { raise: run({ code: good.code, gain: good.gain }), text: ' x: expected float32 [N, 3], found nothing\n  Give it by name: { x, code, gain }.' },
  'run/unknown-input': { raise: run({ ...good, gian: good.gain }), text: ' gian: the model has no such input\n  Did you mean "gain"?' },
  'run/shape': { raise: run({ ...good, x: x.subarray(1) }), text: ' x: expected shape [N, 3], which is N times 3 elements; found 2\n  Give the elements of whole inferences, row by row.' },
  'run/data-type': { raise: run({ ...good, x: Uint8Array.of(1, 2, 3) }), text: ' x: expected float32 elements in a Float32Array, found Uint8Array\n  Scale the data as in training, for example Float32Array.from(pixels, (p) => p / 255).' },
  'run/status': { raise: run({ ...good, gain: Float32Array.of(NaN) }), text: ' tiny: the gain is not finite' },
  'run/disposed': {
    raise() {
      const session = loadSync<TinyTypes>(module).session();
      session.dispose();
      session.run(good);
    },
    text: ' tiny: the session was disposed\n  Make a new one with model.session().',
  },
  'pool/threads': { raise: () => poolOn(killable(), module, { threads: 0 }), text: ' tiny: expected 1 to 256 threads, found 0\n  Leave `threads` away for one a core.' },
  'pool/worker': { raise: () => poolOn(killable('throw new Error("no such luck")'), module, { threads: 1 }), text: ' tiny: a worker did not start: no such luck\n  Start none.' },
  'pool/worker-lost': {
    async raise() {
      const host = killable();
      const pool = await poolOn<TinyTypes>(host, module, { threads: 1 });
      await host.workers[0].terminate();
      return pool.run(good);
    },
    text: ' tiny: a worker ended: it exited with code 1\n  Its runs are lost, others are not. Run this one again if it was not at fault.',
  },
  'pool/closed': {
    async raise() {
      const pool = await poolOn<TinyTypes>(killable(), module, { threads: 1 });
      await pool.close();
      return pool.run(good);
    },
    text: ' tiny: the pool was closed\n  Make a new one with createPool().',
  },
  'cli/usage': { raise: () => line('compiel'), text: ' compiel: there is no command "compiel"\n  Did you mean "compile"?\n  See `sigmaflow --help`.' },
  'internal/fault': { raise: broken, text: ': the pipe is gone\n  This is a fault of sigmaflow. Set SIGMAFLOW_TRACE=1 to see where it arises, and report it with the model.' },
};

/** The text, with the test's folder taken out. */
async function messageOf(raise: () => unknown): Promise<string> {
  const plain = (text: string): string => text.replaceAll(path.dirname(folder.at('x')), 'DIR');
  try {
    return plain(String(await raise()));
  } catch (error) {
    if (error instanceof DiagnosticError || error instanceof ModelError) return plain(error.message);
    throw error;
  }
}

for (const [code, { raise, text }] of Object.entries(cases)) {
  test(code, async () => assert.is(await messageOf(raise), `error [${code}]${text}`));
}

test('the table names every code, and each has a line for readers', () => {
  assert.equal(Object.keys(cases).sort(), Object.keys(diagnosticCodes).sort());
  for (const [code, what] of Object.entries(diagnosticCodes)) assert.match(what, /^[a-z]+ .{8,}[^.]$/, code);
});

test('the text of a diagnostic', () => {
  assert.is(formatDiagnostic({ code: 'graph/shape', message: 'm', notes: [] }), 'error [graph/shape]: m');
  assert.is(formatDiagnostic({ code: 'graph/shape', at: 'a', message: 'm', notes: ['n', 'o'] }), 'error [graph/shape] a: m\n  n\n  o');
});

test('suggestions', () => {
  assert.is(suggest('Rellu', ['Relu', 'Tanh']), 'Did you mean "Relu"?');
  assert.is(suggest('relu', ['Relu', 'Tanh']), 'Did you mean "Relu"?');
  assert.is(suggest('Softmax', ['Relu', 'Tanh']), 'Valid: Relu, Tanh.');
  assert.is(suggest('z', Array.from({ length: 14 }, (_, i) => `name${i}`)), 'Valid: name0, name1, name2, name3, name4, name5, name6, name7, name8, name9, name10, name11, and 2 more.');
  assert.is(suggest('z', [], 'target'), 'There is no valid target.');
});

test.after(() => folder.remove());

test.run();
