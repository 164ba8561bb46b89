/** What the times of Bayesian networks mean: tables and ratios. Pure. */
import type { Section } from '../report.js';
import { spread } from '../reportInference.js';
import { timesFaster } from '../statistics.js';
import { format, type Table } from '../table.js';
import { deterministic, forms, ours, sampleCounts, web, type Bayesian } from './measure.js';

/** How many times faster our forward pass is than the same in onnxruntime-web. */
export const webLead = (b: Bayesian): number => timesFaster(b.times[web], b.times[ours]).median;

/** What it takes in times of our deterministic network. */
export const deterministicCost = (b: Bayesian): number => timesFaster(b.times[ours], b.times[deterministic]).median;

/** The fastest way of S samples. */
function fastest(b: Bayesian, samples: number): string | undefined {
  return Object.values(forms).map((f) => `${f} ${samples}`).filter((label) => b.times[label]).sort((x, y) => b.times[x].median - b.times[y].median)[0];
}

/** How many times faster our forward pass is than the fastest way of S samples. */
export const advantage = (b: Bayesian, samples: number): number => timesFaster(b.times[fastest(b, samples) ?? ''], b.times[ours]).median;

export function bayesianSections(results: readonly Bayesian[]): Section[] {
  if (results.length === 0) return [];
  const passes: Table = {
    title: 'Mean and variance in one pass: microseconds per inference',
    header: ['network', 'batch', ours, deterministic, 'ours / deterministic', web, 'onnxruntime-web / ours'],
    rows: results.map((b) => [b.network, String(b.batch), spread(b.times[ours]), spread(b.times[deterministic]), format(deterministicCost(b)), spread(b.times[web]), format(webLead(b))]),
  };
  const kinds = Object.values(forms).filter((form) => results.some((b) => sampleCounts.some((s) => b.times[`${form} ${s}`])));
  const sampled: Table = {
    title: 'Against S samples: microseconds per inference', header: ['network', 'batch', 'S', ours, ...kinds, 'fastest / ours'],
    rows: results.flatMap((b) => sampleCounts.map((s) => [b.network, String(b.batch), String(s), spread(b.times[ours]), ...kinds.map((k) => (b.times[`${k} ${s}`] ? format(b.times[`${k} ${s}`].median) : '-')), format(advantage(b, s))])),
  };
  const text = 'Networks whose weights are normal variables: our moments twin against the same computation as an ONNX graph in onnxruntime-web, against our own deterministic network, and against sampling, of which the fastest way decides. Local reparameterization is for dense networks.';
  return [{ heading: 'Bayesian networks', text, tables: kinds.length > 0 ? [passes, sampled] : [passes] }];
}
