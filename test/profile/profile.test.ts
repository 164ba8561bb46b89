/**
 * Profiles: a module that exports its steps computes what the ordinary one does, as a whole and step by step; what is
 * measured adds up. No time is asserted.
 */
import { readFileSync } from 'node:fs';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import type { Artifact } from '../../codegen/compile.js';
import { readUnsigned } from '../../codegen/emit/leb128.js';
import { readSections } from '../../codegen/emit/module.js';
import type { Graph } from '../../codegen/ir/graph.js';
import type { Block, Kernel } from '../../codegen/ir/program.js';
import { targets } from '../../codegen/targets/target.js';
import { assemble } from '../../sdk/host/assembler.js';
import { compile, profile } from '../../sdk/index.js';
import { functionCode } from '../../sdk/profile/functions.js';
import { measure, settled, timingOf } from '../../sdk/measure.js';
import { probes } from '../../sdk/profile/peaks.js';
import { Session } from '../../sdk/runtime/index.js';
import { randomCase } from '../random/graphs.js';
import { Random } from '../support/random.js';

const example = (name: string): Uint8Array => new Uint8Array(readFileSync(new URL(`../../examples/models/${name}.onnx`, import.meta.url)));

interface Open {
  readonly session: Session;
  readonly steps: readonly ((times: number) => void)[];
}

function open({ wasm, manifest, unit }: Artifact): Open {
  const instance = new WebAssembly.Instance(new WebAssembly.Module(wasm as BufferSource));
  const session = new Session(manifest, instance);
  const random = new Random(5);
  for (const { name } of manifest.inputs) {
    const { data } = session.inputs[name];
    for (let i = 0; i < data.length; i++) data[i] = data instanceof Float32Array ? random.float(-1, 1) : random.integer(0, 1);
  }
  return { session, steps: kernelsOf(unit.program.blocks).map((_, i) => instance.exports[`step${i}`] as (times: number) => void) };
}
const kernelsOf = (blocks: readonly Block[]): Kernel[] => blocks.flatMap((b) => (b.kind === 'kernel' ? [b] : kernelsOf(b.body)));
const answers = ({ session }: Open): string => Object.values(session.outputs).map(({ data }) => Buffer.from(data.buffer, data.byteOffset, data.byteLength).toString('hex')).join(' ');
const clear = ({ session }: Open): void => Object.values(session.outputs).forEach(({ data }) => data.fill(0));

const cases: [string, Uint8Array | Graph, 'simd128' | 'scalar', number][] = [
  ['cnn_w8a8_fashion', example('cnn_w8a8_fashion'), 'simd128', 1],
  ['lenet_w4a4', example('lenet_w4a4'), 'simd128', 3],
  ['mlp_w2a2', example('mlp_w2a2'), 'scalar', 1],
  ['a float graph', randomCase('float', 3).graph, 'simd128', 1],
];

for (const [name, model, target, batch] of cases) {
  test(`${name}, ${target}: exported steps change no bit; their code is counted`, async () => {
    const options = model instanceof Uint8Array ? { target, batch } : { target };
    const [ordinary, stepped] = [await compile(model, options), await compile(model, { ...options, steps: true })];
    assert.equal(WebAssembly.Module.exports(new WebAssembly.Module(ordinary.wasm as BufferSource)).map((e) => e.name).sort(), ['memory', 'run']);
    assert.is(stepped.manifest.programHash, ordinary.manifest.programHash);
    const [a, b] = [open(ordinary), open(stepped)];
    a.session.run();
    const expected = answers(a);
    assert.ok(/[1-9a-f]/.test(expected));
    b.session.run();
    assert.is(answers(b), expected, 'as a whole');
    clear(b);
    const { blocks } = stepped.unit.program;
    b.steps.forEach((step, i) => step(1 + (i % 3)));
    // Where a batch runs image by image, each kernel alone meets the last image only.
    const whole = blocks.every((block) => block.kind === 'kernel');
    assert.is(whole, batch === 1);
    if (whole) assert.is(answers(b), expected, 'step by step, each several times');

    // The functions are all that the module has, but for the two that widen constants at the start: their bodies with their
    // sizes make up the code section.
    const functions = functionCode(stepped.wasm);
    assert.equal([...functions.keys()].sort(), ['run', ...b.steps.flatMap((_, i) => [`step${i}`, `kernel${i}`])].sort());
    const bodies = [...new Map([...functions.values()].map(({ index, bytes }) => [index, bytes])).values()];
    const sizes = bodies.reduce((sum, bytes) => sum + bytes + (bytes < 128 ? 1 : bytes < 16384 ? 2 : 3), 0);
    const sections = readSections(stepped.wasm);
    const code = sections.find((s) => s.name === 'code')!;
    const widening = sections.some((s) => s.name === 'start') ? 2 : 0;
    const [count, first] = readUnsigned(stepped.wasm, code.start);
    assert.is(count, bodies.length + widening);
    let end = first;
    for (let i = 0; i < bodies.length; i++) {
      const [size, body] = readUnsigned(stepped.wasm, end);
      end = body + size;
    }
    assert.is(end - first, sizes);
    assert.ok(widening === 0 ? end === code.end : code.end - end < 200);
  });
}

test('a profile: every step, shares of one, figures that agree with one another', async () => {
  let rounds = 0;
  const p = await profile(example('lenet_w4a4'), { name: 'digits', seconds: 0.2, batch: 2, machine: { engine: 'this one' }, onRound: () => rounds++ });
  const { unit, manifest } = await compile(example('lenet_w4a4'), { name: 'digits', batch: 2 });
  assert.equal(p.steps.map((s) => s.name), kernelsOf(unit.program.blocks).map((k) => k.name));
  assert.ok(p.steps.some((s) => s.repeats === 2) && p.steps.some((s) => s.repeats === 1), 'image by image, and the batch at once');
  assert.is(p.programHash, manifest.programHash);
  assert.equal([p.name, p.batch, p.target, p.machine.engine], ['digits', 2, 'simd128', 'this one']);
  assert.is(rounds, p.rounds);
  assert.ok(Math.abs(p.steps.reduce((sum, s) => sum + s.share, 0) - 1) < 1e-9);
  assert.is(p.totals.multiplyAdds, 2 * 503_040);
  assert.ok(Math.abs(p.totals.microseconds - p.steps.reduce((sum, s) => sum + s.time.median, 0)) < 1e-9);
  for (const t of [p.run, ...p.steps.map((s) => s.time)]) assert.ok(t.low > 0 && t.low <= t.median && t.median <= t.high);
  for (const s of p.steps) {
    assert.ok(s.codeBytes > 0);
    assert.ok(Math.abs(s.gigaMultiplyAdds * s.time.median * 1000 - s.multiplyAdds) <= 1e-6 * s.multiplyAdds);
    assert.ok(Math.abs(s.limit.fraction * s.time.median - s.limit.microseconds) < 1e-9);
  }
  assert.ok(p.totals.codeBytes <= p.steps.reduce((sum, s) => sum + s.codeBytes, 0) && p.totals.codeBytes > Math.max(...p.steps.map((s) => s.codeBytes)));
  assert.equal(p.limits.rates.map((r) => r.name), ['float32', 'int32', 'dot16', 'popcount']);
  for (const r of p.limits.rates) assert.ok(r.gigaMultiplyAdds > 0);
  assert.equal(JSON.parse(JSON.stringify(p)), p, 'plain data');
});

test('given inputs are used; a wrong model is refused as compile refuses it', async () => {
  const data = new Float32Array(784).fill(0.5);
  const p = await profile(example('mlp_w2a2'), { seconds: 0.05, target: 'scalar', inputs: { input: data } });
  assert.equal(p.limits.rates.map((r) => r.name), ['float32', 'int32']);
  let message = '';
  await profile(new Uint8Array(9)).catch((error) => (message = error.message));
  assert.match(message, /^error \[onnx\/not-a-model\]/);
  await profile(example('mlp_w2a2'), { target: 'simd' as never }).catch((error) => (message = error.message));
  assert.match(message, /^error \[target\/unsupported\] simd:/);
});

test('micro-kernels do the work that they count', async () => {
  for (const target of [targets.simd128, targets.scalar]) {
    const { rates, bandwidths } = await probes(target, 70_000, assemble);
    assert.equal([...new Set(bandwidths.map((b) => b.bytes))], [16384, 65536, 262144], 'up to the first size that holds it');
    for (const { name, multiplyAdds, call } of rates) {
      call(2);
      assert.is(multiplyAdds, 256 * 8 * (target.lanes > 1 ? 4 * { float32: 1, int32: 1, dot16: 2, dot8: 4, popcount: 32 }[name] : 1), name);
    }
    for (const { call } of bandwidths) call(1);
  }
});

test('measure: rounds of all functions in order; what the engine still compiled is left out; quartiles', () => {
  const seen: number[] = [];
  const { rounds, timings } = measure([0, 1, 2].map((i) => () => seen.push(i)), 0.02);
  assert.is(timings.length, 3);
  assert.ok(rounds >= 5);
  assert.ok(seen.every((f, i) => f === i % 3));
  let now = 0;
  const steady = measure([0, 1].map((i) => (times: number) => (now += times * (i + 1))), 0.02, { clock: () => now });
  assert.equal(steady.timings, [1000, 2000].map((t) => ({ median: t, low: t, high: t })), 'microseconds of one time, by the clock that is given');
  assert.equal(timingOf([5, 1, 4, 2, 3]), { median: 3, low: 2, high: 4 });
  assert.equal(settled([9, 8, 9, 9, 2, 2, 2, 2, 3]), [2, 2, 2, 2, 3], 'compiled meanwhile');
  assert.equal(settled([2, 2, 9, 2, 2, 2]), [2, 2, 9, 2, 2, 2]);
  assert.equal(timingOf([1, 2]), { median: 1.5, low: 1.25, high: 1.75 });
});

test.run();
