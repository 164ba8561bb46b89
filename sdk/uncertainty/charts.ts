/**
 * The drawings of a study as SVG text: histograms, reliability diagrams, the scatter of aleatoric against epistemic, risk over
 * coverage. Colours, widths of lines and sizes of text are the page's (reportStyle.ts), by class. Numbers stand in tables beside.
 */
import type { Deferral, ReliabilityBin, Study, StudyHistogram } from '../metrics/index.js';
import { escape } from '../html.js';

interface Axis {
  readonly ticks: readonly number[];
  readonly label: string;
  /** Texts of the ticks. */
  say(value: number): string;
  at(value: number): number;
}

interface Frame {
  readonly width: number;
  readonly height: number;
  readonly left: number;
  readonly right: number;
  readonly top: number;
  readonly bottom: number;
}

const small: Frame = { width: 400, height: 270, left: 50, right: 382, top: 12, bottom: 222 };
const large: Frame = { width: 640, height: 460, left: 54, right: 612, top: 14, bottom: 408 };
const square: Frame = { width: 400, height: 388, left: 50, right: 374, top: 18, bottom: 340 };

const place = (x: number): number => Number(x.toFixed(1));

/** A linear axis from pixel `from` to `to`, with about so many ticks. */
function linear(low: number, high: number, from: number, to: number, label: string, wanted = 5): Axis {
  const rough = (high - low) / wanted;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].map((m) => m * power).find((s) => s >= rough * 0.99)!;
  const ticks: number[] = [];
  for (let k = Math.ceil(low / step - 1e-9); k * step <= high + step * 1e-9; k++) ticks.push(k * step);
  const places = Math.max(0, -Math.floor(Math.log10(step) + 1e-9));
  return { ticks, label, say: (v) => (high >= 2e6 ? `${Number((v / 1e6).toPrecision(3))} M` : high >= 2e4 ? `${Number((v / 1e3).toPrecision(3))} k` : v.toFixed(places)), at: (v) => place(from + ((v - low) / (high - low)) * (to - from)) };
}

/** Shares on a logarithmic axis; what is less than `low` lies at its foot. */
function shares(low: number, from: number, to: number, label: string): Axis {
  const ticks: number[] = [];
  for (let t = 1; t >= low * 0.999; t /= 10) ticks.unshift(t);
  const bottom = Math.log10(low);
  return { ticks, label, say: (v) => `${Number((100 * v).toPrecision(1))} %`, at: (v) => place(from + (Math.max(0, Math.log10(Math.max(v, 1e-12)) - bottom) / -bottom) * (to - from)) };
}

const asPercent = (axis: Axis): Axis => ({ ...axis, say: (v) => `${Number((100 * v).toFixed(2))} %` });

/** Grid, axes and their names around a drawing. */
function drawing(f: Frame, x: Axis, y: Axis, description: string, content: string, className: string): string {
  return [
    `<svg class="chart ${className}" viewBox="0 0 ${f.width} ${f.height}" role="img" aria-label="${escape(description)}">`,
    `<g class="grid">${[...x.ticks.map((t) => `<path d="M${x.at(t)} ${f.top}V${f.bottom}"/>`), ...y.ticks.map((t) => `<path d="M${f.left} ${y.at(t)}H${f.right}"/>`)].join('')}</g>`,
    content,
    '<g class="axis">',
    ...x.ticks.map((t) => `<text x="${x.at(t)}" y="${f.bottom + 17}" text-anchor="middle">${x.say(t)}</text>`),
    ...y.ticks.map((t) => `<text x="${f.left - 6}" y="${y.at(t)}" dy="0.35em" text-anchor="end">${y.say(t)}</text>`),
    `<text class="name" x="${(f.left + f.right) / 2}" y="${f.height - 8}" text-anchor="middle">${escape(x.label)}</text>`,
    `<text class="name" transform="translate(11 ${(f.top + f.bottom) / 2}) rotate(-90)" text-anchor="middle">${escape(y.label)}</text>`,
    '</g>',
    '</svg>',
  ].join('\n');
}

/** Shares of each set in bins, as steps, on a logarithmic scale that shows rare inputs too. */
export function histogramChart({ edges, sets }: StudyHistogram, label: string, description: string): string {
  const totals = sets.map((s) => s.counts.reduce((a, b) => a + b, 0));
  const least = Math.min(...totals.map((t) => 1 / t));
  const x = linear(0, edges[edges.length - 1], small.left, small.right, label);
  const y = shares(10 ** Math.floor(Math.log10(least) + 1e-9), small.bottom, small.top, 'share of inputs');
  const paths = sets.map(({ counts }, i) => {
    const steps = counts.map((c, b) => `${c === 0 ? `V${small.bottom}` : `V${y.at(c / totals[i])}`}H${x.at(edges[b + 1])}`).join('');
    return `<path class="area set${i}" d="M${small.left} ${small.bottom}${steps}V${small.bottom}"/>`;
  });
  return drawing(small, x, y, description, paths.join(''), 'histogram');
}

/** Accuracy over confidence: bars from the diagonal to what is true, dots where the bin's inputs are, as large as there are many. */
export function reliabilityChart(bins: readonly ReliabilityBin[], set: number, description: string): string {
  const x = linear(0, 1, square.left, square.right, 'confidence');
  const y = linear(0, 1, square.bottom, square.top, 'part that is right');
  const filled = bins.filter((b) => b.count > 0);
  const total = filled.reduce((sum, b) => sum + b.count, 0);
  const bars = filled.map((b) => `<path class="gap set${set}" d="M${x.at(b.confidence)} ${y.at(b.confidence)}V${y.at(b.accuracy)}"/>`);
  const line = `<path class="line set${set}" d="M${filled.map((b) => `${x.at(b.confidence)} ${y.at(b.accuracy)}`).join('L')}"/>`;
  const dots = filled.map((b) => `<circle class="dot set${set}" cx="${x.at(b.confidence)}" cy="${y.at(b.accuracy)}" r="${(3 + 11 * Math.sqrt(b.count / total)).toFixed(1)}"><title>${b.count} inputs: ${(100 * b.confidence).toFixed(1)} % sure, ${(100 * b.accuracy).toFixed(1)} % right</title></circle>`);
  return drawing(square, x, y, description, `<path class="diagonal" d="M${x.at(0)} ${y.at(0)}L${x.at(1)} ${y.at(1)}"/>${bars.join('')}${line}${dots.join('')}`, 'reliability');
}

/** One dot an input, the first set on top, and a large one for the mean of a set. */
export function scatterChart({ scatter, sets, classes }: Study, description: string): string {
  const all = scatter.flatMap((s) => s.points);
  const reach = (pick: 0 | 1): number => Math.min(Math.log(classes), 1.05 * all.reduce((most, p) => Math.max(most, p[pick]), 0.05));
  const x = linear(0, reach(0), large.left, large.right, 'aleatoric: softmax entropy, nats', 6);
  const y = linear(0, reach(1), large.bottom, large.top, 'epistemic: mutual information, nats', 6);
  // A round cap on a line of no length is a dot in seven bytes.
  const dots = scatter.map(({ points }, i) => `<path class="dots set${i}" d="${points.map(([a, e]) => `M${x.at(a)} ${y.at(e)}h0`).join('')}"/>`).reverse();
  const means = sets.map((s, i) => `<circle class="dot mean set${i}" cx="${x.at(s.means.softmaxEntropy!)}" cy="${y.at(s.means.mutualInformation!)}" r="7"><title>mean of ${escape(s.name)}</title></circle>`).reverse();
  return drawing(large, x, y, description, dots.join('') + means.join(''), 'scatter');
}

/** One line a score, the suggestion as a ring. */
export function riskChart(curves: Study['riskCoverage'], deferral: Deferral | undefined, description: string): string {
  const most = Math.max(...curves.flatMap((c) => c.curve.map((p) => (p.coverage > 0.02 ? p.risk : 0))), 1e-3);
  const x = asPercent(linear(0, 1, large.left, large.right, 'answered, from the most certain on'));
  const y = asPercent(linear(0, 1.05 * most, large.bottom, large.top, 'wrong among what is answered'));
  const lines = curves.map(({ curve }, i) => `<path class="line score${i}" d="M${curve.map((p) => `${x.at(p.coverage)} ${y.at(Math.min(p.risk, 1.05 * most))}`).join('L')}"/>`);
  const own = deferral?.sets[0];
  const ring = own?.risk === undefined ? '' : `<circle class="ring" cx="${x.at(own.coverage)}" cy="${y.at(own.risk)}" r="7"/>`;
  return drawing(large, x, y, description, lines.join('') + ring, 'risk');
}
