/**
 * A profile's roofline as SVG: multiply-adds a second over multiply-adds a byte, on logarithmic axes, one dot a step, below
 * the roofs that the micro-kernels reached. Colours and sizes of text are the page's (reportStyle.ts).
 */
import { microseconds, percent, rate, size } from './format.js';
import { escape } from '../html.js';
import { movedBytes, rateOf } from './limits.js';
import type { Profile, StepProfile } from './profile.js';

/** Where a step lies. Without multiply-adds, two operations count as one: a multiplication and an addition. */
export interface Place {
  readonly step: StepProfile;
  /** From 1, in the order of the program. */
  readonly number: number;
  readonly x: number;
  readonly y: number;
}

/** Steps that have a place: those that compute something. */
export function places(p: Profile): Place[] {
  return p.steps.flatMap((step, i) => {
    const work = step.multiplyAdds > 0 ? step.multiplyAdds : step.operations / 2;
    const bytes = movedBytes(step);
    return work > 0 && bytes > 0 ? [{ step, number: i + 1, x: work / bytes, y: work / step.time.median / 1000 }] : [];
  });
}

const width = 720, height = 440;
const margin = { left: 52, right: 16, top: 28, bottom: 52 };

/** The drawing; undefined where no step computes anything. */
export function roofline(p: Profile): string | undefined {
  const dots = places(p);
  if (dots.length === 0) return undefined;
  const ways = p.steps.filter((s) => s.multiplyAdds > 0).map((s) => rateOf(s.products, p.limits.rates));
  const used = new Map(ways.map((w) => [`${w.instructions > 1 ? `${w.instructions} x ` : ''}${w.name}`, w.gigaMultiplyAdds]));
  if (used.size === 0) used.set(p.limits.rates[0].name, p.limits.rates[0].gigaMultiplyAdds);
  const roofs = [...used].map(([name, gigaMultiplyAdds]) => ({ name, gigaMultiplyAdds }));
  const slopes = distinct(p.limits.bandwidths);
  const top = Math.max(...roofs.map((r) => r.gigaMultiplyAdds));
  const steepest = Math.max(...slopes.map((b) => b.read));
  const x = axis([...dots.map((d) => d.x), top / steepest], margin.left, width - margin.right, 1.6);
  const y = axis([...dots.map((d) => d.y), ...roofs.map((r) => r.gigaMultiplyAdds)], height - margin.bottom, margin.top, 1.6);
  const clip = `x="${margin.left}" y="${margin.top}" width="${width - margin.left - margin.right}" height="${height - margin.top - margin.bottom}"`;

  const grid = [
    ...x.ticks.map((t) => `<line x1="${x.at(t)}" x2="${x.at(t)}" y1="${margin.top}" y2="${height - margin.bottom}"/>`),
    ...y.ticks.map((t) => `<line x1="${margin.left}" x2="${width - margin.right}" y1="${y.at(t)}" y2="${y.at(t)}"/>`),
  ];
  const labels = [
    ...x.ticks.map((t) => `<text x="${x.at(t)}" y="${height - margin.bottom + 18}" text-anchor="middle">${tick(t)}</text>`),
    ...y.ticks.map((t) => `<text x="${margin.left - 8}" y="${y.at(t)}" dy="0.35em" text-anchor="end">${tick(t)}</text>`),
    `<text x="${(margin.left + width - margin.right) / 2}" y="${height - 10}" text-anchor="middle">multiply-adds a byte</text>`,
    `<text x="2" y="16">GMAC/s</text>`,
  ];
  const lines: string[] = [];
  const roofNames: string[] = [];
  const slope = Math.atan2(y.at(1) - y.at(10), x.at(10) - x.at(1));
  slopes.forEach((b, i) => {
    const end = top / b.read;
    lines.push(`<line x1="${x.at(x.low)}" y1="${y.at(x.low * b.read)}" x2="${x.at(end)}" y2="${y.at(top)}" class="memory"/>`);
    // Along the line, where it enters the drawing.
    const start = Math.max(x.low, y.low / b.read);
    const below = i > 0;
    const along = below ? 40 : 10;
    const [tx, ty] = [x.at(start) + along * Math.cos(slope), y.at(start * b.read) - along * Math.sin(slope)];
    roofNames.push(`<text x="${tx}" y="${ty}" dy="${below ? 13 : -5}" transform="rotate(${-(slope * 180) / Math.PI} ${tx} ${ty})" class="memory">${rate(b.read)} GB/s (${size(b.bytes)})</text>`);
  });
  roofs.forEach((r) => {
    lines.push(`<line x1="${x.at(Math.max(x.low, r.gigaMultiplyAdds / steepest))}" x2="${width - margin.right}" y1="${y.at(r.gigaMultiplyAdds)}" y2="${y.at(r.gigaMultiplyAdds)}" class="compute"/>`);
    roofNames.push(`<text x="${width - margin.right - 4}" y="${y.at(r.gigaMultiplyAdds) - 5}" text-anchor="end" class="compute">${r.name} ${rate(r.gigaMultiplyAdds)} GMAC/s</text>`);
  });
  // Large dots first, so that small ones stay in reach.
  const marks = [...dots].sort((a, b) => b.step.share - a.step.share).map((d) => {
    const radius = 4 + 14 * Math.sqrt(d.step.share);
    const kind = `${d.step.limit.by === 'memory' ? 'memory' : 'compute'}${d.step.multiplyAdds > 0 ? '' : ' hollow'}`;
    const said = escape(describeStep(d.step, d.number));
    return `<g class="dot ${kind}" data-step="${d.number}" tabindex="0" role="img" aria-label="${said}"><circle cx="${x.at(d.x)}" cy="${y.at(d.y)}" r="${radius.toFixed(1)}"/><title>${said}</title></g>`;
  });
  // Numbers of the larger ones, where they do not meet.
  const numbered: Place[] = [];
  for (const d of [...dots].sort((a, b) => b.step.share - a.step.share)) {
    const apart = numbered.every((o) => Math.hypot(x.at(o.x) - x.at(d.x), y.at(o.y) - y.at(d.y)) > 15);
    if (d.step.share >= 0.04 && apart) numbered.push(d);
  }
  const numbers = numbered.map((d) => `<text x="${x.at(d.x)}" y="${y.at(d.y)}" dy="0.35em" text-anchor="middle">${d.number}</text>`);
  return [
    `<svg class="roofline" viewBox="0 0 ${width} ${height}" role="group" aria-label="Roofline: GMAC/s over multiply-adds a byte">`,
    `<clipPath id="area"><rect ${clip}/></clipPath>`,
    `<g class="grid">${grid.join('')}</g>`,
    `<g class="axis">${labels.join('')}</g>`,
    `<g class="roofs" clip-path="url(#area)">${lines.join('')}</g>`,
    `<g class="roofnames">${roofNames.join('')}</g>`,
    `<g>${marks.join('\n')}</g>`,
    `<g class="numbers" aria-hidden="true">${numbers.join('')}</g>`,
    '</svg>',
  ].join('\n');
}

/** One step in a sentence. */
export function describeStep(s: StepProfile, number: number): string {
  const rates = s.multiplyAdds > 0 ? `${rate(s.gigaMultiplyAdds)} GMAC/s, ` : '';
  return `${number} ${s.name}: ${microseconds(s.time.median)} µs, ${percent(s.share, 1)} of the steps, ${rates}${percent(s.limit.fraction)} of the limit by ${s.limit.by}`;
}

/** The fastest bandwidth and those that are slower by a fifth or more than the one before. */
function distinct(bandwidths: Profile['limits']['bandwidths']): { bytes: number; read: number }[] {
  const found: { bytes: number; read: number }[] = [];
  for (const b of bandwidths) if (found.length === 0 || b.read < 0.8 * found[found.length - 1].read) found.push(b);
  return found;
}

interface Axis {
  readonly low: number;
  readonly ticks: readonly number[];
  at(value: number): number;
}

/** An axis shows at least so much, so that near things look near. */
const leastDecades = 1.3;

/** A logarithmic axis from pixel `from` to `to` around values; ticks at powers of ten, between them too where few fit. */
function axis(values: readonly number[], from: number, to: number, room: number): Axis {
  let low = Math.min(...values) / room;
  let high = Math.max(...values) * room;
  const missing = leastDecades - Math.log10(high / low);
  if (missing > 0) [low, high] = [low / 10 ** (missing / 2), high * 10 ** (missing / 2)];
  const decades = Math.log10(high / low);
  const steps = decades > 3 ? [1] : decades > 1.5 ? [1, 3] : [1, 2, 5];
  const ticks: number[] = [];
  for (let e = Math.floor(Math.log10(low)); e <= Math.ceil(Math.log10(high)); e++) for (const s of steps) if (s * 10 ** e >= low && s * 10 ** e <= high) ticks.push(s * 10 ** e);
  return { low, ticks, at: (v) => Number((from + (Math.log10(v / low) / decades) * (to - from)).toFixed(1)) };
}

const tick = (n: number): string => String(Number(n.toPrecision(1)));
