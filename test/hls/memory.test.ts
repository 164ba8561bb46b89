/**
 * Memory outside of a circuit, as words of its bus: how many elements go at once for every type and length, that bits stay the same and
 * no byte beyond the words is touched, in how many cycles, and what the verifier refuses.
 */
import { spawnSync } from 'node:child_process';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { axis, convert, load } from '../../codegen/ir/build.js';
import { describe } from '../../codegen/ir/datatype.js';
import { interpret } from '../../codegen/ir/interpret.js';
import { printProgram } from '../../codegen/ir/print.js';
import type { DataType } from '../../codegen/ir/datatype.js';
import type { MemoryPort, Program, ProgramUnit } from '../../codegen/ir/program.js';
import { verify } from '../../codegen/ir/verify.js';
import { emitHls } from '../../codegen/emit/hls/design.js';
import { chooseFolding } from '../../codegen/schedule/fabric/choose.js';
import { processCycles } from '../../codegen/schedule/fabric/cycles.js';
import { scheduleFabric } from '../../codegen/schedule/fabric/index.js';
import { prepareFabric } from '../../codegen/schedule/fabric/prepare.js';
import { estimateResources } from '../../codegen/schedule/fabric/resources.js';
import { simulateDataflow } from '../../codegen/schedule/fabric/simulate.js';
import { timetables } from '../../codegen/schedule/fabric/timetable.js';
import type { Lowered } from '../ops/harness.js';
import { matrixVectorUnit } from '../support/matrixVector.js';
import { makeKernel, makeUnit } from '../support/programs.js';
import { refuses } from '../support/refuses.js';
import { simulate } from './csim.js';

const count = (shape: readonly number[]): number => shape.reduce((a, b) => a * b, 1);

/** y = x, element by element. */
function copyUnit(dtype: DataType, shape: readonly number[]): ProgramUnit {
  const at = shape.map((_, d) => axis(`d${d}`));
  const kernel = makeKernel({ name: 'each', space: shape.map((extent, d) => ({ name: `d${d}`, extent })), stores: [{ tensor: 'y', at, value: dtype === 'float32' ? { op: 'add', type: dtype, a: load('x', at), b: load('x', at) } : convert(dtype, load('x', at)) }] });
  return makeUnit({ x: { dtype, shape, role: 'input' }, y: { dtype, shape, role: 'output' } }, [kernel]);
}

const ports = (program: Program): Record<string, MemoryPort> => Object.fromEntries(program.dataflow!.memory!.map((m) => [m.tensor, m]));

test('elements at once: as many as a word has, of those that divide the innermost dimension and that the reader takes', () => {
  const lanesOf = (dtype: DataType, shape: readonly number[], pe: number, bus?: number): number[] => {
    const unit = scheduleFabric(copyUnit(dtype, shape), { bus, folding: { each: { pe, simd: 1 } } });
    verify(unit);
    const { x, y } = ports(unit.program);
    assert.is(x.bits, bus ?? 64);
    return [x.lanes, y.lanes];
  };
  assert.equal(lanesOf('float32', [784], 16), [2, 2]);
  assert.equal(lanesOf('float32', [784], 16, 32), [1, 1]);
  assert.equal(lanesOf('int8', [784], 16), [8, 8]);
  assert.equal(lanesOf('int8', [784], 16, 32), [4, 4]);
  assert.equal(lanesOf('int4', [784], 16), [8, 8], 'what has less than a byte is a byte in memory');
  assert.equal(lanesOf('uint16', [12], 12), [4, 4]);
  assert.equal(lanesOf('int8', [490], 490), [7, 7], 'words that elements straddle');
  assert.equal(lanesOf('int8', [490], 10), [5, 5]);
  assert.equal(lanesOf('int8', [3, 7], 7), [7, 7]);
  assert.equal(lanesOf('float32', [9], 9), [1, 1]);
  assert.equal(lanesOf('int8', [784], 1), [1, 1], 'a reader of one by one needs no more');
});

test('elements at once for a dense layer: what its words are made of, if these do not become many times as wide', () => {
  const found = (simd: number, bus = 64): [number, number] => {
    const { program } = scheduleFabric(matrixVectorUnit(16, 784, 'int8', 'int8'), { bus, folding: { dense: { pe: 4, simd } } });
    return [ports(program).x.lanes, program.dataflow!.streams.find((s) => s.to === 'dense')!.lanes];
  };
  assert.equal(found(1), [1, 1]);
  assert.equal(found(2), [2, 2]);
  assert.equal(found(112), [8, 112]);
  assert.equal(found(112, 32), [4, 112]);
  assert.equal(found(49), [7, 49]);
  assert.equal(found(98), [7, 98]);
});

test('printed, and estimated with its queues; memory outside is not cut into banks', () => {
  const { program } = scheduleFabric(copyUnit('int8', [48]), { folding: { each: { pe: 16, simd: 1 } } });
  assert.match(printProgram(program), /^memory x, words of 64 bits, 8 at once\nmemory y, words of 64 bits, 8 at once\nstream x\.in to each, words of 16, depth 2\n/m);
  for (const b of program.blocks) if (b.kind === 'kernel') assert.not.ok(Object.keys(b.scheduled!.banks ?? {}).some((t) => t === 'x' || t === 'y'), b.name);
  const blocks = (bus: number): number => estimateResources(scheduleFabric(copyUnit('int8', [48]), { bus }).program).total.bram18;
  // Two masters, each with queues of 256 words to read and to write.
  assert.equal([blocks(32), blocks(64)], [4, 8]);
});

test('cycles: one word of the bus each, and never more than one', () => {
  for (const [dtype, shape, pe] of [['float32', [784], 16], ['int8', [784], 16], ['int8', [490], 490], ['int8', [490], 98], ['float32', [30], 30], ['int16', [30], 10]] as const) {
    for (const bus of [32, 64]) {
      const { program } = scheduleFabric(copyUnit(dtype, shape), { bus, folding: { each: { pe, simd: 1 } } });
      const { x, y } = ports(program);
      const words = (port: MemoryPort): number => count(shape) / port.lanes;
      const [first, , last] = processCycles(program);
      assert.is(first.work, words(x), `${dtype} ${shape.join(' ')} of ${bus} bits`);
      assert.is(last.work, words(y));
      const bytes = dtype === 'float32' ? 4 : Math.ceil(describe(dtype).bits / 8);
      assert.ok(words(x) >= (count(shape) * bytes * 8) / bus);
      // The closed form is the timetable's.
      assert.equal(processCycles(program).map((p) => p.cycles), timetables(program).processes.map((p) => p.cycles));
    }
  }
});

test('a process that computes is not slowed down by memory that takes its results in several words', () => {
  const unit = matrixVectorUnit(30, 64, 'int4', 'uint4');
  const cycles = [1, 3, 10, 30].map((pe) => processCycles(scheduleFabric(unit, { folding: { dense: { pe, simd: 1 } } }).program).find((p) => p.name === 'dense')!.work);
  assert.equal(cycles, [30, 10, 3, 1].map((folds) => folds * 64));
});

test('the interval of a layer with 784 inputs goes below 784: the search takes what the bus gives', () => {
  const part = { lut: 1e6, ff: 1e6, dsp: 1e4, bram18: 1e4 };
  const interval = (bus: number, data: DataType): number => chooseFolding(prepareFabric(matrixVectorUnit(16, 784, data, data), []), part, {}, { bus }).interval;
  assert.ok(interval(64, 'int8') < 784 / 8 + 30, 'bytes');
  assert.ok(interval(32, 'int8') < 784 / 4 + 30 && interval(32, 'int8') > 784 / 4);
  // Behind a process that computes on floats one by one: it is folded so that it takes words.
  const found = chooseFolding(prepareFabric(copyUnit('float32', [784]), []), part, { interval: 400 });
  assert.is(found.folding.each.pe, 2);
  refuses(() => chooseFolding(prepareFabric(copyUnit('float32', [784]), []), part, { interval: 390 }), /\[fabric\/goal\]/);
  refuses(() => chooseFolding(prepareFabric(copyUnit('float32', [784]), []), part, { interval: 400 }, { bus: 32 }), /\[fabric\/goal\]/);
});

test('of a latency, cycles outside of the circuit count', () => {
  const prepared = prepareFabric(matrixVectorUnit(32, 64, 'int4', 'uint4'), []);
  const part = { lut: 1e6, ff: 1e6, dsp: 1e4, bram18: 1e4 };
  const alone = chooseFolding(prepared, part, { latency: 200 });
  assert.equal(chooseFolding(prepared, part, { latency: 328, outside: 128 }).folding, alone.folding);
  refuses(() => chooseFolding(prepared, part, { latency: 130, outside: 128 }), /for a latency of 130 cycles .*\n {2}The circuit reaches an image every \d+ cycles and a latency of 1\d\d\./);
});

test('refused: ports that do not carry their tensors', () => {
  const unit = scheduleFabric(copyUnit('int8', [48]), { folding: { each: { pe: 16, simd: 1 } } });
  const withPort = (port: Partial<MemoryPort>, more: readonly MemoryPort[] = []): ProgramUnit => {
    const [x, y] = unit.program.dataflow!.memory!;
    return { ...unit, program: { ...unit.program, dataflow: { ...unit.program.dataflow!, memory: [{ ...x, ...port }, y, ...more] } } };
  };
  verify(withPort({ lanes: 4 }));
  refuses(() => verify(withPort({ lanes: 3 })), /x.*the process x\.load moves 8 of its elements at once, and its port to memory 3/);
  refuses(() => verify(withPort({ bits: 32 })), /words of 32 bits do not carry 8 of its elements at once/);
  refuses(() => verify(withPort({ bits: 60 })), /words of 60 bits do not carry/);
  refuses(() => verify(withPort({ lanes: 0 })), /do not carry 0 of its elements/);
  refuses(() => verify(withPort({ tensor: 'x.in' })), /x\.in.*carry tensors of the interface/);
  refuses(() => verify(withPort({}, [{ tensor: 'x', bits: 64, lanes: 8 }])), /two ports/);
  // Columns first, as memory does not have them.
  const body = (order: readonly string[]): ProgramUnit => {
    const at = [axis('i'), axis('j')];
    const kernel = makeKernel({
      name: 'each', space: [{ name: 'i', extent: 2 }, { name: 'j', extent: 3 }], stores: [{ tensor: 'y', at, value: { op: 'int', type: 'int8', value: 1 } }],
      scheduled: { steps: [], locals: [], body: order.reduceRight<never>((b, a) => [{ kind: 'loop', axis: a, start: 0, extent: a === 'i' ? 2 : 3, mode: 'serial', body: b }] as never, [{ kind: 'store', tensor: 'y', at, value: { op: 'int', type: 'int8', value: 1 } }] as never) },
    });
    const { program, data } = makeUnit({ y: { dtype: 'int8', shape: [2, 3], role: 'output' } }, [kernel]);
    return { data, program: { ...program, dataflow: { processes: [{ name: 'each', blocks: 1 }], streams: [], memory: [{ tensor: 'y', bits: 64, lanes: 1 }] } } };
  };
  verify(body(['i', 'j']));
  refuses(() => verify(body(['j', 'i'])), /moves element 3 as number 1, and in memory another is there/);
});

if (spawnSync('g++', ['--version']).status !== 0) test('C simulation', () => console.log('SKIP words of memory in C simulation: g++ is missing; apt-get install -y g++'));
else test('every type, whole and broken words, both widths: bits of the interpreter, and no byte out of bounds', async () => {
  const cases: Lowered[] = [];
  const units: ProgramUnit[] = [];
  const shapes: readonly (readonly [readonly number[], number])[] = [[[16], 16], [[490], 490], [[490], 10], [[3, 7], 7], [[9], 3], [[1], 1], [[5, 6], 6], [[13], 1]];
  for (const dtype of ['float32', 'int8', 'uint6', 'int12', 'uint16', 'int32'] as const) {
    for (const [i, [shape, pe]] of shapes.entries()) {
      const unit = copyUnit(dtype, shape);
      const { min, max } = describe(dtype === 'float32' ? 'int8' : dtype);
      const inputs = { x: Array.from({ length: count(shape) }, (_, k) => (dtype === 'float32' ? Math.fround(Math.sin(k + 1)) : k % 3 === 0 ? min : k % 3 === 1 ? max : min + ((k * 7919) % (max - min + 1)))) };
      const circuit = scheduleFabric(unit, { bus: (i + cases.length) % 2 === 0 ? 32 : 64, folding: { each: { pe, simd: 1 } } });
      verify(circuit);
      const graph = { name: `${dtype} ${shape.join(' ')} ${pe}`, inputs: [], outputs: [], values: {}, constants: {}, nodes: [] };
      cases.push({ name: graph.name, graph, expanded: graph, inputs, unit, results: interpret(unit, inputs) });
      units.push(circuit);
    }
  }
  assert.ok(units.some((u) => emitHls(u).arguments.some((a) => a.word.count * a.word.bytes > count(a.tensor.shape) * (a.tensor.layout.elementBits / 8))));
  assert.equal(await simulate(cases, units, undefined, ['-fsanitize=address']), []);
});

test('in time: words as wide as the bus feed the circuit, and the latency falls with them', () => {
  const latency = (bus: number): number => simulateDataflow(scheduleFabric(matrixVectorUnit(16, 784, 'int8', 'int8'), { bus, folding: { dense: { pe: 4, simd: 112 } } }).program).latency;
  // Inputs of a byte; the last four sums, of four bytes, go one by one or two by two.
  assert.is(latency(32) - latency(64), 784 / 4 - 784 / 8 + 4 - 4 / 2);
});

test.run();
