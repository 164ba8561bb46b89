/**
 * Foldings chosen: a goal is met by what the estimates and the simulation say of the circuit that is made, nothing smaller around it
 * would do, and what does not fit or cannot be reached is refused by name.
 */
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { runPasses } from '../../codegen/compile.js';
import { kernelsOf } from '../../codegen/ir/walk.js';
import { lower } from '../../codegen/schedule/lower.js';
import { chooseFolding, completeFolding, evaluateFolding, foldingText } from '../../codegen/schedule/fabric/choose.js';
import { processCycles } from '../../codegen/schedule/fabric/cycles.js';
import { foldables } from '../../codegen/schedule/fabric/folding.js';
import { circuitOf, scheduleFabric, streamName } from '../../codegen/schedule/fabric/index.js';
import { prepareFabric } from '../../codegen/schedule/fabric/prepare.js';
import { estimateResources } from '../../codegen/schedule/fabric/resources.js';
import { simulateDataflow } from '../../codegen/schedule/fabric/simulate.js';
import * as timetable from '../../codegen/schedule/fabric/timetable.js';
import { bipolarNetworks } from '../support/bipolarNetworks.js';
import { bipolarImageNetwork } from '../support/fabricNetworks.js';
import { convolutionNetwork, denseNetwork } from '../support/lowBitNetworks.js';
import { matrixVectorUnit } from '../support/matrixVector.js';
import { refuses } from '../support/refuses.js';

const pynq = { lut: 53200, ff: 106400, dsp: 220, bram18: 280 };
const widths = { weights: 4, activations: 4 } as const;
const dense = prepareFabric(lower(runPasses(denseNetwork([64, 32, 16, 12], widths))), []);
const convolutions = prepareFabric(lower(runPasses(convolutionNetwork({ channels: [4, 8, 16], extent: 8, kernel: 3, padding: 1 }, widths))), []);

test('closed forms are the cycles of the timetables', () => {
  const units = [dense, convolutions, ...bipolarNetworks().map((g) => prepareFabric(lower(runPasses(g)), []))];
  for (const prepared of units) {
    for (const at of [0, 0.3, 0.6]) {
      const folding = Object.fromEntries(foldables(prepared).map((f) => [f.name, { pe: f.pe[Math.floor(at * (f.pe.length - 1))], simd: f.simd[Math.floor(at * at * (f.simd.length - 1))], ...(at === 0.3 ? { cores: 1 } : {}) }]));
      const { program } = circuitOf(prepared, { folding, drafts: new Map() }, []);
      const walked = timetable.processCycles(program);
      for (const p of processCycles(program)) assert.is(p.cycles, walked[p.name], `${program.name}, ${p.name}`);
    }
  }
});

test('a draft is estimated as the circuit that it stands for', () => {
  for (const prepared of [dense, convolutions]) {
    const folding = Object.fromEntries(foldables(prepared).map((f) => [f.name, { pe: f.pe[1] ?? 1, simd: f.simd[1] ?? 1 }]));
    const { program } = circuitOf(prepared, { folding }, []);
    const { estimate, cycles } = evaluateFolding(prepared, folding);
    assert.equal(estimate, estimateResources(program));
    assert.equal(cycles, processCycles(program));
  }
});

test('an interval is met, and one step less of any kernel would miss it or be no smaller', () => {
  for (const prepared of [dense, convolutions]) {
    for (const interval of prepared === dense ? [600, 1500, 6000] : [2500, 6000, 20000]) {
      const found = chooseFolding(prepared, pynq, { interval });
      assert.ok(found.interval <= interval);
      for (const f of foldables(prepared)) {
        const { pe, simd } = found.folding[f.name];
        const less = [{ pe: Math.max(1, ...f.pe.filter((n) => n < pe)), simd }, { pe, simd: Math.max(1, ...f.simd.filter((n) => n < simd)) }];
        for (const l of less.filter((x) => x.pe * x.simd < pe * simd)) {
          const other = evaluateFolding(prepared, { ...found.folding, [f.name]: l });
          const isSmaller = other.estimate.total.lut < found.estimate.total.lut && other.estimate.total.dsp <= found.estimate.total.dsp && other.estimate.total.bram18 <= found.estimate.total.bram18;
          assert.ok(other.interval > interval || !isSmaller, `${interval}: ${f.name} with ${JSON.stringify(l)} instead of ${foldingText(found.folding)}`);
        }
      }
    }
  }
});

test('a latency is met in the simulation of the scheduled circuit', () => {
  const unit = lower(runPasses(denseNetwork([64, 32, 16, 12], widths)));
  for (const latency of [400, 1000, 2500]) {
    const { folding } = chooseFolding(dense, pynq, { latency });
    const { program } = scheduleFabric(unit, { folding });
    const depths = Object.fromEntries(program.dataflow!.streams.map((s) => [streamName(s), Infinity]));
    assert.ok(simulateDataflow(program, { depths }).latency <= latency);
  }
});

test('a shorter interval never takes less, and without a goal the part is the limit', () => {
  const sizes = [300, 1000, 5000, 100000].map((interval) => chooseFolding(dense, pynq, { interval }).estimate.total.lut);
  sizes.reduce((more, less) => (assert.ok(less <= more, `${sizes.join(', ')}`), less));
  const most = chooseFolding(convolutions, pynq);
  const half = chooseFolding(convolutions, { lut: 12000, ff: 20000, dsp: 60, bram18: 100 });
  assert.ok(most.interval < half.interval);
  for (const kind of ['lut', 'ff', 'dsp', 'bram18'] as const) assert.ok(most.estimate.total[kind] <= pynq[kind]);
  assert.ok(half.estimate.total.lut <= 12000 && half.estimate.total.dsp <= 60);
});

test('a folding that names the layers alone: its pools keep up with them', () => {
  const prepared = prepareFabric(lower(runPasses(bipolarImageNetwork(), 1, { integersOnly: true })), []);
  const layers = kernelsOf(prepared.unit.program.blocks).filter((k) => k.op === 'convolution' || k.op === 'dense').map((k) => k.name);
  // The folding of the submission (test/support/fabricNetworks.ts), whose slowest layers take 32,768 cycles by (MH / PE) (MW / SIMD).
  const published = [[16, 3], [32, 32], [16, 32], [16, 32], [4, 32], [1, 32], [1, 4], [1, 8], [5, 1]];
  const named = Object.fromEntries(layers.map((name, i) => [name, { pe: published[i][0], simd: published[i][1] }]));
  const alone = evaluateFolding(prepared, Object.fromEntries(foldables(prepared).map((f) => [f.name, named[f.name] ?? { pe: 1, simd: 1 }])));
  const whole = completeFolding(prepared, named, pynq);
  assert.ok(alone.interval > 50_000 && whole.interval >= 32_768 && whole.interval < 32_800, `${alone.interval}, ${whole.interval}`);
  for (const name of layers) assert.equal(whole.folding[name], named[name]);
  // Named, a pool is as slow as it is told to be.
  const [pool] = kernelsOf(prepared.unit.program.blocks).filter((k) => k.op === 'pool').map((k) => k.name);
  const slow = completeFolding(prepared, { ...named, [pool]: { pe: 1, simd: 1 } }, pynq);
  assert.equal([slow.folding[pool], slow.interval], [{ pe: 1, simd: 1 }, alone.interval]);
  // Layers that are not named have 1 and 1, and all else keeps up with those.
  const none = completeFolding(prepared, {}, pynq);
  for (const f of foldables(prepared)) assert.equal(none.folding[f.name], { pe: 1, simd: 1 }, f.name);
});

test('what does not fit names the layer, the resource and the folding that would do', () => {
  const one = prepareFabric(matrixVectorUnit(32, 64, 'int8', 'int8'), []);
  refuses(() => chooseFolding(one, { ...pynq, lut: 600 }), /\[fabric\/does-not-fit\].*the smallest circuit takes [\d,]+ LUTs, and there is room for 600: [\d,]+ too many/);
  refuses(() => chooseFolding(one, { ...pynq, lut: 3000 }, { interval: 80 }), /\[fabric\/does-not-fit\].*dense: for an image every 80 cycles it needs PE \d+ and SIMD \d+ at least, with which the circuit takes [\d,]+ LUTs, and there is room for 3,000\n {2}With PE \d+ and SIMD \d+ it fits, at an image every [\d,]+ cycles.*\n {2}That folding is \{"dense":/);
  refuses(() => chooseFolding(one, { lut: 1e6, ff: 1e6, dsp: 1e4, bram18: 1e4 }, { latency: 30 }), /\[fabric\/goal\].*for a latency of 30 cycles .*\n {2}The circuit reaches an image every \d+ cycles and a latency of \d+/);
});

test.run();
