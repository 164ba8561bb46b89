/**
 * Circuits in time. Chains, forks and joins against closed forms; foldings of convolutions against the steps of their windows (dense
 * layers are in vectors.test.ts); and all of it against a simulation that looks at every cycle.
 */
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { runPasses } from '../../codegen/compile.js';
import { importOnnx } from '../../codegen/import/onnx.js';
import { axis, load } from '../../codegen/ir/build.js';
import type { Graph } from '../../codegen/ir/graph.js';
import type { Kernel, Local, Program, Stmt } from '../../codegen/ir/program.js';
import { verify } from '../../codegen/ir/verify.js';
import { kernelsOf } from '../../codegen/ir/walk.js';
import { leastDepths, withDepths } from '../../codegen/schedule/fabric/depths.js';
import { scheduleFabric, type FabricOptions } from '../../codegen/schedule/fabric/index.js';
import { foldableLoops } from '../../codegen/schedule/fabric/kernel.js';
import { prepareFabric } from '../../codegen/schedule/fabric/prepare.js';
import { explainDeadlock, Simulation, simulateDataflow, type Timing } from '../../codegen/schedule/fabric/simulate.js';
import { processCycles, timetables } from '../../codegen/schedule/fabric/timetable.js';
import { lower } from '../../codegen/schedule/lower.js';
import { convolutionNetwork, denseNetwork } from '../support/lowBitNetworks.js';
import { makeKernel, makeUnit, type TensorSpec } from '../support/programs.js';
import { network, type Net } from '../schedule/networks.js';
import { kinds, randomCase } from '../random/graphs.js';
import { Random } from '../support/random.js';
import { sharedFile } from '../support/shared.js';
import { simulateEveryCycle } from './everyCycle.js';

const circuit = (graph: Graph, options: FabricOptions = {}): Program => scheduleFabric(lower(runPasses(graph, 1)), options).program;

/** Every kernel folded in some way, so that words and what moves at once differ. */
function folded(graph: Graph, seed: number): Program {
  const unit = lower(graph);
  const { program } = prepareFabric(unit, []).unit;
  const divisor = (extent: number, n: number): number => {
    const all = Array.from({ length: Math.min(extent, 16) }, (_, i) => i + 1).filter((d) => extent % d === 0);
    return all[n % all.length];
  };
  const folding = Object.fromEntries(kernelsOf(program.blocks).map((k, i) => {
    const { outputs, products } = foldableLoops(k, program);
    return [k.name, { pe: divisor(outputs?.extent ?? 1, seed + i), simd: divisor(products?.extent ?? 1, seed + 2 * i) }];
  }));
  return scheduleFabric(unit, { folding }).program;
}

/** Statements that read one word of each of `from` and write one of `to`. */
const move = (from: readonly string[], to: string, i: string): Stmt[] => [
  ...from.map((tensor): Stmt => ({ kind: 'let', name: tensor, type: 'int8', value: load(tensor, [i]) })),
  { kind: 'store', tensor: to, at: [axis(i)], value: from.map((name) => ({ op: 'ref' as const, name })).reduce((a, _b) => a) },
];

const loop = (name: string, extent: number, body: readonly Stmt[], initiationInterval?: number): Stmt => ({ kind: 'loop', axis: name, start: 0, extent, mode: initiationInterval ? 'pipeline' : 'serial', ...(initiationInterval ? { initiationInterval } : {}), body });

interface Part {
  readonly from: readonly string[];
  readonly to: string;
  readonly body: readonly Stmt[];
  readonly locals?: readonly Local[];
}

/** Processes of a kernel each; every tensor that is neither x nor y is a stream of words of one element. */
function build(n: number, parts: Readonly<Record<string, Part>>, depth = 2): Program {
  const names = Object.keys(parts);
  const tensors: Record<string, TensorSpec> = Object.fromEntries(['x', ...names.map((p) => parts[p].to)].map((t) => [t, { dtype: 'int8', shape: [n], ...(t === 'x' ? { role: 'input' } : t === 'y' ? { role: 'output' } : {}) }]));
  const blocks = names.map((name): Kernel => {
    const { from, to, body, locals = [] } = parts[name];
    return makeKernel({ name, space: [{ name: 'i', extent: n }], stores: [{ tensor: to, at: [axis('i')], value: load(from[0], ['i']) }], scheduled: { steps: [], locals, body } });
  });
  const { program } = makeUnit(tensors, blocks);
  const streams = names.flatMap((to) => parts[to].from.filter((t) => t !== 'x').map((tensor) => ({ tensor, to, lanes: 1, depth })));
  return { ...program, dataflow: { processes: names.map((name) => ({ name, blocks: 1 })), streams } };
}

const copy = (n: number, from: readonly string[], to: string, interval = 1): Part => ({ from, to, body: [loop('i', n, move(from, to, 'i'), interval)] });

/** What the every-cycle simulation finds too, and the sums that hold for every process. */
function checked(program: Program, depths: Readonly<Record<string, number>> = {}, images = 1): Timing {
  const table = timetables(program);
  const found = new Simulation(program, table).run({ depths, images });
  const reference = simulateEveryCycle(program, table, { depths, images });
  assert.equal(found.processes.map((p) => p.end), reference.ends);
  assert.equal(found.streams.map((s) => s.most), reference.most);
  assert.is(found.deadlock !== undefined, reference.ends.includes(Infinity));
  for (const p of found.processes) if (p.end < Infinity) assert.is(p.start + p.working + p.waitingToRead + p.waitingToWrite, p.end, p.name);
  return found;
}

test('one loop: depth + interval (N - 1)', () => {
  // Two cycles fetch from memory, one writes.
  for (const [n, interval] of [[2, 1], [10, 1], [10, 3]]) {
    const only = build(n, { a: copy(n, ['x'], 'y', interval) });
    assert.equal(processCycles(only), { a: 3 + interval * (n - 1) });
    assert.is(checked(only).latency, 3 + interval * (n - 1));
    assert.is(checked(only, {}, 4).interval, 3 + interval * (n - 1));
  }
});

test('a chain: the depths of all, and once the longest loop', () => {
  for (const slow of [0, 1, 2, 3]) {
    const n = 20;
    const interval = (i: number): number => (i === slow ? 5 : 1);
    const program = build(n, { a: copy(n, ['x'], 't', interval(0)), b: copy(n, ['t'], 'u', interval(1)), c: copy(n, ['u'], 'v', interval(2)), d: copy(n, ['v'], 'y', interval(3)) });
    verify({ program, data: new Map() });
    const once = checked(program);
    // A word is read in the cycle after it is written.
    assert.is(once.latency, 3 + 2 + 2 + 2 + 5 * (n - 1));
    assert.is(once.deadlock, undefined);
    const many = checked(program, {}, 5);
    assert.is(many.interval, Math.max(...Object.values(processCycles(program))));
    assert.is(once.interval, many.interval);
    assert.ok(many.streams.every((s) => s.most <= 2));
    // Before the slow process words wait for it; behind it, it for words.
    many.processes.forEach((p, i) => {
      if (i < slow) assert.ok(p.waitingToWrite > 0 && p.waitingToRead === 0, p.name);
      if (i > slow) assert.ok(p.waitingToRead > 0 && p.waitingToWrite === 0, p.name);
    });
  }
});

test('loops around a loop: one pipeline where they hold nothing else, else a few cycles each time', () => {
  const places: Stmt[] = [{ kind: 'store', tensor: 'y', at: [{ offset: 0, terms: [{ coeff: 6, of: 'o' }, { coeff: 1, of: 'i' }] }], value: { op: 'int', type: 'int8', value: 1 } }];
  const local: Local = { name: 'r', type: 'int8', shape: [] };
  const set: Stmt = { kind: 'set', name: 'r', at: [], value: { op: 'int', type: 'int8', value: 0 } };
  const cycles = (body: readonly Stmt[]): number => processCycles(build(24, { a: { from: ['x'], to: 'y', body, locals: [local] } })).a;
  assert.is(cycles([loop('o', 4, [loop('i', 6, places, 1)])]), 1 + 23);
  assert.is(cycles([loop('o', 4, [set, loop('i', 6, places, 1)])]), 4 * (1 + 2 + 6));
  assert.is(cycles([loop('o', 4, [loop('i', 6, places, 1), set])]), 4 * (2 + 6 + 1));
  // Unrolled: an element each cycle, as no word of a bus is said.
  assert.is(cycles([loop('o', 4, [{ kind: 'loop', axis: 'i', start: 0, extent: 6, mode: 'unrolled', body: places }], 1)]), 24);
});

test('words under conditions: of the loops around, of the pipeline, of both, of unrolled copies', () => {
  const value = { op: 'int', type: 'int8', value: 1 } as const;
  const store = (...at: (string | [number, string])[]): Stmt => ({ kind: 'store', tensor: 't', at: [{ offset: 0, terms: at.map((a) => (typeof a === 'string' ? { coeff: 1, of: a } : { coeff: a[0], of: a[1] })) }], value });
  const when = (lo: number, hi: number, body: Stmt, ...terms: [number, string][]): Stmt => ({ kind: 'if', guard: [{ index: { offset: 0, terms: terms.map(([coeff, of]) => ({ coeff, of })) }, lo, hi }], body: [body] });
  const local: Local = { name: 'r', type: 'int8', shape: [] };
  const set: Stmt = { kind: 'set', name: 'r', at: [], value };
  const cyclesOf = (n: number, body: readonly Stmt[]): number[] => {
    const program = build(n, { a: { from: ['x'], to: 't', body, locals: [local] }, b: copy(n, ['t'], 'y') });
    const [{ patterns, starts }] = timetables(program).processes;
    return patterns.flatMap(({ cycles }, p) => Array.from(cycles, (c) => starts[p] + c));
  };
  // An iteration of the outer loop: a cycle to set, two around the inner loop, its eight.
  const outer = (body: Stmt): Stmt[] => [loop('o', 4, [set, loop('i', 8, [body], 1)])];
  assert.equal(cyclesOf(4, outer(when(7, 8, store('o'), [1, 'i']))), [10, 21, 32, 43]);
  assert.equal(cyclesOf(8, outer(when(2, 3, store('i'), [1, 'o']))), [25, 26, 27, 28, 29, 30, 31, 32]);
  assert.equal(cyclesOf(4, outer(when(0, 1, store('o'), [1, 'i'], [-1, 'o']))), [3, 15, 27, 39]);
  // Two of four copies; the interval stays that of four.
  const lanes: Stmt = { kind: 'loop', axis: 'u', start: 0, extent: 4, mode: 'unrolled', body: [when(1, 3, store([2, 'i'], 'u'), [1, 'u'])] };
  assert.equal(cyclesOf(6, [loop('i', 3, [lanes], 1)]), [0, 1, 4, 5, 8, 9]);
});

/** a sends words to b and to c; b takes a row before it sends the first of it; c takes both at once. */
function forkAndJoin(rows: number, row: number): Program {
  const at = { offset: 0, terms: [{ coeff: row, of: 'o' }, { coeff: 1, of: 'i' }] };
  const keep: Stmt = { kind: 'set', name: 'r', at: [axis('i')], value: load('t', [at]) };
  const send: Stmt = { kind: 'store', tensor: 'u', at: [at], value: { op: 'local', name: 'r', at: [axis('i')] } };
  return build(rows * row, {
    a: copy(rows * row, ['x'], 't'),
    b: { from: ['t'], to: 'u', locals: [{ name: 'r', type: 'int8', shape: [row] }], body: [loop('o', rows, [loop('i', row, [keep], 1), loop('i', row, [send], 1)])] },
    c: copy(rows * row, ['u', 't'], 'y'),
  });
}

test('a fork whose one branch needs a whole row: it stops with less than a row in the other', () => {
  for (const row of [3, 8, 17]) {
    const program = forkAndJoin(4, row);
    verify({ program, data: new Map() });
    for (const depth of [2, row - 1]) {
      const stopped = checked(program, { 't to c': depth });
      assert.is(stopped.latency, Infinity);
      assert.is(stopped.interval, Infinity);
      assert.equal(stopped.deadlock, [
        { process: 'a', stream: 't to c', for: 'room', of: 'c' },
        { process: 'b', stream: 't to b', for: 'word', of: 'a' },
        { process: 'c', stream: 'u to c', for: 'word', of: 'b' },
      ]);
      assert.is(explainDeadlock(stopped.deadlock!), 'a waits for room for a word to c in t to c; b waits for a word from a in t to b; c waits for a word from b in u to c');
    }
    const runs = checked(program, { 't to c': row });
    assert.is(runs.deadlock, undefined);
    assert.is(runs.streams.find((s) => s.name === 't to c')!.most, row);
    // b alone: a row read and a row sent, four times; c a word behind it.
    assert.is(runs.processes[1].waitingToWrite, 0);
    assert.is(runs.latency, runs.processes[1].end + 2);
  }
});

test('the least depths: a row in the other branch, two words everywhere else', () => {
  for (const row of [3, 8, 17, 40]) {
    const program = forkAndJoin(4, row);
    const { depths, least, timing, endless } = leastDepths(program);
    assert.equal(least, { 't to b': 2, 'u to c': 2, 't to c': row });
    // Spare words between a fork and its join; whole registers of 32.
    assert.equal(depths, { 't to b': 32, 'u to c': 32, 't to c': row + 16 <= 32 ? 32 : 64 });
    assert.equal([timing.latency, timing.interval], [endless.latency, endless.interval]);
    assert.is(checked(withDepths(program, least), {}, 3).interval, endless.interval);
    assert.is.not(checked(withDepths(program, { ...least, 't to c': row - 1 })).deadlock, undefined);
  }
});

test('the least depths of a chain: two words, and as many as come while a process does not read', () => {
  const n = 24;
  const plain = build(n, { a: copy(n, ['x'], 't'), b: copy(n, ['t'], 'u', 3), c: copy(n, ['u'], 'y') });
  assert.equal(leastDepths(plain).depths, { 't to b': 2, 'u to c': 2 });
  // b computes six words of six cycles while it reads none, then six in as many; a sends one every 12.
  const local: Local = { name: 'r', type: 'int8', shape: [6] };
  const at = { offset: 0, terms: [{ coeff: 6, of: 'o' }, { coeff: 1, of: 'i' }] };
  const keep: Stmt = { kind: 'set', name: 'r', at: [axis('i')], value: load('t', [at]) };
  const send: Stmt = { kind: 'store', tensor: 'y', at: [at], value: { op: 'local', name: 'r', at: [axis('i')] } };
  const bursts = build(n, { a: copy(n, ['x'], 't', 12), b: { from: ['t'], to: 'y', locals: [local], body: [loop('o', 4, [loop('i', 6, [keep], 1), loop('i', 6, [send], 9)])] } });
  const { least, endless, timing } = leastDepths(bursts);
  assert.is(timing.interval, endless.interval);
  const needed = least['t to b'];
  assert.ok(needed > 2);
  assert.is(checked(withDepths(bursts, least), {}, 3).interval, endless.interval);
  const shorter = checked(withDepths(bursts, { 't to b': needed - 1 }), {}, 3);
  assert.ok(shorter.interval > endless.interval || shorter.latency > endless.latency);
});

test('the least depths of a residual network: none can be shorter', () => {
  const conv = (net: Net, x: string): string => net.node('Conv', [x, net.weight(2, 2, 3, 3)], { kernel_shape: [3, 3], pads: [1, 1, 1, 1], strides: [1, 1], group: 1 });
  const { unit } = network([1, 2, 6, 6], (net) => {
    const x = net.node('Relu', ['x']);
    return net.node('Add', [x, conv(net, net.node('Relu', [conv(net, x)]))]);
  });
  const { program } = scheduleFabric(unit);
  const { least, endless } = leastDepths(program);
  const inTime = (depths: Readonly<Record<string, number>>): boolean => {
    const found = simulateDataflow(withDepths(program, depths), { images: 3 });
    return found.latency <= endless.latency && found.interval <= endless.interval;
  };
  assert.ok(inTime(least));
  // Two convolutions, each a row of six places and a place behind.
  assert.ok(Math.max(...Object.values(least)) >= 2 * 7 * 2);
  for (const [name, depth] of Object.entries(least)) if (depth > 2) assert.not.ok(inTime({ ...least, [name]: depth - 1 }), name);
});

test('a stream that never has room', () => {
  const program = build(5, { a: copy(5, ['x'], 't'), b: copy(5, ['t'], 'u'), c: copy(5, ['u'], 'y') });
  const { deadlock } = checked(program, { 'u to c': 0 });
  assert.equal(deadlock!.slice(0, 2), [{ process: 'b', stream: 'u to c', for: 'room', of: 'c' }, { process: 'c', stream: 'u to c', for: 'word', of: 'b' }]);
  assert.equal(deadlock![2], { process: 'a', stream: 't to b', for: 'room', of: 'b' });
});

test('a queue of one word takes a word every other cycle', () => {
  const program = build(10, { a: copy(10, ['x'], 't'), b: copy(10, ['t'], 'y') });
  assert.is(checked(program, { 't to b': 1 }).latency, 3 + 2 + 2 * 9);
});

test('it ends at a cycle', () => {
  const program = build(10, { a: copy(10, ['x'], 't'), b: copy(10, ['t'], 'y') });
  const ended = simulateDataflow(program, { stopAt: 5 });
  assert.is(ended.isStopped, true);
  assert.is(ended.deadlock, undefined);
  assert.is(ended.latency, Infinity);
});

test('convolutions: one pipeline over all windows, (O / PE) (k k C / SIMD) cycles each, and before it what the first window needs', () => {
  const network = convolutionNetwork({ channels: [8, 8, 4], extent: 6, kernel: 3, padding: 1 }, { weights: 4, activations: 4 });
  const names = kernelsOf(circuit(network).blocks).filter((k) => k.op === 'convolution').map((k) => k.name);
  // Lanes of 8, 8, 4 and 2 channels, as the first makes them.
  for (const [lanes, simd] of [[8, 8], [8, 4], [4, 8], [2, 4]]) {
    const own = processCycles(circuit(network, { folding: { [names[0]]: { pe: lanes, simd: 1 }, [names[1]]: { pe: 4, simd } } }))[names[1]];
    const steps = (2 * 8 + 3) * (8 / lanes) + 6 * 6 * (72 / simd);
    assert.ok(own >= steps && own <= steps + 30, `lanes of ${lanes}, SIMD ${simd}: ${own} cycles, ${steps} steps`);
  }
});

test('words, order and waiting of networks: as every cycle says', () => {
  const networks = [
    circuit(denseNetwork([24, 12, 5], { weights: 2, activations: 2 })),
    circuit(convolutionNetwork({ channels: [3, 4, 2], extent: 6, kernel: 3, padding: 1 }, { weights: 4, activations: 4 })),
    ...kinds.flatMap((kind) => Array.from({ length: 4 }, (_, i) => folded(runPasses(randomCase(kind, 901 + i).graph), i))),
  ];
  for (const program of networks) {
    const endless = Object.fromEntries(program.dataflow!.streams.map((s) => [`${s.tensor} to ${s.to}`, Infinity]));
    for (const [depths, images] of [[{}, 1], [{}, 3], [endless, 3]] as const) checked(program, depths, images);
    // Where nothing lacks room, the slowest process gives the interval.
    assert.is(simulateDataflow(program, { depths: endless, images: 4 }).interval, Math.max(...Object.values(processCycles(program))));
  }
});

test('a run that goes on from another one with deeper streams: the times of a run by itself', () => {
  const network = circuit(convolutionNetwork({ channels: [3, 4, 4, 2], extent: 8, kernel: 3, padding: 1 }, { weights: 4, activations: 4 }), { folding: {} });
  const random = new Random(77);
  const table = timetables(network);
  const [kept, alone] = [new Simulation(network, table), new Simulation(network, table)];
  let depth = kept.names.map(() => Infinity);
  let [ran, late] = [0, 0];
  for (let i = 0; i < 60; i++) {
    const tried = depth.map((d) => (random.float(0, 1) < 0.4 ? Math.max(2, Math.floor(Math.min(d, 400) * random.float(0.5, 1))) : d));
    const all = alone.run({ depths: Object.fromEntries(kept.names.map((n, s) => [n, tried[s]])), images: 3 });
    const limit = all.latency === Infinity || i % 3 > 0 ? 1e9 : all.latency - 1;
    const found = kept.runWithin(limit, tried, 3);
    assert.is(found === undefined, limit < all.latency && limit < 1e9);
    if (!found) { late++; continue; }
    assert.equal([found.latency, found.interval, found.streams], [all.latency, all.interval, all.streams]);
    if (all.deadlock) continue;
    ran++;
    kept.keep(tried, 3);
    depth = tried;
  }
  assert.ok(ran > 10 && late > 5, `${ran} kept, ${late} late`);
});

const resnet = sharedFile('bench/ic_resnet8.qdq_u8s8.onnx');
if (resnet) {
  test('ResNet-8: at least its products, and its skips need more than two words', () => {
    const program = circuit(importOnnx(resnet));
    const own = processCycles(program);
    // 3x3 convolutions: places x outputs x products.
    for (const [name, products] of [['conv0', 32 * 32 * 16 * 27], ['conv1', 32 * 32 * 16 * 144], ['conv4', 16 * 16 * 32 * 144], ['conv9', 8 * 8 * 64 * 576]] as const) {
      assert.ok(own[name] >= products && own[name] <= 1.15 * products, `${name}: ${own[name]} cycles for ${products} products`);
    }
    const least = leastDepths(program);
    assert.equal([least.timing.latency, least.timing.interval], [least.endless.latency, least.endless.interval]);
    // Two convolutions of 3x3 around 32 places of 16 channels: each is a row and a place behind.
    const skip = 't22_QuantizeLinear_Output_codes to conv2';
    const behind = 2 * (32 + 1) * 16;
    assert.ok(least.least[skip] >= behind && least.least[skip] <= behind + 10 * 16, `${least.least[skip]} words, ${behind} behind`);
    assert.is.not(simulateDataflow(withDepths(program, { ...least.depths, [skip]: behind })).deadlock, undefined);
    assert.equal(simulateDataflow(program).deadlock!.slice(0, 3).map((w) => w.process), ['conv0', 'conv1', 'conv2']);
  });
}

test.run();
