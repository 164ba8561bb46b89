/** All tables of a run, in the order of the terminal and of docs/benchmarks.md. Pure. */
import { bayesianSections } from './bayesian/report.js';
import { allowedBytes } from './bytes.js';
import { batchesTable, fast, inferenceTable, mean, relaxed, simd, spread } from './reportInference.js';
import { peers } from './peers.js';
import type { Results } from './results.js';
import { timesFaster, type Sample } from './statistics.js';
import { format, percent, type Table } from './table.js';
import { targetsTable } from './targets.js';

const kindNames: Readonly<Record<string, string>> = { f32: 'float32', qdq_u8s8: '8-bit', w8a7: '8-bit weights, 7-bit activations' };
const nameOf = (kind: string): string => kindNames[kind] ?? kind;
const unique = <T>(values: readonly T[]): T[] => [...new Set(values)];

/** Of the section that compares with the targets, which needs all the others. */
export const targetsHeading = 'Targets';

/** One section of tables under a heading. */
export interface Section {
  readonly heading: string;
  readonly text: string;
  readonly tables: readonly Table[];
}

function wholeNetworks(r: Results): Section[] {
  const found: Section[] = [];
  for (const kind of unique(r.inference.map((i) => i.kind))) {
    const tables = unique(r.inference.filter((i) => i.kind === kind).map((i) => i.batch)).map((batch) =>
      inferenceTable(r.inference.filter((i) => i.kind === kind && i.batch === batch), `${nameOf(kind)}, batch ${batch}: microseconds per inference`, ['simd128'], kind === 'f32' ? 'float32' : 'dot16'));
    found.push({ heading: `Whole networks, ${nameOf(kind)}`, text: 'Our simd128 build against the builds of the peers without relaxed SIMD; native onnxruntime beside them. "of" is the share of the multiply-add rate that a hand-made micro-kernel reaches in the same rounds.', tables });
  }
  return found;
}

function relaxedNetworks(r: Results): Section[] {
  if (r.relaxed.length === 0) return [];
  const tables = unique(r.relaxed.map((i) => i.host)).flatMap((host) => unique(r.relaxed.map((i) => i.kind)).map((kind) => {
    const list = r.relaxed.filter((i) => i.host === host && i.kind === kind);
    const label = list.some((i) => i.times[relaxed]) ? relaxed : list.some((i) => i.times[fast]) ? fast : simd;
    const table = inferenceTable(list, `${nameOf(kind)}, batch 1, ${host}: microseconds per inference`, ['relaxed', 'simd128'], label === simd ? (kind === 'f32' ? 'float32' : 'dot16') : kind === 'f32' ? 'float32' : 'dot8', label);
    const gains = list.map((i) => timesFaster(i.times[simd], i.times[label]).median);
    return label === simd ? table : { ...table, notes: [`${label} over ${simd}: ${list.map((i, n) => `${i.network} ${format(gains[n])}`).join(', ')}; geometric mean ${format(mean(gains))}.`] };
  }));
  return [{ heading: 'Relaxed SIMD', text: 'On engines that run relaxed SIMD rightly (Node 20 does not): our builds against LiteRT.js in its relaxed build. fastMath is outside the guarantee of equal bits, and apart for that reason.', tables: tables.filter((t) => t.rows.length > 1) }];
}

function widths(r: Results): Section[] {
  if (r.widths.length + r.trained.length === 0) return [];
  const kinds = unique(r.widths.flatMap((w) => Object.keys(w.times)));
  const table: Table = {
    title: 'One shape in several widths: microseconds per inference, sigmaflow simd128',
    header: ['shape', 'batch', ...kinds, '8-bit / 4-bit', '8-bit / 2-bit', 'float32 / 1-bit'],
    rows: r.widths.map((w) => [w.shape, String(w.batch), ...kinds.map((k) => spread(w.times[k])), ...[['w8a8', 'w4a4'], ['w8a8', 'w2a2'], ['f32', 'w1a1']].map(([a, b]) => format(timesFaster(w.times[a], w.times[b]).median))]),
  };
  const bytes: Table = { title: 'The same: bytes of the module', header: ['shape', ...kinds], rows: r.widths.filter((w) => w.batch === 1).map((w) => [w.shape, ...kinds.map((k) => (w.bytes[k] === undefined ? '-' : String(w.bytes[k])))]) };
  const batches = unique(r.trained.flatMap((w) => Object.keys(w.times)));
  const trained: Table = {
    title: 'Trained networks of examples/models: microseconds per inference, sigmaflow simd128',
    header: ['network', 'bytes', ...batches],
    rows: r.trained.map((w) => [w.shape, String(w.bytes['batch 1'] ?? '-'), ...batches.map((b) => spread(w.times[b]))]),
  };
  return [{ heading: 'Fewer bits', text: 'Weights and activations of 8, 4, 2 bits and one (bipolar) against float32, everything else equal; w2a2 is 2-bit weights and activations. The first input has 8 bits but in the single layers.', tables: [table, bytes, trained].filter((t) => t.rows.length > 0) }];
}

function limits(r: Results): Section[] {
  if (r.kernels.length + r.dense.length === 0) return [];
  const kernels: Table = {
    title: 'Single kernels: time, rate, share of the micro-kernel',
    header: ['kernel', 'kind', 'build', 'us', 'GMAC/s', 'micro-kernel', 'share (quartiles)'],
    rows: r.kernels.map((k) => [k.kernel, k.kind, `${k.build}, ${k.host}`, format(k.time.median), format(k.macs / k.time.median / 1000), k.peak, `${percent(k.share.median)} (${percent(k.share.low)}..${percent(k.share.high)})`]),
    notes: ['Square kernels in networks of four and of one such layer: a third of the difference. "3x3 16-16 32x32" has 16 input and output channels on 32 x 32 pixels.'],
  };
  const dense: Table = {
    title: 'Dense networks, batch 1: every weight is read once',
    header: ['network', 'us', 'weight bytes', 'reading alone, us', 'multiply-adds alone, us', 'of the slower'],
    rows: r.dense.map((d) => {
      const [read, product] = [d.bytes / d.read.median, d.macs / d.product.median];
      return [`${d.network} ${nameOf(d.kind)}`, spread(d.time), String(d.bytes), format(read), format(product), percent(Math.max(read, product) / d.time.median)];
    }),
  };
  return [{ heading: 'Against the limit', text: 'Micro-kernels by hand, in the same rounds: float32 multiply and add, the 16-bit dot product, the relaxed 8-bit dot product (4 rows x 8 columns in registers), and a reader of memory.', tables: [kernels, dense].filter((t) => t.rows.length > 0) }];
}

function bytes(r: Results): Section[] {
  if (r.bytes.length === 0) return [];
  return [{ heading: 'Bytes', text: `A module against its logical weights, biases and requantization constants, counted from the graph without padding; ${allowedBytes} bytes more are allowed.`, tables: [{
    title: 'Module bytes', header: ['network', 'kind', 'build', 'module', 'logical weights', 'beyond'],
    rows: r.bytes.map((b) => [b.network, nameOf(b.kind), b.build, String(b.module), String(b.weights), String(b.module - b.weights)]),
  }] }];
}

function starts(r: Results): Section[] {
  const labels = [simd, ...peers.map((p) => p.label)].filter((l) => r.cold.some((c) => c.total[l]));
  const cell = (total: Sample | undefined, load: Sample | undefined): string => (total && load ? `${spread(total)}, load ${format(load.median)}` : '-');
  const cold: Table = { title: 'Cold start: milliseconds from before the import to the first answer, a fresh Node process each', header: ['network', ...labels], rows: r.cold.map((c) => [`${c.network} ${nameOf(c.kind)}`, ...labels.map((l) => cell(c.total[l], c.load[l]))]) };
  const compile: Table = { title: 'Compiling: seconds, built package, fresh process', header: ['network', 'compile()', 'the command'], rows: r.compile.map((c) => [`${c.network} ${nameOf(c.kind)}`, spread(c.call), spread(c.command)]) };
  const tables = [cold, compile].filter((t) => t.rows.length > 0);
  return tables.length > 0 ? [{ heading: 'Start and compile', text: 'The model file is read within the time; "load" is the part before the first inference.', tables }] : [];
}

function batchesAndThreads(r: Results): Section[] {
  const threads: Table = {
    title: 'Two worker threads on 100 images: milliseconds', header: ['network', 'module batch', 'one session', 'pool of two', 'times faster', 'by messages', 'times faster'],
    rows: r.threads.map((t) => [`${t.network} ${nameOf(t.kind)}`, String(t.batch), spread(t.session), spread(t.pool), format(timesFaster(t.session, t.pool).median), spread(t.messages), format(timesFaster(t.session, t.messages).median)]),
  };
  const tables = [...(r.batches.length > 0 ? [batchesTable(r.batches)] : []), ...(threads.rows.length > 0 ? [threads] : [])];
  return tables.length > 0 ? [{ heading: 'Batches and threads', text: 'One module call for many inferences, and a pool of workers on one module.', tables }] : [];
}

function instructions(r: Results): Section[] {
  if (r.instructions.length === 0) return [];
  return [{ heading: 'Instructions', text: 'What the optimized code of this Node executes in one inference at batch 1, counted by valgrind.', tables: [{
    title: 'Executed instructions', header: ['network', 'kind', 'build', 'instructions', 'multiply-adds per instruction'],
    rows: r.instructions.map((i) => [i.network, nameOf(i.kind), i.build, Math.round(i.count).toString(), format(i.macs / i.count)]),
  }] }];
}

/** The targets first. */
export function report(r: Results): Section[] {
  const targets: Section = { heading: targetsHeading, text: 'The worst network decides. "Not slower" allows the 2 % that interleaved medians do not tell apart.', tables: [targetsTable(r)] };
  return [targets, ...wholeNetworks(r), ...relaxedNetworks(r), ...widths(r), ...limits(r), ...batchesAndThreads(r), ...bytes(r), ...starts(r), ...bayesianSections(r.bayesian), ...instructions(r)];
}
