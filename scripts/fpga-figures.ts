/**
 * The figures of docs/fpga.md about networks of published shapes (test/support/fabricNetworks.ts), as rows of its tables: estimates and
 * cycles on a PYNQ-Z2 at 100 MHz, with the foldings of the published circuits and those that the search finds.
 */
import { runPasses } from '../codegen/compile.js';
import type { Graph } from '../codegen/ir/graph.js';
import type { Leavable } from '../codegen/ir/optimization.js';
import { chooseFolding, completeFolding, type FoldingGoal } from '../codegen/schedule/fabric/choose.js';
import { leastDepths, withDepths } from '../codegen/schedule/fabric/depths.js';
import { scheduleFabric } from '../codegen/schedule/fabric/index.js';
import type { Folding } from '../codegen/schedule/fabric/kernel.js';
import { added, type Usage } from '../codegen/schedule/fabric/operators.js';
import { prepareFabric } from '../codegen/schedule/fabric/prepare.js';
import { estimateResources } from '../codegen/schedule/fabric/resources.js';
import { surroundings } from '../codegen/schedule/fabric/surroundings.js';
import { lower } from '../codegen/schedule/lower.js';
import { effectsOf } from '../sdk/hls/effects.js';
import { imageNetwork, intrusionNetwork, keywordNetwork } from '../test/support/fabricNetworks.js';

const part = { lut: 53_200, lutram: 17_400, ff: 106_400, dsp: 220, bram18: 280 };
const count = (n: number): string => Math.round(n).toLocaleString('en-US');
const row = (...cells: readonly (string | number)[]): void => console.log(`| ${cells.map((c) => (typeof c === 'number' ? count(c) : c)).join(' | ')} |`);
const unitOf = (graph: Graph, without: readonly Leavable[] = []): ReturnType<typeof lower> => lower(runPasses(graph, 1, { integersOnly: true, without }));

interface Built {
  readonly unit: ReturnType<typeof lower>;
  readonly folding: Readonly<Record<string, Folding>>;
  readonly depths: Readonly<Record<string, number>>;
  readonly total: Usage;
  readonly latency: number;
  readonly interval: number;
}

/** A circuit with the PE and SIMD of its layers given, in order; what else there is keeps up. */
function built(graph: Graph, layers: readonly (readonly [number, number])[]): Built {
  const unit = unitOf(graph);
  const prepared = prepareFabric(unit, []);
  const names = prepared.unit.program.blocks.flatMap((k) => (k.kind === 'kernel' && (k.op === 'convolution' || k.op === 'dense') ? [k.name] : []));
  const { folding } = completeFolding(prepared, Object.fromEntries(names.map((name, i) => [name, { pe: layers[i][0], simd: layers[i][1] }])), part);
  return { unit, folding, ...finished(unit, folding) };
}

function finished(unit: ReturnType<typeof lower>, folding: Readonly<Record<string, Folding>>): Pick<Built, 'depths' | 'total' | 'latency' | 'interval'> {
  const { program } = scheduleFabric(unit, { folding });
  const { depths, timing } = leastDepths(program);
  return { depths, total: estimateResources(withDepths(program, depths)).total, latency: timing.latency, interval: timing.interval };
}

const oneBit = [[16, 3], [32, 32], [16, 32], [16, 32], [4, 32], [1, 32], [1, 4], [1, 8]] as const;
const cnv = built(imageNetwork(1, 10), [...oneBit, [5, 1]]);

console.log('# What each optimization brings');
const effects = effectsOf(cnv.unit, { folding: cnv.folding, depths: cnv.depths, lowerWithout: (without) => unitOf(imageNetwork(1, 10), without), has: { normalizations: false, quantizers: true } });
for (const [name, f] of [['as built', effects.built], ...Object.entries(effects.without)] as const) if (f) row(name, f.lut, f.ff, f.dsp, f.bram18, f.cycles);

console.log('\n# Systems: circuit and interconnects (LUT, as memory, flip-flops, BRAM18, DSP, cycles)');
const systems: readonly (readonly [string, Built])[] = [
  ['CNV-W1A1 of MLPerf Tiny', cnv],
  ['CNV-W1A1 of BNN-PYNQ', built(imageNetwork(1, 64, 3), [...oneBit, [4, 1]])],
  ['CNV-W2A2 of BNN-PYNQ', built(imageNetwork(2, 64, 3), [[8, 3], [16, 16], [8, 16], [8, 16], [4, 8], [1, 8], [1, 2], [2, 2], [4, 1]])],
  ['MLP of FINN\'s tutorial', built(intrusionNetwork(), [[32, 15], [4, 16], [4, 16], [1, 1]])],
];
for (const [name, { total, interval }] of systems) {
  const all = added(total, surroundings.zynq);
  row(name, all.lut, all.lutram ?? 0, all.ff, all.bram18, all.dsp, interval);
}
row('CNV-W1A1, the circuit alone', cnv.total.lut, cnv.total.lutram ?? 0, cnv.total.ff, cnv.total.bram18, cnv.total.dsp, cnv.interval);

console.log('\n# Foldings that the search finds (LUT, flip-flops, DSP, BRAM18, latency, cycles from image to image)');
const search = (name: string, graph: Graph, goal: FoldingGoal): void => {
  const unit = unitOf(graph);
  const { folding } = chooseFolding(prepareFabric(unit, []), part, goal);
  const { total, latency, interval } = finished(unit, folding);
  const folded = Object.entries(folding).filter(([, f]) => f.pe * f.simd > 1).map(([kernel, f]) => `${kernel} ${f.pe} x ${f.simd}`);
  row(`${name} ${JSON.stringify(goal)}`, total.lut, total.ff, total.dsp, total.bram18, latency, interval, folded.join(', '));
};
search('CNV-W1A1', imageNetwork(1, 10), { interval: 32_800 });
search('KWS-W3A3', keywordNetwork(), { latency: 1_700, outside: 128 });
search('KWS-W3A3', keywordNetwork(), { interval: 500 });
search('KWS-W3A3', keywordNetwork(), { interval: 518 });
