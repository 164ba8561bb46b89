/** A profile as text of at most 100 columns. Not here: measuring it (sdk/profile), and the page (sdk/profile/report.ts). */
import { movedBytes } from '../profile/limits.js';
import type { Profile, StepProfile } from '../profile/profile.js';
import { kilobytes, microseconds as time, percent, rate, size } from '../profile/format.js';
import { count, plural, table } from './text.js';

/** Steps below this share go into one row, unless all are wanted. */
const smallShare = 0.005;
const barWidth = 10;

/** The profile for a terminal: the network, its steps with a bar each, totals, the limits. */
export function profileText(p: Profile, options: { readonly all: boolean; readonly order: 'time' | 'program' }): string {
  const { totals, run } = p;
  const numbered = p.steps.map((step, i) => ({ step, number: i + 1 }));
  const small = options.all ? [] : numbered.filter(({ step }) => step.share < smallShare);
  const shown = small.length < 2 ? numbered : numbered.filter((n) => !small.includes(n));
  if (options.order === 'time') shown.sort((a, b) => b.step.time.median - a.step.time.median);
  const rest = numbered.filter((n) => !shown.includes(n)).map((n) => n.step);
  const largest = Math.max(...p.steps.map((s) => s.share));

  const sum = (steps: readonly StepProfile[], of: (s: StepProfile) => number): number => steps.reduce((n, s) => n + of(s), 0);
  const whole = (name: string, steps: readonly StepProfile[]): string[] => {
    const microseconds = sum(steps, (s) => s.time.median);
    const multiplyAdds = sum(steps, (s) => s.multiplyAdds);
    return ['', name, '', time(microseconds), '', percent(microseconds / totals.microseconds, 1), '', multiplyAdds > 0 ? rate(multiplyAdds / microseconds / 1000) : '', `${percent(sum(steps, (s) => s.limit.microseconds) / microseconds)}  `, kilobytes(sum(steps, movedBytes))];
  };
  const rows = [
    ['#', 'step', 'operators', 'us', '+-', 'share', '', 'GMAC/s', 'limit  ', 'KB'],
    ...shown.map(({ step: s, number }) => [
      String(number),
      shorten(s.name, 18),
      operators(s, 15),
      time(s.time.median),
      percent((s.time.high - s.time.low) / 2 / s.time.median),
      percent(s.share, 1),
      bar(s, largest),
      s.multiplyAdds > 0 ? rate(s.gigaMultiplyAdds) : '',
      `${percent(s.limit.fraction)}${s.limit.by === 'memory' ? ' m' : '  '}`,
      kilobytes(movedBytes(s)),
    ]),
    ...(rest.length > 0 ? [whole(`${rest.length} smaller steps`, rest)] : []),
    whole('all steps', p.steps),
  ];
  const inference = p.batch > 1 ? `, ${time(run.median / p.batch)} us an inference` : '';
  return [
    `${shorten(p.name, 30)}, batch ${p.batch}, target ${p.target}: ${plural(p.steps.length, 'step')}, code ${kilobytes(totals.codeBytes)} KB, constants ${kilobytes(totals.constantBytes)} KB`,
    shorten([p.machine.processor, p.machine.engine].filter((t) => t !== undefined).join(', '), 100),
    '',
    `whole network   ${time(run.median)} us a call (quartiles ${time(run.low)} to ${time(run.high)})${inference}`,
    `all steps       ${time(totals.microseconds)} us, each apart with warm operands`,
    `at the limit    ${time(totals.limitMicroseconds)} us, which is ${percent(totals.limitMicroseconds / run.median)} of the whole network's time`,
    ...(totals.multiplyAdds > 0 ? [`multiply-adds   ${count(totals.multiplyAdds)} a call, ${rate(totals.multiplyAdds / run.median / 1000)} GMAC/s`] : []),
    '',
    table(rows, [0, 3, 4, 5, 7, 8, 9]),
    '',
    '█ time that the limit explains, ░ time beyond it; limit m: memory; KB: weights and activations',
    `us: median of ${p.rounds} rounds, +- half the distance of the quartiles`,
    `measured peaks  ${p.limits.rates.map((r) => `${r.name} ${rate(r.gigaMultiplyAdds)}`).join(', ')} GMAC/s`,
    ...(['read', 'written'] as const).map((way) => `${way === 'read' ? 'reading ' : 'writing '}        ${p.limits.bandwidths.map((b) => `${rate(b[way])} GB/s (${size(b.bytes)})`).join(', ')}`),
    ...(options.all || rest.length === 0 ? [] : [`--all lists the ${plural(rest.length, 'smaller step')} too`]),
  ].join('\n');
}

/** Filled as far as the limit explains the step's time. */
function bar(s: StepProfile, largest: number): string {
  const length = Math.round((s.share / largest) * barWidth);
  const filled = Math.min(length, Math.round(length * s.limit.fraction));
  return '█'.repeat(filled) + '░'.repeat(length - filled);
}

/** `Conv+Relu`, with the rest counted where it gets too long; what moves data only has its kind. */
function operators(s: StepProfile, most: number): string {
  const names = s.nodes.map((n) => n.op);
  if (names.length === 0) return shorten(s.op, most);
  for (let shown = names.length; shown > 0; shown--) {
    const text = names.slice(0, shown).join('+') + (shown < names.length ? `+${names.length - shown}` : '');
    if (text.length <= most) return text;
  }
  return shorten(names[0], most);
}

/** Cut in the middle: both ends of a name tell it apart. */
function shorten(text: string, most: number): string {
  if (text.length <= most) return text;
  const start = Math.floor((most - 1) / 2);
  return `${text.slice(0, start)}…${text.slice(text.length - (most - 1 - start))}`;
}
