/**
 * A profile as one HTML page that needs nothing else: bars of the steps' times, the roofline, a table of everything, and
 * the facts of model, machine and date. Light and dark. Not here: measuring (profile.ts).
 */
import { extents, kilobytes, microseconds, percent, rate, size, whole } from './format.js';
import { escape, page } from '../html.js';
import type { TensorUse } from './facts.js';
import type { Profile, StepProfile } from './profile.js';
import { places, roofline } from './roofline.js';
import { script, style } from './reportStyle.js';

/** Bars of steps below this share are hidden until asked for. */
const smallShare = 0.005;

/** The page of a profile, as text. */
export function profileReport(p: Profile): string {
  const title = `${p.name}: where the time goes`;
  return page({
    title,
    style,
    header: [
      `<p class="muted">${escape(headline(p))}</p>`,
      tiles(p),
    ],
    main: [
      barsSection(p),
      rooflineSection(p),
      tableSection(p),
      factsSection(p),
    ],
    script,
  });
}

function headline(p: Profile): string {
  return [`target ${p.target}`, `batch ${p.batch}`, p.machine.processor, p.machine.engine, p.date.slice(0, 10)].filter((t) => t !== undefined).join(' · ');
}

function tiles(p: Profile): string {
  const { run, totals } = p;
  const tile = (what: string, value: string, more: string): string => `<div><dt>${what}</dt><dd>${value}<small>${more}</small></dd></div>`;
  return [
    '<dl class="tiles">',
    tile('whole network', `${microseconds(run.median)} µs`, `a call${p.batch > 1 ? `, ${microseconds(run.median / p.batch)} µs an inference` : ''}; quartiles ${microseconds(run.low)} to ${microseconds(run.high)}`),
    tile(p.steps.length === 1 ? '1 step' : `${p.steps.length} steps`, `${microseconds(totals.microseconds)} µs`, 'added up, each apart with warm operands'),
    tile('of the limit', percent(totals.limitMicroseconds / run.median), `at the limit ${microseconds(totals.limitMicroseconds)} µs`),
    totals.multiplyAdds > 0 ? tile('rate', `${rate(totals.multiplyAdds / run.median / 1000)} GMAC/s`, `${whole(totals.multiplyAdds)} multiply-adds a call`) : '',
    '</dl>',
  ].join('\n');
}

const kindOf = (s: StepProfile): string => (s.limit.by === 'memory' ? 'memory' : 'compute');

/** The operators of a step, or what it does where it computes none. */
const work = (s: StepProfile): string => (s.nodes.length === 0 ? s.op : s.nodes.map((n) => n.op).join(' + '));

function barsSection(p: Profile): string {
  const byTime = p.steps.map((step, i) => ({ step, number: i + 1 })).sort((a, b) => b.step.time.median - a.step.time.median);
  const largest = byTime[0]?.step.time.median ?? 1;
  const small = p.steps.filter((s) => s.share < smallShare).length;
  const rows = byTime.map(({ step: s, number }, rank) =>
    [
      `<li class="${kindOf(s)}${s.share < smallShare ? ' small' : ''}" data-time="${rank}" data-program="${number}" data-step="${number}">`,
      `<span class="number">${number}</span><span class="name" title="${escape(`${s.name}: ${work(s)}`)}">${escape(s.name)} <span class="muted">${escape(work(s))}</span></span>`,
      `<span class="bar" style="width:${((s.time.median / largest) * 100).toFixed(2)}%"><i style="width:${Math.min(100, s.limit.fraction * 100).toFixed(1)}%"></i></span>`,
      `<span class="value">${microseconds(s.time.median)} µs <span>${percent(s.share, 1)}</span></span></li>`,
    ].join(''),
  );
  return [
    '<section aria-labelledby="steps">',
    '<h2 id="steps">Steps</h2>',
    `<p class="muted"><span class="key compute"></span> limited by multiply-adds, <span class="key memory"></span> by memory; filled as far as the limit explains the time, <span class="key rest"></span> the rest.</p>`,
    '<fieldset><legend>Order of the bars</legend>',
    '<label><input type="radio" name="order" value="time" checked> slowest first</label>',
    '<label><input type="radio" name="order" value="program"> in program order</label>',
    small > 0 ? `<label><input type="checkbox" id="small"${small === p.steps.length ? ' checked' : ''}> also the ${small} below ${percent(smallShare, 1)}</label>` : '',
    '</fieldset>',
    '<ol class="bars">',
    ...rows,
    '</ol>',
    '</section>',
  ].join('\n');
}

function rooflineSection(p: Profile): string {
  const drawing = roofline(p);
  if (!drawing) return '';
  const absent = p.steps.length - places(p).length;
  return [
    '<section aria-labelledby="roofline">',
    '<h2 id="roofline">Roofline</h2>',
    '<p class="muted">A dot a step, its area the share of time; under the roofs that hand-made micro-kernels reached in the same rounds: multiply-adds a second, and bytes read a second for working sets of the size said. Hollow: no multiply-adds, two operations count as one.',
    absent > 0 ? ` ${absent === 1 ? 'A step that only moves data has' : `${absent} steps that only move data have`} no dot.</p>` : '</p>',
    drawing,
    '<p class="details" aria-live="polite">Point at a dot or a bar, or reach a dot with the tab key, to read of it here.</p>',
    '</section>',
  ].join('\n');
}

function tableSection(p: Profile): string {
  const head = ['#', 'step', 'operators', 'points', 'summed over', 'µs', 'quartiles', 'share', 'multiply-adds', 'operations', 'GMAC/s', 'GB/s', 'MAC a byte', 'limit µs', 'of the limit', 'limited by', 'weights KB', 'read KB', 'written KB', 'code bytes'];
  const left = new Set(['step', 'operators', 'limited by']);
  const row = (s: StepProfile, i: number): string => {
    const cells: [string, string][] = [
      ['operators', escape(work(s))],
      ['points', extents(s.space)],
      ['summed over', s.reduce.length === 0 ? '' : extents(s.reduce)],
      ['µs', microseconds(s.time.median)],
      ['quartiles', `${microseconds(s.time.low)} – ${microseconds(s.time.high)}`],
      ['share', percent(s.share, 1)],
      ['multiply-adds', s.multiplyAdds > 0 ? whole(s.multiplyAdds) : ''],
      ['operations', s.operations > 0 ? whole(s.operations) : ''],
      ['GMAC/s', s.multiplyAdds > 0 ? rate(s.gigaMultiplyAdds) : ''],
      ['GB/s', rate(s.gigabytes)],
      ['MAC a byte', s.multiplyAdds > 0 ? rate(s.intensity) : ''],
      ['limit µs', microseconds(s.limit.microseconds)],
      ['of the limit', percent(s.limit.fraction)],
      ['limited by', s.limit.by],
      ['weights KB', s.bytes.weights > 0 ? kilobytes(s.bytes.weights) : ''],
      ['read KB', kilobytes(s.bytes.read)],
      ['written KB', kilobytes(s.bytes.written)],
      ['code bytes', whole(s.codeBytes)],
    ];
    const title = escape([...s.weights, ...s.reads].map(use('reads')).concat(s.writes.map(use('writes'))).join('\n'));
    return `<tr data-step="${i + 1}"><td>${i + 1}</td><th scope="row" class="left" title="${title}">${escape(s.name)}</th>${cells.map(([name, text]) => `<td${left.has(name) ? ' class="left"' : ''}>${text}</td>`).join('')}</tr>`;
  };
  const { totals } = p;
  const foot = ['', microseconds(totals.microseconds), '', '100.0 %', whole(totals.multiplyAdds), whole(totals.operations), totals.multiplyAdds > 0 ? rate(totals.multiplyAdds / totals.microseconds / 1000) : '', '', '', microseconds(totals.limitMicroseconds), percent(totals.limitMicroseconds / totals.microseconds)];
  return [
    '<section aria-labelledby="table">',
    '<h2 id="table">All figures</h2>',
    `<p class="muted">Of one call. KB: 1024 bytes, each element counted once. ${whole(p.rounds)} rounds.</p>`,
    '<div class="scroll" tabindex="0" role="region" aria-labelledby="table"><table>',
    `<thead><tr>${head.map((h) => `<th scope="col"${left.has(h) ? ' class="left"' : ''}>${h}</th>`).join('')}</tr></thead>`,
    `<tbody>${p.steps.map(row).join('\n')}</tbody>`,
    `<tfoot><tr><td></td><th scope="row" class="left">all steps</th><td></td><td></td>${foot.map((t) => `<td>${t}</td>`).join('')}<td colspan="4"></td><td>${whole(totals.codeBytes)}</td></tr></tfoot>`,
    '</table></div>',
    '</section>',
  ].join('\n');
}

const use = (how: string) => (t: TensorUse): string => `${how} ${t.name}: ${t.dtype} ${extents(t.shape)}, ${whole(t.bytes)} bytes`;

function factsSection(p: Profile): string {
  const rows: [string, string | undefined][] = [
    ['model', p.name],
    ['target, batch', `${p.target}, ${p.batch}`],
    ['processor', p.machine.processor],
    ['system', p.machine.system],
    ['engine', p.machine.engine],
    ['clock', p.machine.clock],
    ['measured', `${p.date}, ${p.rounds} rounds in ${p.seconds} s`],
    ['peaks', `${p.limits.rates.map((r) => `${r.name} ${rate(r.gigaMultiplyAdds)}`).join(', ')} GMAC/s`],
    ['reading', p.limits.bandwidths.map((b) => `${rate(b.read)} GB/s (${size(b.bytes)})`).join(', ')],
    ['writing', p.limits.bandwidths.map((b) => `${rate(b.written)} GB/s (${size(b.bytes)})`).join(', ')],
    ['memory', `constants ${kilobytes(p.totals.constantBytes)} KB, at run time ${kilobytes(p.totals.arenaBytes)} KB`],
    ['compiler', p.compiler],
    ['model SHA-256', p.sourceHash],
    ['program SHA-256', p.programHash],
  ];
  return [
    '<section aria-labelledby="facts">',
    '<h2 id="facts">Where these figures come from</h2>',
    '<table class="facts"><tbody>',
    ...rows.filter(([, text]) => text !== undefined).map(([name, text]) => `<tr><th scope="row">${name}</th><td>${escape(text!)}</td></tr>`),
    '</tbody></table>',
    '</section>',
  ].join('\n');
}
