/** What repeats carry: the value that the interpreter gives it, and each way in which a Program can be wrong about it. */
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { add, axis, factor, float, load, mul } from '../../codegen/ir/build.js';
import { interpret } from '../../codegen/ir/interpret.js';
import { printProgram } from '../../codegen/ir/print.js';
import type { Block, Kernel, ProgramUnit, Repeat } from '../../codegen/ir/program.js';
import { verify } from '../../codegen/ir/verify.js';
import { makeKernel, makeUnit, mapKernel, type TensorSpec } from '../support/programs.js';
import { refuses } from '../support/refuses.js';

const broken = (unit: ProgramUnit, text: string): void => refuses(() => verify(unit), `error [program/invalid] ${text}`);
const tensors: Record<string, TensorSpec> = {
  x: { shape: [4], role: 'input' },
  times: { shape: [], dtype: 'int32', role: 'input' },
  y: { shape: [4], role: 'output' },
  before: { shape: [4] },
  after: { shape: [4], buffer: 'before' },
};
const start = mapKernel('x', 'before', 4, () => float(1), 'start');
const sum = makeKernel({ name: 'sum', space: [{ name: 'i', extent: 4 }], stores: [{ tensor: 'after', at: [axis('i')], value: add('float32', load('before', ['i']), load('x', ['i'])) }] });
const end = mapKernel('after', 'y', 4, (v) => v, 'end');
const repeat = (...body: Block[]): Repeat => ({ kind: 'repeat', axis: 's', count: { input: 'times', max: 2 ** 16 }, carried: [{ before: 'before', after: 'after' }], body });
const unit = (blocks: readonly Block[], more: Record<string, TensorSpec> = {}): ProgramUnit => makeUnit({ ...tensors, ...more }, blocks);

test('a sum over iterations, also over none; the count is clamped', () => {
  const u = unit([start, repeat(sum), end]);
  verify(u);
  const y = (times: number): number[] => [...interpret(u, { x: [1, 2, 3, -1], times: [times] }).get('y')!];
  assert.equal(y(3), [4, 7, 10, -2]);
  assert.equal(y(1), [2, 3, 4, 0]);
  assert.equal(y(0), [1, 1, 1, 1]);
  assert.equal(y(-5), [1, 1, 1, 1]);
  assert.match(printProgram(u.program), 'repeat s<times (at most 65536)\n  carried before -> after\n');
});

test('places that data decide: each iteration its own element, the others stay', () => {
  const at = [factor({ value: load('place', []), lo: 0, hi: 3 })];
  const place: Record<string, TensorSpec> = { place: { shape: [], dtype: 'int32', range: [0, 2 ** 16 - 1] } };
  const count = makeKernel({ name: 'count', stores: [{ tensor: 'place', at: [], value: { op: 'index', type: 'int32', index: axis('s') } }] });
  const put = (value: Kernel['stores'][0]['value']): Kernel => makeKernel({ name: 'put', stores: [{ tensor: 'after', at, value }] });
  const u = unit([start, repeat(count, put(mul('float32', load('before', at), float(5)))), end], place);
  verify(u);
  assert.equal([...interpret(u, { x: [0, 0, 0, 0], times: [2] }).get('y')!], [5, 5, 1, 1]);
  assert.equal([...interpret(u, { x: [0, 0, 0, 0], times: [5] }).get('y')!], [5, 5, 5, 25]);
  // elsewhere such stores have no region that is known
  const loose = unit([{ kind: 'repeat', axis: 's', count: 2, body: [count, makeKernel({ name: 'put', stores: [{ tensor: 'y', at, value: float(1) }] })] }], place);
  refuses(() => verify(loose), 'error [program/invalid]: a store at a data-dependent index: its region is not known: only what a repeat carries is written so');
});

test('two names of one place', () => {
  const wrong = (more: Record<string, TensorSpec>, text: string): void => broken(unit([start, repeat(sum), end], more), `s: the repeat carries ${text}`);
  wrong({ after: { shape: [4] } }, 'before to after, which are not two names of one place');
  wrong({ after: { shape: [2, 2], buffer: 'before' } }, 'before to after, which are not two names of one place');
  wrong({ view: { shape: [4], buffer: 'before' } }, 'before to after, and view lies in the same buffer');
  broken(unit([start, { ...repeat(sum), carried: [{ before: 'before', after: 'behind' }] }, end]), 's: the repeat carries "behind", which is no tensor');
});

test('who writes it, and where', () => {
  broken(unit([start, repeat(), end]), 's: after is carried by the repeat, and one kernel of its body must write it, and no other');
  broken(unit([start, repeat(sum, { ...sum, name: 'again' }), end]), 's: after is carried by the repeat, and one kernel of its body must write it, and no other');
  broken(unit([start, repeat(sum, { ...start, name: 'restart' }), end]), 's: before is carried by the repeat, and a kernel of its body writes it');
  broken(unit([repeat(sum), end]), 'sum: it reads before[0], which nothing has written');
  const shifted = { ...sum, stores: [{ ...sum.stores[0], value: load('before', [axis('i', -1, 3)]) }] };
  broken(unit([start, repeat(shifted), end]), 'sum: it reads before and writes after in place, and not at the same index');
});

test('which name is there when', () => {
  const seen = (from: string, name: string): Kernel => mapKernel(from, 'seen', 4, (v) => v, name);
  const more: Record<string, TensorSpec> = { seen: { shape: [4] } };
  verify(unit([start, repeat(seen('before', 'early'), sum), end], more));
  verify(unit([start, repeat(sum, seen('after', 'late')), end], more));
  broken(unit([start, repeat(sum, seen('before', 'late')), end], more), 'late: it reads before, which is overwritten by after');
  broken(unit([start, repeat(seen('after', 'early'), sum), end], more), 'early: it reads after before this iteration has stored it');
  broken(unit([start, repeat(sum), { ...end, stores: [{ ...end.stores[0], value: load('before', ['i']) }] }]), 'end: it reads before, which is overwritten by after');
});

test('a repeat in the body, which knows nothing of the outer one, is followed too', () => {
  const more: Record<string, TensorSpec> = { t: { shape: [4] } };
  const inner = (body: Block): Repeat => ({ kind: 'repeat', axis: 'n', count: 4, body: [body] });
  const part = makeKernel({ name: 'part', stores: [{ tensor: 't', at: [axis('n')], value: load('x', ['n']) }] });
  const use = { ...sum, stores: [{ ...sum.stores[0], value: add('float32', load('before', ['i']), load('t', ['i'])) }] };
  const u = unit([start, repeat(inner(part), use), end], more);
  verify(u);
  assert.equal([...interpret(u, { x: [1, 2, 3, 4], times: [2] }).get('y')!], [3, 5, 7, 9]);
  broken(unit([start, repeat(use, inner(part)), end], more), 'sum: it reads t[0], which nothing has written');
});

test.run();
