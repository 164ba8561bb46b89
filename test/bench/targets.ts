/** The targets of the project's speed work, each with what a run found: met, or missed by how much. Pure. */
import { advantage, deterministicCost, webLead } from './bayesian/report.js';
import { allowedBytes } from './bytes.js';
import type { Inference } from './inference.js';
import { fast, lead, mean, native, relaxed, shareOfPeak, simd } from './reportInference.js';
import type { Results } from './results.js';
import { timesFaster } from './statistics.js';
import { format, percent, type Table } from './table.js';

export interface Verdict {
  readonly target: string;
  readonly wanted: string;
  readonly found: string;
  readonly verdict: string;
}

interface Found {
  readonly name: string;
  readonly value: number;
}

/** Interleaved medians do not tell two per cent. */
const noise = 0.98;

const conv = ['lenet5', 'kws_dscnn', 'ic_resnet8', 'vww_mbv1'];

/** Microseconds that sketches reached on one machine: float32 and 8-bit, simd128, batch 1. */
const orientation: Readonly<Record<string, readonly [number, number]>> = { mlp: [5.5, 3.5], lenet5: [30, 22], kws_dscnn: [140, 85], ad_ae: [17, 10], ic_resnet8: [600, 320], vww_mbv1: [420, 220] };

/** The worst of several against a bound, `least` or `most`. */
function judge(target: string, found: readonly Found[], bound: { least?: number; most?: number; wanted: string; show?: (x: number) => string }): Verdict {
  const { least, most, wanted, show = format } = bound;
  const known = found.filter((f) => Number.isFinite(f.value));
  if (known.length === 0) return { target, wanted, found: '-', verdict: 'not measured' };
  const worst = known.reduce((a, b) => ((least !== undefined ? b.value < a.value : b.value > a.value) ? b : a));
  const text = known.length === 1 ? `${show(worst.value)}${worst.name ? ` (${worst.name})` : ''}` : `worst of ${known.length}: ${show(worst.value)} (${worst.name})`;
  const failing = known.filter((f) => (least !== undefined ? f.value < least : f.value > most!));
  const by = least !== undefined ? 1 - worst.value / least : worst.value / most! - 1;
  const verdict = failing.length === 0 ? 'met' : `missed by ${percent(by)}${known.length > 1 ? `: ${failing.map((f) => `${f.name} ${show(f.value)}`).join(', ')}` : ''}`;
  return { target, wanted, found: text, verdict };
}

const pick = (results: readonly Inference[], kind: string, batch = 1): Inference[] => results.filter((r) => r.kind === kind && r.batch === batch);

export function verdicts(r: Results): Verdict[] {
  const [float, byte] = [pick(r.inference, 'f32'), pick(r.inference, 'qdq_u8s8')];
  const leads = (list: readonly Inference[]): Found[] => list.map((i) => ({ name: i.network, value: lead(i, ['simd128']) }));
  const all = (list: readonly Inference[], names: readonly string[]): Inference[] => list.filter((i) => names.includes(i.network));
  const gain = (list: readonly Inference[], label: string): Found[] => list.map((i) => ({ name: `${i.network}, ${i.host}`, value: timesFaster(i.times[simd], i.times[label]).median }));
  const share = (list: readonly Inference[], name: string, kind: 'float32' | 'dot16'): Found[] => all(list, [name]).map((i) => ({ name: '', value: shareOfPeak(i, kind) }));
  const toSketch = (list: readonly Inference[], kind: 0 | 1): Found[] => list.filter((i) => orientation[i.network]).map((i) => ({ name: i.network, value: (i.times[simd]?.median ?? NaN) / orientation[i.network][kind] }));
  const widths = (slow: string, quick: string, only?: RegExp): Found[] =>
    r.widths.filter((w) => !only || only.test(w.shape)).map((w) => ({ name: w.shape, value: timesFaster(w.times[slow], w.times[quick]).median }));
  const cold = (names: readonly string[]): Found[] => r.cold.filter((c) => names.includes(c.network)).map((c) => ({ name: `${c.network} ${c.kind}`, value: c.total[simd]?.median ?? NaN }));
  const compile = (name: string): Found[] => r.compile.filter((c) => c.network === name).map((c) => ({ name: c.kind, value: c.command.median }));
  const single = r.bayesian.filter((b) => b.batch === 1);
  const most = (wanted: number, unit: string): { most: number; wanted: string; show: (x: number) => string } => ({ most: wanted, wanted: `at most ${wanted} ${unit}`, show: (x) => `${format(x)} ${unit}` });
  return [
    judge('float32, simd128, batch 1: ratio to the best web peer, each network', leads(float), { least: 1, wanted: 'above 1' }),
    judge('the same, geometric mean', [{ name: '', value: mean(leads(float).map((f) => f.value)) }], { least: 1.6, wanted: 'at least 1.6' }),
    judge('8-bit, simd128, batch 1: ratio to the best web peer, each network', leads(byte), { least: 1, wanted: 'above 1' }),
    judge('the same, geometric mean', [{ name: '', value: mean(leads(byte).map((f) => f.value)) }], { least: 2.2, wanted: 'at least 2.2' }),
    judge('float32 time over the orientation of one machine', toSketch(float, 0), { most: 1, wanted: 'at most 1, orientation' }),
    judge('8-bit time over the orientation of one machine', toSketch(byte, 1), { most: 1, wanted: 'at most 1, orientation' }),
    judge('relaxed, 8-bit with full range: over our simd128', gain(pick(r.relaxed, 'qdq_u8s8'), relaxed), { least: noise, wanted: 'not slower (1.2 as orientation)' }),
    judge('relaxed, 7-bit activations: over our simd128, convolutional networks', gain(all(pick(r.relaxed, 'w8a7'), conv), relaxed), { least: 1.8, wanted: 'at least 1.8' }),
    judge('relaxed, 8-bit: ratio to LiteRT.js relaxed', pick(r.relaxed, 'qdq_u8s8').map((i) => ({ name: `${i.network}, ${i.host}`, value: lead(i, ['relaxed'], i.times[relaxed] ? relaxed : simd) })), { least: 1, wanted: 'above 1' }),
    judge('relaxed with fastMath, float32: ratio to LiteRT.js relaxed (apart: other bits)', pick(r.relaxed, 'f32').filter((i) => i.times[fast]).map((i) => ({ name: `${i.network}, ${i.host}`, value: lead(i, ['relaxed'], fast) })), { least: 1, wanted: 'reported' }),
    judge('8-bit against native onnxruntime-node: mlp, lenet5, ad_ae', all(byte, ['mlp', 'lenet5', 'ad_ae']).map((i) => ({ name: i.network, value: timesFaster(i.times[native], i.times[simd]).median })), { least: 1, wanted: 'above 1' }),
    judge('pointwise and 3x3 kernels, float32: of the peak', r.kernels.filter((k) => k.kind === 'f32').map((k) => ({ name: k.kernel, value: k.share.median })), { least: 0.8, wanted: '80 %', show: percent }),
    judge('pointwise and 3x3 kernels, 8-bit: of the peak of the 16-bit dot', r.kernels.filter((k) => k.kind === 'w8a8' && k.build === 'simd128').map((k) => ({ name: k.kernel, value: k.share.median })), { least: 0.8, wanted: '80 %', show: percent }),
    judge('ic_resnet8 float32: of the peak', share(float, 'ic_resnet8', 'float32'), { least: 0.75, wanted: '75 %', show: percent }),
    judge('kws_dscnn float32: of the peak', share(float, 'kws_dscnn', 'float32'), { least: 0.65, wanted: '65 %', show: percent }),
    judge('vww_mbv1 float32: of the peak', share(float, 'vww_mbv1', 'float32'), { least: 0.65, wanted: '65 %', show: percent }),
    judge('ic_resnet8 8-bit: of the peak of the 16-bit dot', share(byte, 'ic_resnet8', 'dot16'), { least: 0.7, wanted: '70 %', show: percent }),
    judge('2-bit over 8-bit, same shape', widths('w8a8', 'w2a2'), { least: 1, wanted: 'above 1' }),
    judge('4-bit over 8-bit, same shape', widths('w8a8', 'w4a4'), { least: noise, wanted: 'not slower' }),
    judge('1-bit over our float32: dense 1024x1024, convolution', widths('f32', 'w1a1', /^(dense 1024|conv )/), { least: 10, wanted: 'at least 10' }),
    judge('batch 100 over batch 1, per inference', r.batches.map((b) => ({ name: `${b.network} ${b.kind}`, value: timesFaster(b.times['1'], b.times['100']).median })), { least: noise, wanted: 'not slower' }),
    judge('module bytes beyond logical weights', r.bytes.map((b) => ({ name: `${b.network} ${b.kind} ${b.build}`, value: b.module - b.weights })), { most: allowedBytes, wanted: `at most ${allowedBytes}`, show: (x) => String(x) }),
    judge('import to first answer: mlp, lenet5', cold(['mlp', 'lenet5']), most(5, 'ms')),
    judge('import to first answer: vww_mbv1', cold(['vww_mbv1']), most(15, 'ms')),
    judge('the command compile, lenet5', compile('lenet5'), most(1.5, 's')),
    judge('the command compile, vww_mbv1', compile('vww_mbv1'), most(4, 's')),
    judge('moments of a Bayesian network, batch 1: ratio to onnxruntime-web', single.map((b) => ({ name: b.network, value: webLead(b) })), { least: 4, wanted: 'at least 4' }),
    judge('the same: times of the deterministic network', single.map((b) => ({ name: b.network, value: deterministicCost(b) })), { most: 3.2, wanted: 'at most 3.2' }),
    judge('the same: ratio to the fastest way of 30 samples', single.map((b) => ({ name: b.network, value: advantage(b, 30) })), { least: 1, wanted: 'reported' }),
    judge('two threads on 100 images, over one', r.threads.map((t) => ({ name: `${t.network} ${t.kind}, module of batch ${t.batch}`, value: timesFaster(t.session, t.pool).median })), { least: 1.7, wanted: 'at least 1.7' }),
  ];
}

export function targetsTable(r: Results): Table {
  return { title: 'Targets', header: ['target', 'wanted', 'found', 'verdict'], rows: verdicts(r).map((v) => [v.target, v.wanted, v.found, v.verdict]), text: true };
}
