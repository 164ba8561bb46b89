/** The memory plan: places that never meet while both are live, aligned, reused, and an arena that holds them and no more. */
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { add, axis, load } from '../../codegen/ir/build.js';
import type { Buffer, Kernel, Program } from '../../codegen/ir/program.js';
import { verify } from '../../codegen/ir/verify.js';
import { bufferLives, planMemory } from '../../codegen/schedule/plan.js';
import { makeKernel, makeUnit, mapKernel, type TensorSpec } from '../support/programs.js';
import { Random } from '../support/random.js';

/** x -> t0 -> t1 ... -> y, of these lengths; `again` reads earlier ones a second time. */
function chain(lengths: readonly number[], again: readonly (readonly [number, number])[] = []): Program {
  const names = ['x', ...lengths.map((_, i) => `t${i}`), 'y'];
  const sizes = [4, ...lengths, 4];
  const tensors: Record<string, TensorSpec> = Object.fromEntries(names.map((n, i) => [n, { shape: [sizes[i]], role: n === 'x' ? 'input' : n === 'y' ? 'output' : 'temporary' }]));
  const kernels = names.slice(1).map((to, i): Kernel => {
    const extra = again.filter(([, reader]) => reader === i).map(([from]) => names[from]);
    const value = extra.reduce((v, from) => add('float32', v, load(from, [0])), load(names[i], [0]));
    return makeKernel({ name: `k${i}`, space: [{ name: 'i', extent: sizes[i + 1] }], stores: [{ tensor: to, at: [axis('i')], value }] });
  });
  return makeUnit(tensors, kernels).program;
}

const end = (b: Buffer): number => b.offset! + b.bytes;
const place = (p: Program): Record<string, number> => Object.fromEntries(Object.values(p.buffers).map((b) => [b.name, b.offset!]));

/** The planned buffers that share a byte, as pairs of names. */
function overlaps(p: Program): string[] {
  const all = Object.values(p.buffers);
  return all.flatMap((a, i) => all.slice(i + 1).filter((b) => a.offset! < end(b) && b.offset! < end(a)).map((b) => `${a.name} ${b.name}`));
}

test('constants, then the interface, then temporaries; address 0 stays free', () => {
  const tensors: Record<string, TensorSpec> = { x: { shape: [5], role: 'input' }, t: { shape: [5] , role: 'temporary' }, y: { shape: [5], role: 'output' }, w: { shape: [5], role: 'constant', data: new Float32Array(5) } };
  const { program } = makeUnit(tensors, [mapKernel('x', 't', 5, (v) => add('float32', v, load('w', ['i'])), 'a'), mapKernel('t', 'y', 5, (v) => v, 'b')]);
  const planned = planMemory(program, { reuse: true });
  // 20 bytes each, rounded up to 32; 16 bytes of slack
  assert.equal(place(planned), { x: 96, t: 160, y: 128, w: 64 });
  assert.is(planned.arenaBytes, 192 + 16);
});

test('a temporary takes the bytes of one that is dead, at the lowest free place', () => {
  const planned = planMemory(chain([16, 16, 16, 8]), { reuse: true });
  assert.equal(place(planned), { x: 64, t0: 96, t1: 160, t2: 96, t3: 160, y: 80 });
  assert.is(planned.arenaBytes, 96 + 64 + 64 + 16);
  assert.equal(overlaps(planned), ['t0 t2', 't1 t3']);
});

test('the one that is read again keeps its bytes until then', () => {
  const planned = planMemory(chain([16, 16, 16, 8], [[1, 4]]), { reuse: true });
  assert.equal(place(planned), { x: 64, t0: 96, t1: 160, t2: 224, t3: 160, y: 80 });
});

test('keepAll: nothing shares a byte', () => {
  const planned = planMemory(chain([16, 16, 16, 8]), { reuse: false });
  assert.equal(overlaps(planned), []);
  assert.is(planned.arenaBytes, 96 + 3 * 64 + 32 + 16);
});

test('a start moves all by as much', () => {
  const [low, high] = [planMemory(chain([16, 8]), { reuse: true }), planMemory(chain([16, 8]), { reuse: true, start: 4096 })];
  for (const [name, offset] of Object.entries(place(high))) assert.is(offset - place(low)[name], 4096 - 64);
  assert.is(high.arenaBytes! - low.arenaBytes!, 4096 - 64);
});

test('what passes a repeat lives throughout; what each iteration makes anew only as long as it is used there', () => {
  const { program } = makeUnit({ x: { shape: [4], role: 'input' }, a: { shape: [4], role: 'temporary' }, b: { shape: [4], role: 'temporary' }, y: { shape: [4], role: 'output' } }, [
    mapKernel('x', 'a', 4, (v) => v, 'k0'),
    { kind: 'repeat', axis: 'r', count: 3, body: [mapKernel('a', 'b', 4, (v) => v, 'k1'), mapKernel('b', 'y', 4, (v) => v, 'k2')] },
  ]);
  assert.equal([...bufferLives(program)], [['x', [0, 0]], ['a', [0, 2]], ['b', [1, 2]], ['y', [1, 2]]]);
  const anew = makeUnit({ x: { shape: [4], role: 'input' }, a: { shape: [4], role: 'temporary' }, b: { shape: [4], role: 'temporary' }, c: { shape: [4], role: 'temporary' }, y: { shape: [4], role: 'output' } }, [
    { kind: 'repeat', axis: 'r', count: 3, body: [mapKernel('x', 'a', 4, (v) => v, 'k0'), mapKernel('a', 'b', 4, (v) => v, 'k1'), mapKernel('b', 'c', 4, (v) => v, 'k2')] },
    mapKernel('c', 'y', 4, (v) => v, 'k3'),
  ]).program;
  assert.equal(Object.fromEntries(bufferLives(anew)), { x: [0, 2], a: [0, 1], b: [1, 2], c: [0, 3], y: [3, 3] });
  assert.equal(overlaps(planMemory(anew, { reuse: true })), []);
  assert.equal(overlaps(planMemory(program, { reuse: true })), []);
});

test('random programs: the verifier finds no overlap; the arena ends with the last buffer, and is no larger than without reuse', () => {
  const random = new Random(17);
  let shared = 0;
  for (let i = 0; i < 200; i++) {
    const lengths = Array.from({ length: random.integer(1, 12) }, () => random.integer(1, 70));
    const again = Array.from({ length: random.integer(0, 4) }, (): readonly [number, number] => {
      const reader = random.integer(0, lengths.length);
      return [random.integer(0, reader), reader];
    });
    const program = chain(lengths, again);
    const planned = planMemory(program, { reuse: true });
    verify({ program: planned, data: new Map() });
    const buffers = Object.values(planned.buffers);
    for (const b of buffers) assert.is(b.offset! % 16, 0);
    assert.is(planned.arenaBytes, Math.ceil(Math.max(...buffers.map(end)) / 16) * 16 + 16);
    const kept = planMemory(program, { reuse: false });
    assert.ok(planned.arenaBytes! <= kept.arenaBytes!);
    assert.equal(overlaps(kept), []);
    shared += overlaps(planned).length;
  }
  assert.ok(shared > 200, `only ${shared} pairs share bytes`);
});

test.run();
