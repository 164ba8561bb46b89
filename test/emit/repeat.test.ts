/** Repeats: a Program whose blocks run image by image, with a constant count and with one that an input gives. */
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { add, axis, float, load, mul, ref, rowMajor } from '../../codegen/ir/build.js';
import { sha256 } from '../../codegen/ir/hash.js';
import { interpret } from '../../codegen/ir/interpret.js';
import type { Buffer, Kernel, Program, ProgramUnit, Repeat, Role, Tensor } from '../../codegen/ir/program.js';
import { verify } from '../../codegen/ir/verify.js';
import { emitAssemblyScript } from '../../codegen/emit/assemblyscript.js';
import { finishModule } from '../../codegen/emit/module.js';
import { schedule } from '../../codegen/schedule/schedule.js';
import { targets } from '../../codegen/targets/target.js';
import { assemble } from '../../sdk/host/assembler.js';

const weights = Float32Array.from({ length: 24 }, (_, i) => Math.sin(i));
const hash = sha256(new Uint8Array(weights.buffer)).slice(0, 32);
const images = 3;

/** y[n, o] = sum over k of x[n, k] * w[k, o], one image a turn. */
function repeated(count: Repeat['count']): ProgramUnit {
  const tensors: Record<string, Tensor> = {};
  const buffers: Record<string, Buffer> = {};
  const declare = (name: string, shape: number[], role: Role, hash?: string): void => {
    buffers[name] = { name, role, bytes: shape.reduce((a, b) => a * b, 4), ...(hash ? { hash } : {}) };
    tensors[name] = { name, dtype: name === 'count' ? 'int32' : 'float32', shape, buffer: name, layout: rowMajor(shape, 32) };
  };
  declare('x', [images, 4], 'input');
  declare('w', [4, 6], 'constant', hash);
  declare('y', [images, 6], 'output');
  if (typeof count !== 'number') declare('count', [], 'input');
  const kernel: Kernel = {
    kind: 'kernel', name: 'dense', op: 'dense',
    space: [{ name: 'o', extent: 6 }], reduce: [{ name: 'k', extent: 4 }], partials: 1,
    accumulators: [{ name: 'acc', type: 'float32', init: float(0), update: add('float32', ref('acc'), mul('float32', load('x', ['n', 'k']), load('w', ['k', 'o']))) }],
    body: [], epilogue: [],
    stores: [{ tensor: 'y', at: [axis('n'), axis('o')], value: ref('acc') }],
  };
  const program: Program = {
    name: 'repeated', buffers, tensors,
    inputs: typeof count === 'number' ? ['x'] : ['x', 'count'], outputs: ['y'],
    blocks: [{ kind: 'repeat', axis: 'n', count, body: [kernel] }],
  };
  return { program, data: new Map([[hash, new Uint8Array(weights.buffer)]]) };
}

const x = Float32Array.from({ length: 4 * images }, (_, i) => Math.cos(3 * i));

async function run(unit: ProgramUnit, target: 'scalar' | 'simd128', count?: number): Promise<Float32Array> {
  const { program, data } = unit;
  const { binary } = await assemble({ 'model.ts': emitAssemblyScript(program, targets[target]) }, { entry: 'model.ts', features: targets[target].features, memoryBase: 1024, pages: 1, optimizeLevel: 3, shrinkLevel: 0 });
  const wasm = finishModule(binary, { data: Object.values(program.buffers).filter((b) => b.hash).map((b) => ({ offset: b.offset!, bytes: data.get(b.hash!)! })) });
  const { memory, run: entry } = new WebAssembly.Instance(new WebAssembly.Module(wasm)).exports as { memory: WebAssembly.Memory; run: () => number };
  new Float32Array(memory.buffer, program.buffers.x.offset, x.length).set(x);
  if (count !== undefined) new Int32Array(memory.buffer, program.buffers.count.offset, 1)[0] = count;
  assert.is(entry(), 0);
  return new Float32Array(memory.buffer, program.buffers.y.offset, 6 * images).slice();
}

for (const target of ['scalar', 'simd128'] as const) {
  test(`${target}: a constant count gives the interpreter's bits`, async () => {
    const unit = repeated(images);
    verify(unit);
    const scheduled = schedule(unit, targets[target]);
    verify(scheduled);
    const want = interpret(unit, { x }).get('y')!;
    assert.equal([...(await run(scheduled, target))], [...want]);
    assert.equal([...interpret(scheduled, { x }).get('y')!], [...want]);
  });
}

test('a count that an input gives is clamped to its most', async () => {
  const unit = schedule(repeated({ input: 'count', max: images }), targets.simd128);
  const all = [...(await run(unit, 'simd128', 99))];
  const one = [...(await run(unit, 'simd128', 1))];
  assert.equal(one.slice(0, 6), all.slice(0, 6));
  assert.equal(one.slice(6), new Array(12).fill(0));
  assert.ok(all.slice(6).every((v) => v !== 0));
  assert.equal([...(await run(unit, 'simd128', -1))], new Array(18).fill(0));
});

test.run();
