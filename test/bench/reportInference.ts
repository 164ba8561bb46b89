/** What the times of whole networks mean: tables, ratios against the best peer, geometric means. Pure. */
import type { Inference } from './inference.js';
import { peers, type Peer } from './peers.js';
import { geometricMean, type Spread } from './statistics.js';
import { format, percent, type Table } from './table.js';

export const ours = 'sigmaflow simd128';

/** The fastest of these peers, where one was measured. */
export function best(result: Inference, family: Peer['family']): { readonly label: string; readonly time: Spread } | undefined {
  const found = peers.filter((p) => p.family === family && result.times[p.label]).map((p) => ({ label: p.label, time: result.times[p.label] }));
  return found.sort((a, b) => a.time.median - b.time.median)[0];
}

/** Their median / ours: above 1 we are faster. NaN where one is missing. */
export function ratio(result: Inference, theirs: Spread | undefined, label = ours): number {
  const time = result.times[label];
  return time && theirs ? theirs.median / time.median : NaN;
}

const spread = (s: Spread | undefined): string => (s ? `${format(s.median)} (${format(s.low)}..${format(s.high)})` : '-');

/** Multiply-adds per microsecond of the product, and its share of the micro-kernel's. */
export function rateOf(result: Inference, label = ours): number {
  return result.macs / (result.times[label]?.median ?? NaN);
}

/** One table for a kind and batch. */
export function inferenceTable(results: readonly Inference[], kind: string, batch: number, label = ours): Table {
  const mine = results.filter((r) => r.kind === kind && r.batch === batch);
  const web = peers.filter((p) => p.family === 'simd128' && mine.some((r) => r.times[p.label]));
  const scalar = 'sigmaflow scalar';
  const withScalar = mine.some((r) => r.times[scalar]);
  const native = mine.some((r) => r.times['onnxruntime-node']);
  const limit = kind === 'f32' ? 'float32' : 'dot16';
  const rows = mine.map((r) => {
    const top = best(r, 'simd128');
    return [
      r.network, spread(r.times[label]), ...(withScalar ? [spread(r.times[scalar])] : []), ...web.map((p) => spread(r.times[p.label])),
      format(ratio(r, top?.time, label)), ...(native ? [spread(r.times['onnxruntime-node']), format(ratio(r, r.times['onnxruntime-node'], label))] : []),
      format(rateOf(r, label) / 1000), percent(rateOf(r, label) / (r.peaks[limit]?.median ?? NaN)),
    ];
  });
  const ratios = mine.map((r) => ratio(r, best(r, 'simd128')?.time, label)).filter(Number.isFinite);
  const natives = mine.map((r) => ratio(r, r.times['onnxruntime-node'], label)).filter(Number.isFinite);
  const notes = ratios.length > 0 ? [`Geometric mean of the ratio to the best web peer: ${format(geometricMean(ratios))}${natives.length > 0 ? `; to native onnxruntime-node: ${format(geometricMean(natives))}` : ''}.`] : [];
  return {
    title: `${kind}, batch ${batch}: microseconds per inference, median (quartiles)`,
    header: ['network', label, ...(withScalar ? [scalar] : []), ...web.map((p) => p.label), 'best web / ours', ...(native ? ['onnxruntime-node (native)', 'native / ours'] : []), 'GMAC/s', `of ${limit} peak`],
    rows, notes,
  };
}
