/**
 * Estimates before synthesis: FINN's formulas and table entry by entry, circuits of known sizes by hand, and what must hold of any:
 * parts add up, more of a loop at once is never less logic nor more cycles.
 */
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { axis, add, compare, int, load, mul, select } from '../../codegen/ir/build.js';
import type { DataType } from '../../codegen/ir/datatype.js';
import { describe } from '../../codegen/ir/datatype.js';
import type { Kernel } from '../../codegen/ir/program.js';
import { emitHls } from '../../codegen/emit/hls/design.js';
import { runPasses } from '../../codegen/compile.js';
import { lower } from '../../codegen/schedule/lower.js';
import { processCycles } from '../../codegen/schedule/fabric/cycles.js';
import { foldables } from '../../codegen/schedule/fabric/folding.js';
import { scheduleFabric } from '../../codegen/schedule/fabric/index.js';
import { chooseFolding } from '../../codegen/schedule/fabric/choose.js';
import { prepareFabric } from '../../codegen/schedule/fabric/prepare.js';
import { bram18Of, lutramOf, memoryKind, queueOf } from '../../codegen/schedule/fabric/memory.js';
import { floatCores, product, type OperatorOptions } from '../../codegen/schedule/fabric/operators.js';
import { estimateResources, parts, type ProcessEstimate } from '../../codegen/schedule/fabric/resources.js';
import { surroundings } from '../../codegen/schedule/fabric/surroundings.js';
import { intrusionNetwork } from '../support/fabricNetworks.js';
import { convolutionNetwork, denseNetwork } from '../support/lowBitNetworks.js';
import { matrixVectorUnit } from '../support/matrixVector.js';
import { makeKernel, makeUnit } from '../support/programs.js';
import { refuses } from '../support/refuses.js';

test('blocks by width and depth: one entry of the table a line', () => {
  const table: readonly (readonly [number, number, number])[] = [
    [1, 1, 1], [1, 16384, 1], [1, 16385, 2],
    [2, 8192, 1], [2, 8193, 2],
    [3, 4096, 1], [4, 4096, 1], [4, 4097, 2],
    [5, 2048, 1], [9, 2048, 1], [9, 2049, 2], [8, 125440, 62],
    [10, 1024, 1], [18, 1024, 1], [18, 1025, 2],
    [19, 512, 1], [36, 512, 1], [37, 512, 2], [72, 512, 2], [1024, 36, 29],
    [19, 513, 2], [36, 1024, 2], [36, 1025, 4], [32, 18432, 36],
  ];
  for (const [width, depth, blocks] of table) assert.is(bram18Of(width, depth), blocks, `${width} bits, ${depth} words`);
});

test('LUTs as memory, queues, and which memory an array gets', () => {
  assert.is(lutramOf({ width: 1024, depth: 36, isWritten: false }), 1024);
  assert.is(lutramOf({ width: 8, depth: 65, isWritten: false }), 16);
  assert.is(lutramOf({ width: 6, depth: 32, isWritten: true }), 4);
  assert.is(lutramOf({ width: 3, depth: 128, isWritten: true }), 8);
  // 2 ceil(log2 depth) + ceil(depth / 32) ceil(width / 2)
  assert.equal(queueOf(8, 2), { lut: 6, ff: 10, bram18: 0, lutram: 4 });
  assert.equal(queueOf(8, 512), { lut: 18, ff: 36, bram18: 1, lutram: 0 });
  assert.is(queueOf(24, 128).lut, 62);
  assert.is(queueOf(36, 1024).bram18, 2);
  const kind = (width: number, depth: number, isWritten = false): string => memoryKind({ width, depth, isWritten });
  assert.is(kind(512, 1), 'registers');
  assert.is(kind(1024, 36), 'lutram');
  assert.is(kind(8, 512), 'lutram');
  assert.is(kind(8, 4096), 'bram');
  assert.is(kind(32, 18432), 'bram');
});

/** FINN's LUTs of a matrix-vector unit with its weights in LUTs and no activation. */
function finn(rows: number, columns: number, pe: number, simd: number, w: number, a: number, accumulator: number): number {
  const products = simd * (2 * Math.ceil((w + a) / 6) - 1) * (w + a);
  const adders = (w + a) * (2 * simd - 1);
  const memory = pe * simd * w * Math.ceil((rows * columns) / (pe * simd) / 64);
  return 300 + 1.1 * pe * (products + adders + accumulator) + memory;
}

const processOf = (unit: ReturnType<typeof matrixVectorUnit>, pe: number, simd: number, options: OperatorOptions = {}): ProcessEstimate =>
  estimateResources(scheduleFabric(unit, { folding: { dense: { pe, simd } } }).program, options).processes.find((p) => p.name === 'dense')!;

test('a matrix-vector unit has the LUTs of FINN\'s formula, within one in a hundred', () => {
  const cases: readonly (readonly [DataType, DataType, number, number, number, number])[] = [
    ['int2', 'uint1', 64, 64, 4, 8], ['int3', 'uint3', 64, 128, 8, 16], ['int4', 'uint4', 32, 96, 8, 12], ['int4', 'uint4', 32, 64, 1, 4], ['int8', 'int8', 32, 64, 4, 4], ['int8', 'uint8', 16, 64, 16, 2],
  ];
  for (const [weights, data, rows, columns, pe, simd] of cases) {
    const [w, a] = [describe(weights).bits, describe(data).bits];
    const unit = matrixVectorUnit(rows, columns, weights, data);
    const found = processOf(unit, pe, simd);
    const expected = finn(rows, columns, pe, simd, w, a, w + a + Math.ceil(Math.log2(columns)));
    // The window is FINN's other process.
    const window = lutramOf({ width: a, depth: columns / simd, isWritten: true }) * simd;
    const own = found.parts.arithmetic.lut + found.parts.control.lut + found.parts.memories.lut - window;
    assert.ok(Math.abs(own / expected - 1) < 0.01, `${weights} ${data} ${rows} x ${columns}, PE ${pe}, SIMD ${simd}: ${own} LUTs, and FINN has ${expected}`);
    assert.is(found.dsp, 0);
  }
});

test('wide products are DSP slices, and from where on is an option', () => {
  const unit = matrixVectorUnit(32, 64, 'int8', 'int8');
  assert.is(processOf(unit, 4, 4, { dspFrom: 16 }).dsp, 16);
  assert.is(processOf(unit, 4, 4, { dspFrom: 17 }).dsp, 0);
  assert.is(processOf(matrixVectorUnit(32, 64, 'int12', 'int12'), 4, 8).dsp, 32);
  assert.is(processOf(matrixVectorUnit(32, 64, 'int12', 'int12'), 4, 8, { dspFrom: Infinity }).dsp, 0);
  // 25 by 18 signed bits a slice; wider factors in digits of 24 and 17.
  assert.equal([product(25, 18, {}), product(26, 18, {}), product(32, 32, {})].map((p) => p.dsp), [1, 2, 4]);
  // A factor that synthesis knows takes no more than one that it does not.
  assert.ok(product(8, 8, {}, true).lut < product(8, 8, {}).lut);
});

test('floats: one adder and one multiplier for each output at once', () => {
  const unit = matrixVectorUnit(32, 16, 'float32', 'float32');
  const each = floatCores.add.dsp + floatCores.mul.dsp;
  for (const pe of [1, 4, 8]) assert.is(processOf(unit, pe, 1).dsp, pe * each);
  // Two steps for 32 outputs are fewer than the adder takes: a new one every two cycles, and two outputs share their cores.
  assert.is(processOf(unit, 16, 1).dsp, 8 * each);
});

/** y[i] = select(x[i] * k > 3, x[i] * k, x[i] * k + 1) over eight elements, all at once or one by one. */
function elementwise(pe: number): { readonly used: ProcessEstimate; readonly interval: number } {
  const x = load('x', [axis('m'), axis('i')]);
  const wide = mul('int16', x, load('k', [axis('j')]));
  const value = select('int17', compare('gt', wide, int(3)), wide, add('int17', wide, int(1)));
  const kernel: Kernel = makeKernel({ name: 'each', space: [{ name: 'm', extent: 1 }, { name: 'j', extent: 1 }, { name: 'i', extent: 8 }], stores: [{ tensor: 'y', at: [axis('m'), axis('i')], value }] });
  const unit = makeUnit({ x: { dtype: 'int8', shape: [1, 8], role: 'input' }, k: { dtype: 'int8', shape: [1], role: 'input' }, y: { dtype: 'int17', shape: [1, 8], role: 'output' } }, [kernel]);
  const { program } = scheduleFabric(unit, { folding: { each: { pe, simd: 1 } } });
  const scheduled = program.blocks.find((b) => b.kind === 'kernel' && b.name === 'each') as Kernel;
  const interval = Math.max(...scheduled.scheduled!.steps.flatMap((s) => /^pipeline .* every (\d+)$/.exec(s)?.[1] ?? []).map(Number));
  return { used: estimateResources(program).processes.find((p) => p.name === 'each')!, interval };
}

test('every constant has the memory of its shape: a step says it, a pragma binds it, the estimate counts it', () => {
  const read = (pe: number, simd: number): { steps: readonly string[]; text: string; used: ProcessEstimate } => {
    const unit = scheduleFabric(matrixVectorUnit(64, 256, 'int8', 'int8'), { folding: { dense: { pe, simd } } });
    const kernel = unit.program.blocks.find((b) => b.kind === 'kernel' && b.name === 'dense') as Kernel;
    return { steps: kernel.scheduled!.steps, text: emitHls(unit).processes, used: estimateResources(unit.program).processes.find((p) => p.name === 'dense')! };
  };
  const deep = read(1, 1);
  assert.ok(deep.steps.some((s) => /^memory w.* bram 16384 x 8$/.test(s)), deep.steps.join('\n'));
  assert.match(deep.text, /#pragma HLS BIND_STORAGE variable=c_w\w* type=rom_1p impl=bram\n/);
  assert.is(deep.used.bram18, bram18Of(8, 16384));
  const wide = read(8, 32);
  assert.ok(wide.steps.some((s) => /^memory w.* lutram 64 x 2048$/.test(s)));
  assert.match(wide.text, /#pragma HLS BIND_STORAGE variable=c_w\w* type=rom_1p impl=lutram\n/);
  assert.is(wide.used.bram18, 0);
});

test('LUTs as memory are those that are written: windows and queues, no constants; a part that has too few is refused', () => {
  const unit = matrixVectorUnit(32, 64, 'int4', 'uint4');
  const { program } = scheduleFabric(unit, { folding: { dense: { pe: 8, simd: 8 } } });
  const { total, processes } = estimateResources(program);
  const queues = program.dataflow!.streams.reduce((n, s) => n + queueOf(describe(program.tensors[s.tensor].dtype as DataType).bits * s.lanes, s.depth).lutram, 0);
  const windows = (program.blocks as Kernel[]).reduce((n, k) => n + k.scheduled!.locals.reduce((m, l) => {
    const size = l.shape.reduce((a, b) => a * b, 1);
    const banks = Math.min(size, k.scheduled!.banks?.[l.name] ?? 1);
    const shape = { width: describe(l.type as DataType).bits, depth: Math.ceil(size / banks), isWritten: true };
    return m + (memoryKind(shape) === 'lutram' ? banks * lutramOf(shape) : 0);
  }, 0), 0);
  const words = program.dataflow!.memory!.reduce((n, m) => n + queueOf(m.bits, 2).lutram, 0);
  assert.is(total.lutram, queues + words + windows);
  assert.ok(total.lutram > 0 && total.lutram < total.lut && processes.some((p) => p.parts.memories.lut > p.parts.memories.lutram));
  const part = { lut: 1e5, ff: 1e5, dsp: 1e3, bram18: 1e3 };
  assert.ok(chooseFolding(prepareFabric(unit, []), part).estimate.total.lutram > 20);
  refuses(() => chooseFolding(prepareFabric(unit, []), { ...part, lutram: 10 }), /\[fabric\/does-not-fit\].*the smallest circuit takes \d+ LUTs as memory, and there is room for 10: \d+ too many/);
});

test('beside reports of synthesis: flip-flops of layers, and of a system with what reaches it', () => {
  const unit = lower(runPasses(intrusionNetwork(), 1, { integersOnly: true }));
  const layers = foldables(prepareFabric(unit, [])).filter((f) => f.name.startsWith('MatMul'));
  const folding = Object.fromEntries(layers.map((f, i) => [f.name, { pe: [32, 4, 4, 1][i], simd: [15, 16, 16, 1][i] }]));
  const { processes, total } = estimateResources(scheduleFabric(unit, { folding }).program);
  const isNear = (what: string, ours: number, theirs: number, by: number): void => assert.ok(Math.abs(ours / theirs - 1) < by, `${what}: ${ours}, and the report has ${theirs}`);
  // FINN 2021, Vivado 2020.1, XC7Z020: two layers after synthesis, the first with the streamer of its weights; the system after placement.
  const found = layers.map((f) => processes.find((p) => p.name === f.name)!);
  isNear('the first layer', found[0].ff, 4796 + 1036, 0.2);
  isNear('the second layer', found[1].ff, 901, 0.4);
  isNear('the system', total.ff + surroundings.zynq.ff, 14347, 0.1);
  isNear('its LUTs as memory', total.lutram + surroundings.zynq.lutram, 815, 0.2);
});

test('equal operations are one circuit, and one for every element that comes in a cycle', () => {
  // 5 times 16 for the product, 17 for the sum; 16 for the comparison, 17 for the choice. 10 % more.
  for (const pe of [1, 2, 4, 8]) {
    const { used, interval } = elementwise(pe);
    assert.is(used.parts.arithmetic.lut, Math.ceil(1.1 * Math.ceil(pe / interval) * (80 + 17)));
    assert.is(used.parts.comparisons.lut, Math.ceil(1.1 * Math.ceil(pe / interval) * (16 + 17)));
  }
});

test('parts add up to processes, and processes to the whole', () => {
  const { program } = scheduleFabric(lower(runPasses(convolutionNetwork({ channels: [4, 8, 8], extent: 6, kernel: 3, padding: 1 }, { weights: 4, activations: 4 }))));
  const { processes, total } = estimateResources(program);
  assert.is(processes.length, program.dataflow!.processes.length);
  for (const what of ['lut', 'ff', 'dsp', 'bram18', 'lutram'] as const) {
    for (const p of processes) assert.is(parts.reduce((n, part) => n + p.parts[part][what], 0), p[what]);
    assert.is(processes.reduce((n, p) => n + p[what], 0), total[what]);
  }
});

test('more outputs or products at once: never less arithmetic, never more cycles', () => {
  for (const [weights, data] of [['int4', 'uint4'], ['int8', 'int8'], ['float32', 'float32']] as const) {
    const unit = matrixVectorUnit(24, 32, weights, data);
    const simds = weights === 'float32' ? [1] : [1, 2, 4, 8, 16, 32];
    // Floats: as long as the adder is done when its sum is needed again.
    const pes = weights === 'float32' ? [1, 2, 3, 4, 6] : [1, 2, 3, 4, 6, 8, 12, 24];
    const at = simds.map((simd) => pes.map((pe) => processOf(unit, pe, simd)));
    const check = (less: ProcessEstimate, more: ProcessEstimate): void => {
      assert.ok(more.parts.arithmetic.lut + 100 * more.dsp >= less.parts.arithmetic.lut + 100 * less.dsp);
      assert.ok(more.cycles <= less.cycles, `${more.cycles} cycles after ${less.cycles}`);
    };
    at.forEach((row, s) => row.forEach((p, i) => {
      if (i > 0) check(row[i - 1], p);
      if (s > 0) check(at[s - 1][i], p);
    }));
  }
});

test('cycles of a matrix-vector unit: (MH / PE) (MW / SIMD), its inputs taken along', () => {
  for (const [pe, simd] of [[1, 1], [4, 8], [32, 16], [8, 64]]) {
    const { program } = scheduleFabric(matrixVectorUnit(32, 64, 'int4', 'uint4'), { folding: { dense: { pe, simd } } });
    const found = processCycles(program).find((p) => p.name === 'dense')!;
    assert.is(found.work, (32 / pe) * (64 / simd));
    assert.ok(found.cycles > found.work && found.cycles < found.work + 20);
  }
});

test('cycles of a convolution: its windows, and before them what the first one needs; or all places, where its steps are too few to take them', () => {
  const unit = lower(runPasses(convolutionNetwork({ channels: [8, 16], extent: 6, kernel: 3, padding: 1 }, { weights: 4, activations: 4 })));
  for (const [pe, simd] of [[1, 1], [4, 4], [16, 8]]) {
    const { program } = scheduleFabric(unit, { folding: { Conv_3: { pe, simd } } });
    const found = processCycles(program).find((p) => p.name === 'Conv_3')!;
    const steps = (16 / pe) * ((3 * 3 * 8) / simd);
    // Three places are taken in a window at the end of a row, a channel at a time.
    assert.is(found.work, (steps >= 3 * 8 ? 2 * 8 + 3 : 8 * 8) * 8 + 6 * 6 * steps);
  }
});

test('cycles of a matrix-vector unit of floats: its inputs first, then a step for each product', () => {
  for (const pe of [1, 4]) {
    const { program } = scheduleFabric(matrixVectorUnit(32, 16, 'float32', 'float32'), { folding: { dense: { pe, simd: 1 } } });
    const [work] = processCycles(program).filter((p) => p.name === 'dense').map((p) => p.work);
    // Two inputs are a word of the bus. Sums begin with zeros and are sent at the end, in loops of their own.
    assert.is(work, 16 / 2 + (32 / pe) * (16 + 2));
  }
});

test('the tool unrolls a loop 4,096 times, and no more', () => {
  const unit = matrixVectorUnit(128, 64, 'int2', 'uint2');
  const { program } = scheduleFabric(unit, { folding: { dense: { pe: 64, simd: 64 } } });
  assert.is(processCycles(program).find((p) => p.name === 'dense')!.work, 2);
  refuses(() => scheduleFabric(unit, { folding: { dense: { pe: 128, simd: 64 } } }), /\[schedule\/illegal\] dense: PE 128 and SIMD 64 do 8192 products at once, and synthesis unrolls a loop into 4096 copies at most\n {2}Fold it more/);
});

test('a step uses the word that it takes; the others what is kept', () => {
  const text = emitHls(scheduleFabric(matrixVectorUnit(32, 64, 'int4', 'uint4'), { folding: { dense: { pe: 4, simd: 8 } } })).processes;
  const dense = text.slice(text.indexOf('// dense dense'));
  assert.match(dense, /if \(i_o_o == 0\) \{[^}]*in_\w+\.read\(\)[^}]*\}\s*\}\s*else \{[^}]*_word\[\w+\] = r_\w+_window\[/);
  assert.match(dense, /r_acc\[i_o_i\] \+ ap_int<8>\(r_\w+_word\[i_k_i\] \*/);
  assert.is(dense.match(/PIPELINE II=1/g)!.length, 3); // and those that put words of memory together and write them
});

test('the layers of a network: only the one that is folded changes, and how the one ahead sends', () => {
  const unit = lower(runPasses(denseNetwork([64, 32, 16, 12], { weights: 4, activations: 4 })));
  const names = unit.program.blocks.flatMap((b) => (b.kind === 'kernel' && b.op === 'dense' ? [b.name] : []));
  const plain = estimateResources(scheduleFabric(unit).program).processes;
  const folded = estimateResources(scheduleFabric(unit, { folding: { [names[1]]: { pe: 1, simd: 8 } } }).program).processes;
  plain.forEach((p, i) => assert.is(JSON.stringify(folded[i]) === JSON.stringify(p), p.name !== names[1] && p.name !== names[0], p.name));
  for (const what of ['arithmetic', 'comparisons'] as const) assert.equal(folded.find((p) => p.name === names[0])!.parts[what], plain.find((p) => p.name === names[0])!.parts[what]);
});

test.run();
