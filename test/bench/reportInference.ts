/** What the times of whole networks mean: tables, ratios against the best peer, geometric means. Pure. */
import type { Batches, Inference } from './inference.js';
import type { PeakName } from './engines/engine.js';
import { peers, type Peer } from './peers.js';
import { geometricMean, quantile, timesFaster, type Spread } from './statistics.js';
import { format, percent, type Table } from './table.js';

export const simd = 'sigmaflow simd128';
export const scalar = 'sigmaflow scalar';
export const relaxed = 'sigmaflow relaxed';
export const fast = 'sigmaflow relaxed fastMath';
export const native = 'onnxruntime-node';

/** The fastest of the peers of these families, where one was measured. */
export function best(result: Inference, families: readonly Peer['family'][]): string | undefined {
  const found = peers.filter((p) => families.includes(p.family) && result.times[p.label]).map((p) => p.label);
  return found.sort((a, b) => result.times[a].median - result.times[b].median)[0];
}

/** How many times faster than the best of these families a build of ours is. */
export function lead(result: Inference, families: readonly Peer['family'][], label = simd): number {
  const peer = best(result, families);
  return peer === undefined ? NaN : timesFaster(result.times[peer], result.times[label]).median;
}

/** Multiply-adds per microsecond over those of a micro-kernel in the same rounds. */
export function shareOfPeak(result: Inference, peak: PeakName, label = simd): number {
  const [time, limit] = [result.times[label], result.peaks[peak]];
  return time && limit ? quantile(time.rounds.map((t, i) => result.macs / t / limit.rounds[i]), 0.5) : NaN;
}

export const spread = (s: Spread | undefined): string => (s ? `${format(s.median)} (${format(s.low)}..${format(s.high)})` : '-');

/** Of the ratios that there are. */
export const mean = (ratios: readonly number[]): number => geometricMean(ratios.filter(Number.isFinite));

/** One table for a kind, batch and host: our builds, the peers, the ratio of `label` to the best of `families`. */
export function inferenceTable(results: readonly Inference[], title: string, families: readonly Peer['family'][], peak: PeakName, label = simd): Table {
  const has = (name: string): boolean => results.some((r) => r.times[name]);
  const builds = [simd, scalar, relaxed, fast].filter(has);
  const web = peers.filter((p) => p.family !== 'native' && has(p.label)).map((p) => p.label);
  const withNative = has(native);
  const [bestOf, nativeOf] = [results.map((r) => lead(r, families, label)), results.map((r) => lead(r, ['native'], label))];
  const rows = results.map((r, i) => [
    r.network,
    ...builds.map((b) => spread(r.times[b])),
    ...web.map((p) => spread(r.times[p])),
    format(bestOf[i]), best(r, families) ?? '-',
    ...(withNative ? [spread(r.times[native]), format(nativeOf[i])] : []),
    format(r.macs / (r.times[label]?.median ?? NaN) / 1000), percent(shareOfPeak(r, peak, label)),
  ]);
  rows.push(['geometric mean', ...builds.map(() => ''), ...web.map(() => ''), format(mean(bestOf)), '', ...(withNative ? ['', format(mean(nativeOf))] : []), '', '']);
  return {
    title,
    header: ['network', ...builds, ...web, 'best / ours', 'best', ...(withNative ? ['native', 'native / ours'] : []), 'GMAC/s', `of ${peak}`],
    rows,
  };
}

/** Microseconds per inference of our simd128 build by batch, and what the largest batch gains over the smallest. */
export function batchesTable(results: readonly Batches[]): Table {
  const batches = [...new Set(results.flatMap((r) => Object.keys(r.times)))];
  const [first, last] = [batches[0], batches[batches.length - 1]];
  return {
    title: 'Batches: microseconds per inference, sigmaflow simd128, in one interleaved run',
    header: ['network', ...batches.map((b) => `batch ${b}`), `${first} / ${last}`],
    rows: results.map((r) => [`${r.network} ${r.kind}`, ...batches.map((b) => spread(r.times[b])), format(timesFaster(r.times[first], r.times[last]).median)]),
  };
}
