/** Uncertainty and its two parts as bars on one scale, in nats; the parts add up to the total. */
import type { Answer } from '../answer.js';
import { mostNats, type Measurement } from '../contents.js';
import { html, say } from './dom.js';

const kinds = [
  { name: 'aleatoric', says: 'the picture is ambiguous', value: (a: Answer) => a.aleatoric },
  { name: 'epistemic', says: 'it is unlike the training', value: (a: Answer) => a.epistemic },
  { name: 'total', says: 'both together', value: (a: Answer): number | undefined => a.total },
] as const;

export class Meters {
  readonly #rows: readonly { readonly fills: readonly HTMLElement[]; readonly mark: HTMLElement; readonly value: HTMLElement }[];

  constructor(list: HTMLElement) {
    this.#rows = kinds.map(({ name, says }) => {
      const fills = name === 'total' ? [html('i', { class: 'aleatoric' }), html('i', { class: 'epistemic' })] : [html('i', { class: name })];
      const mark = html('b', { hidden: '' });
      const value = html('span', { class: 'nats' });
      list.append(html('div', { class: name }, html('dt', {}, name, html('small', {}, says)), html('dd', {}, html('div', { class: 'track', 'aria-hidden': 'true' }, ...fills, mark), value)));
      return { fills, mark, value };
    });
    this.show(undefined);
  }

  show(answer: Answer | undefined, measurement?: Measurement): void {
    const part = (nats: number | undefined): string => `${(100 * (nats ?? 0)) / mostNats}%`;
    kinds.forEach(({ name, value }, i) => {
      const { fills, mark, value: text } = this.#rows[i];
      const nats = answer && value(answer);
      const parts = name !== 'total' ? [nats] : answer?.aleatoric === undefined ? [nats, 0] : [answer.aleatoric, answer.epistemic];
      if (name === 'total') fills[0].className = answer?.aleatoric === undefined ? 'all' : 'aleatoric';
      fills.forEach((fill, j) => { fill.style.width = part(parts[j]); });
      const threshold = name === 'total' ? undefined : measurement?.[name];
      mark.hidden = threshold === undefined;
      mark.style.left = part(threshold);
      say(text, !answer ? '' : nats === undefined ? 'unknown' : `${nats < 0.0005 ? '0' : nats.toFixed(nats < 0.095 ? 3 : 2)} nats`);
    });
  }
}
