/**
 * Equal bits: the lowered Program by the interpreter, its scheduled forms, the scalar, simd128 and relaxed modules (every tensor
 * in builds without buffer reuse, then the outputs of modules as users get them), and the WASI command; whole networks.
 */
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { runPasses } from '../../codegen/compile.js';
import { importOnnx } from '../../codegen/import/onnx.js';
import { createInterpreter, type NumericArray } from '../../codegen/ir/interpret.js';
import { lower } from '../../codegen/schedule/lower.js';
import { readNpyStream, writeNpy } from '../../sdk/data/npy.js';
import { compile } from '../../sdk/compile.js';
import { runWasi } from '../../sdk/host/wasi.js';
import { loadSync, Session, type Manifest, type Model } from '../../sdk/runtime/index.js';
import { hostFor, thisProcess } from '../support/hosts.js';
import { firstDifference, makeProgram } from './engines.js';
import { exampleImages, exampleNetworks, randomInputs, sharedNetworks, type Inputs, type Network } from './networks.js';

const targetNames = ['scalar', 'simd128', 'relaxed'] as const;

/** The interpreter does some 10 million multiply-adds a second: these networks get one input, and fewer of its forms. */
const large = /vww|resnet|model_ic|sdp|residual/;

type Values = ReadonlyMap<string, NumericArray>;

interface Answer {
  readonly engine: string;
  readonly outputs: Values;
}

/** All N inferences through the modules as users get them and the WASI command. */
async function released(network: Network, inputs: Inputs, batch?: number): Promise<Answer[]> {
  const answers: Answer[] = [];
  for (const target of targetNames) {
    const { wasm, wasi, manifest } = await compile(network.bytes, { target, batch, wasi: target === 'simd128' });
    const session = sessionFor(wasm, manifest);
    if (!session) continue;
    const views = session.run(inputs);
    answers.push({ engine: target, outputs: new Map(manifest.outputs.map(({ name }) => [name, copy(views[name].data)])) });
    if (wasi) answers.push({ engine: 'WASI', outputs: await runCommand(wasi, manifest, inputs) });
  }
  return answers;
}

/** A session in this process, or one of which `run` runs in another that has relaxed SIMD. */
function sessionFor(wasm: Uint8Array, manifest: Manifest): Session | Model | undefined {
  const host = hostFor(manifest.features.includes('relaxed-simd') ? 'relaxed' : 'simd128');
  if (!host || host === thisProcess) return host && loadSync(wasm as Uint8Array<ArrayBuffer>);
  const memory = new WebAssembly.Memory({ initial: Math.ceil((manifest.arenaBytes + 16) / 65536) });
  const run = (): number => {
    const { statuses, memory: left } = host.run(wasm, manifest.inputs.map((t) => ({ offset: t.offset, bytes: new Uint8Array(memory.buffer, t.offset, 4 * t.shape.reduce((a, b) => a * b, 1)) })), ['run']);
    new Uint8Array(memory.buffer).set(new Uint8Array(left));
    return statuses[0];
  };
  return new Session(manifest, { exports: { memory, run } });
}

async function runCommand(wasi: Uint8Array, manifest: Manifest, inputs: Inputs): Promise<Map<string, NumericArray>> {
  const count = (shape: readonly number[]): number => shape.reduce((a, b) => a * b, 1);
  const files = manifest.inputs.map(({ name, shape, batched }) => {
    const data = inputs[name];
    return writeNpy({ shape: batched ? [data.length / count(shape.slice(1)), ...shape.slice(1)] : shape, data });
  });
  const { code, stdout, stderr } = await runWasi(wasi, new Uint8Array(Buffer.concat(files)));
  assert.is(stderr, '');
  assert.is(code, 0);
  const arrays = readNpyStream(new Uint8Array(stdout));
  return new Map(manifest.outputs.map(({ name }, i) => [name, copy(arrays[i].data as Float32Array)]));
}

/** In the types that the interpreter gives. */
function copy(data: ArrayLike<number>): NumericArray {
  if (data instanceof Float32Array) return data.slice();
  return data instanceof Uint8Array || data instanceof Uint16Array || data instanceof Uint32Array ? Uint32Array.from(data) : Int32Array.from(data);
}

async function compareAll(network: Network): Promise<void> {
  const graph = runPasses(importOnnx(network.bytes));
  const lowered = lower(graph);
  const { outputs } = lowered.program;
  const declarative = createInterpreter(lowered);
  const programs = { scalar: await makeProgram(graph, 'scalar'), simd128: await makeProgram(graph, 'simd128'), relaxed: await makeProgram(graph, 'relaxed') };
  const scheduled = { scalar: createInterpreter(programs.scalar.unit), simd128: createInterpreter(programs.simd128.unit), relaxed: createInterpreter(programs.relaxed.unit) };
  for (const seed of large.test(network.name) ? [1] : [1, 2]) {
    const inputs = randomInputs(graph, seed);
    const expected = declarative.run(inputs);
    const agree = (engine: string, reference: Values, found: Values, required?: readonly string[]): void => {
      const difference = firstDifference(reference, found, required);
      assert.is(difference, undefined, `${network.name}, seed ${seed}, ${engine}: ${difference}`);
    };
    let interpreted: Values = new Map();
    for (const target of ['simd128', 'relaxed'] as const) {
      if (target === 'simd128' || !large.test(network.name)) {
        interpreted = scheduled[target].run(inputs);
        agree(`Program scheduled for ${target}, interpreted`, expected, interpreted, outputs);
      }
      const found = programs[target].run(inputs);
      if (found) agree(`${target} module without buffer reuse`, interpreted, found);
    }
    const scalar = programs.scalar.run(inputs)!;
    agree('scalar module without buffer reuse', expected, scalar, outputs);
    if (!large.test(network.name)) agree('Program scheduled for scalar, interpreted', scheduled.scalar.run(inputs), scalar);
    if (seed !== 1) continue;
    // Fused, staged and laid out, but run in its declarative form.
    agree('declarative form of the Program for simd128', expected, createInterpreter(programs.simd128.unit, { scheduled: false }).run(inputs), outputs);
    const named = new Map(graph.outputs.map((name, i) => [name, expected.get(outputs[i])!]));
    for (const { engine, outputs: found } of await released(network, inputs)) agree(`${engine} as released`, named, found);
  }
}

const networks = [...exampleNetworks(), ...sharedNetworks()];

for (const network of networks) {
  test(`${network.name}: every engine gives the same bits`, () => compareAll(network));
}

for (const network of exampleNetworks().slice(0, 2)) {
  test(`${network.name}: a module of batch 3 gives the bits of batch 1, the last call padded and trimmed`, async () => {
    const { pixels } = exampleImages('mnist');
    const five = { input: pixels.slice(0, 5 * 784) };
    const single = loadSync((await compile(network.bytes)).wasm as Uint8Array<ArrayBuffer>).run(five);
    const expected = new Map([['logits', copy(single.logits.data)]]);
    assert.equal([...single.logits.shape], [5, 10]);
    for (const { engine, outputs } of await released(network, five, 3)) {
      assert.is(firstDifference(expected, outputs), undefined, `${engine}: ${firstDifference(expected, outputs)}`);
    }
    for (const target of targetNames) {
      const program = await makeProgram(runPasses(importOnnx(network.bytes), 3), target);
      const three = { input: pixels.slice(0, 3 * 784) };
      const interpreted = createInterpreter(program.unit).run(three);
      const found = program.run(three);
      if (found) assert.is(firstDifference(interpreted, found), undefined, target);
      assert.is(firstDifference(new Map([['logits', expected.get('logits')!.slice(0, 30)]]), interpreted), undefined, target);
    }
  });
}

test.run();
