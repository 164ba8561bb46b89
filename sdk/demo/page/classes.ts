/** The table of classes: each with its probability, the range of it over draws, and the normal distribution of its logit. */
import type { Answer } from '../answer.js';
import { percent } from '../verdict.js';
import { html, say, svg } from './dom.js';

interface Row {
  readonly row: HTMLElement;
  readonly fill: HTMLElement;
  readonly range: HTMLElement;
  readonly value: HTMLElement;
  readonly bell: SVGPathElement;
  readonly zero: SVGLineElement;
  readonly logit: HTMLElement;
}

/** Width of a logit's drawing, in its own units, and its height. */
const [wide, high] = [200, 26];
/** Logits shown at least, left and right of 0. */
const least = 15;

/** A bell from four deviations left of its mean to four right, one deviation a unit, its top at -1. */
const bellPath = `M-4 0${Array.from({ length: 65 }, (_, i) => (i - 32) / 8).map((z) => `L${z} ${(-Math.exp((-z * z) / 2)).toFixed(4)}`).join('')}L4 0Z`;

export class ClassTable {
  readonly #rows: readonly Row[];
  readonly #head: HTMLElement;
  readonly #ends: readonly HTMLElement[];
  #answer?: Answer;

  constructor(table: HTMLElement, classes: number) {
    this.#ends = [html('span', { 'aria-hidden': 'true' }), html('span', {}, 'logit'), html('span', { 'aria-hidden': 'true' })];
    this.#head = html('th', { scope: 'col' }, html('div', { class: 'ends' }, ...this.#ends));
    table.append(html('colgroup', {}, ...['digit', 'track', 'value', 'logit'].map((name) => html('col', { class: name }))), html('thead', {}, html('tr', {}, html('th', { scope: 'col' }, html('span', { class: 'unseen' }, 'digit')), html('th', { scope: 'col', colspan: 2 }, 'probability'), this.#head)));
    const body = html('tbody');
    this.#rows = Array.from({ length: classes }, (_, c) => {
      const [fill, range, value, logit] = [html('i', { class: 'fill' }), html('i', { class: 'range' }), html('span'), html('span', { class: 'unseen' })];
      const bell = svg('path', { d: bellPath, class: 'bell' });
      const zero = svg('line', { class: 'zero', y1: 0, y2: high });
      const row = html('tr', {},
        html('th', { scope: 'row' }, String(c)),
        html('td', { class: 'track' }, html('div', {}, fill, range)),
        html('td', { class: 'value' }, value),
        html('td', { class: 'logit' }, svg('svg', { viewBox: `0 0 ${wide} ${high}`, preserveAspectRatio: 'none', 'aria-hidden': 'true' }, svg('line', { class: 'base', x1: 0, x2: wide, y1: high - 0.5, y2: high - 0.5 }), zero, bell), logit),
      );
      body.append(row);
      return { row, fill, range, value, bell, zero, logit };
    });
    table.append(body);
    this.show(undefined);
  }

  /** Shows an answer; without one the table is empty. What only screen readers read waits for `describe`. */
  show(answer: Answer | undefined, named: readonly number[] = []): void {
    this.#answer = answer;
    const reach = reachOf(answer);
    const x = (logit: number): number => (wide * (logit + reach)) / (2 * reach);
    say(this.#ends[0], `−${reach}`);
    say(this.#ends[2], `+${reach}`);
    this.#rows.forEach(({ row, fill, range, value, bell, zero, logit }, c) => {
      const probability = answer?.probabilities[c] ?? 0;
      row.classList.toggle('named', named.includes(c));
      fill.style.width = part(probability);
      const [low, high90] = [answer?.low?.[c], answer?.high?.[c]];
      range.hidden = low === undefined || high90 === undefined || high90 - low < 0.005;
      if (!range.hidden) {
        range.style.left = part(low!);
        range.style.width = part(high90! - low!);
      }
      say(value, answer ? shortPercent(probability) : '');
      zero.setAttribute('x1', String(x(0)));
      zero.setAttribute('x2', String(x(0)));
      bell.style.display = answer ? '' : 'none';
      if (!answer) return say(logit, '');
      const deviation = answer.deviations?.[c] ?? 0;
      const scale = Math.max((wide * deviation) / (2 * reach), 0.35);
      bell.setAttribute('transform', `translate(${x(answer.logits[c])} ${high - 0.5}) scale(${scale} ${high - 2})`);
    });
  }

  /** Puts the logits and ranges of what is shown into words: texts that take a frame longer to lay out than all that is seen. */
  describe(): void {
    const answer = this.#answer;
    if (!answer) return;
    this.#rows.forEach(({ logit }, c) => {
      const [low, high90, deviation] = [answer.low?.[c], answer.high?.[c], answer.deviations?.[c]];
      say(logit, `${answer.logits[c].toFixed(1)}${deviation === undefined ? '' : `, give or take ${deviation.toFixed(1)}`}${low === undefined ? '' : `; probability from ${percent(low)} to ${percent(high90!)} in 90 % of draws`}`);
    });
  }
}

/** Percents of a width, to what can be seen: those that stay the same are not laid out again. */
const part = (of: number): string => `${(100 * of).toFixed(1)}%`;

function shortPercent(probability: number): string {
  return probability < 0.001 ? '0' : percent(probability).replace('over', '>');
}

/** How far logits are shown: in steps, so that the scale does not tremble. */
function reachOf(answer: Answer | undefined): number {
  const far = answer ? Math.max(...answer.logits.map((l, c) => Math.abs(l) + 2 * (answer.deviations?.[c] ?? 0))) : 0;
  return Math.max(least, 15 * Math.ceil(far / 15));
}
