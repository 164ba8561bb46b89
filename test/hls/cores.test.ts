/**
 * Float cores that operations share: intervals and waiting times by hand, what the text asks synthesis for, what is estimated, and
 * when a choice of foldings shares at all. That no bit changes: csim.test.ts, where of three circuits two share.
 */
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { add, axis, float, load, mul, sub } from '../../codegen/ir/build.js';
import type { Expr, Kernel, ProgramUnit } from '../../codegen/ir/program.js';
import { verify } from '../../codegen/ir/verify.js';
import { emitHls } from '../../codegen/emit/hls/design.js';
import { chooseFolding } from '../../codegen/schedule/fabric/choose.js';
import { processCycles } from '../../codegen/schedule/fabric/cycles.js';
import { scheduleFabric } from '../../codegen/schedule/fabric/index.js';
import type { Folding } from '../../codegen/schedule/fabric/kernel.js';
import { floatCores } from '../../codegen/schedule/fabric/operators.js';
import { prepareFabric } from '../../codegen/schedule/fabric/prepare.js';
import { estimateResources } from '../../codegen/schedule/fabric/resources.js';
import { makeKernel, makeUnit } from '../support/programs.js';
import { refuses } from '../support/refuses.js';

const elements = 10;
const f = (x: Expr, factors: readonly number[]): Expr => factors.map((c) => mul('float32', x, float(c))).reduce((a, b, i) => (i === 3 ? sub('float32', a, b) : add('float32', a, b)));

/** Six products of an element and five sums, one after the other. */
function step(name: string, from: string, to: string): Kernel {
  return makeKernel({ name, space: [{ name: 'n', extent: 1 }, { name: 'i', extent: elements }], stores: [{ tensor: to, at: [axis('n'), axis('i')], value: f(load(from, [axis('n'), axis('i')]), [2, 3, 5, 7, 11, 13]) }] });
}

/** Two such kernels; the second reads the elements in another order, so that they are not one. */
function chain(): ProgramUnit {
  const shape = [1, elements];
  const second = step('second', 'y', 'z');
  const turned: Kernel = { ...second, stores: [{ ...second.stores[0], value: f(load('y', [axis('n'), { offset: elements - 1, terms: [{ coeff: -1, of: 'i' }] }]), [1.5, 2.5, 3.5, 4.5, 5.5, 6.5]) }] };
  return makeUnit({ x: { shape, role: 'input' }, y: { shape, role: 'output' }, z: { shape, role: 'output' } }, [step('first', 'x', 'y'), turned]);
}

const one = (): ProgramUnit => makeUnit({ x: { shape: [1, elements], role: 'input' }, y: { shape: [1, elements], role: 'output' } }, [step('first', 'x', 'y')]);

function made(unit: ProgramUnit, folding: Readonly<Record<string, Folding>>): { text: string; dsp: number; lut: number; cycles: number; kernel: Kernel } {
  const circuit = scheduleFabric(unit, { folding });
  verify(circuit);
  const own = estimateResources(circuit.program).processes.find((p) => p.name === 'first')!;
  const kernel = circuit.program.blocks.find((b) => b.kind === 'kernel' && b.name === 'first') as Kernel;
  return { text: emitHls(circuit).processes, dsp: own.dsp, lut: own.parts.arithmetic.lut, cycles: processCycles(circuit.program).find((p) => p.name === 'first')!.cycles, kernel };
}

const { add: adder, mul: multiplier } = floatCores;

test('an iteration begins when the core with most to do is free: six products on one, two, three, six', () => {
  const free = made(one(), {});
  assert.is(free.dsp, 6 * multiplier.dsp + 5 * adder.dsp);
  assert.not.match(free.text, /ALLOCATION|opposite/);
  for (const [cores, interval, adders] of [[1, 6, 1], [2, 3, 2], [3, 2, 3], [6, 1, 5]] as const) {
    const { text, dsp, kernel } = made(one(), { first: { pe: 1, simd: 1, cores } });
    assert.equal(kernel.scheduled!.cores, { add: adders, mul: cores });
    assert.match(text, new RegExp(`PIPELINE II=${interval}\n`));
    assert.match(text, new RegExp(`ALLOCATION operation instances=fadd limit=${adders}\n.*ALLOCATION operation instances=fmul limit=${cores}\n`));
    assert.match(text, /\+ opposite\(/);
    assert.is(dsp, cores * multiplier.dsp + adders * adder.dsp);
  }
  assert.ok(made(one(), { first: { pe: 1, simd: 1, cores: 1 } }).lut < free.lut / 2);
  // Twice as many outputs at once have twice as many cores.
  assert.equal(made(one(), { first: { pe: 2, simd: 1, cores: 1 } }).kernel.scheduled!.cores, { add: 2, mul: 2 });
});

test('operations wait for their turn', () => {
  // Products begin in cycles 0 to 5 and are done 3 later; sums, of 4 cycles each, begin in 4, 8, 12, then in 17, as 16 is the turn of
  // the first sum of a later iteration, and in 21. Without sharing the last ends in 23, so now in 25.
  const free = made(one(), {}).cycles;
  const shared = made(one(), { first: { pe: 1, simd: 1, cores: 1 } }).cycles;
  assert.is(shared - 6 * (elements - 1), free - (elements - 1) + 2);
});

test('kernels of one process run one after the other on the same cores', () => {
  const apart = made(chain(), { first: { pe: 1, simd: 1, cores: 1 }, second: { pe: 1, simd: 1, cores: 1 } });
  const together = made(chain(), { first: { pe: 1, simd: 1, cores: 1 }, second: { pe: 1, simd: 1, cores: 1, process: 'first' } });
  assert.is(together.dsp, apart.dsp);
  assert.ok(together.cycles > apart.cycles);
  assert.is([...apart.text.matchAll(/ALLOCATION/g)].length, 4);
  assert.is([...together.text.matchAll(/ALLOCATION/g)].length, 2);
  // A neighbour that says nothing keeps as many as it starts at once.
  assert.is(made(chain(), { first: { pe: 1, simd: 1, cores: 1 }, second: { pe: 1, simd: 1, process: 'first' } }).dsp, 6 * multiplier.dsp + 5 * adder.dsp);
});

test('what does not fit one by one shares cores, then processes, and is refused where that does not help', () => {
  const prepared = prepareFabric(chain(), []);
  const part = { lut: 53200, ff: 106400, bram18: 280 };
  const all = 2 * (6 * multiplier.dsp + 5 * adder.dsp);
  const each = multiplier.dsp + adder.dsp;
  const chosen = (dsp: number): ReturnType<typeof chooseFolding> => chooseFolding(prepared, { ...part, dsp });
  assert.ok(Object.values(chosen(all).folding).every((x) => x.cores === undefined && x.process === undefined));
  const shared = chosen(all - 1);
  assert.ok(Object.values(shared.folding).every((x) => x.cores !== undefined && x.process === undefined));
  assert.ok(shared.estimate.total.dsp < all);
  const joined = chosen(2 * each - 1);
  assert.is(joined.folding.second.process, 'first');
  assert.ok(joined.estimate.total.dsp < 2 * each);
  refuses(() => chosen(each - 1), /\[fabric\/does-not-fit\].*the smallest circuit takes \d+ DSP slices, and there is room for \d+/);
});

test.run();
