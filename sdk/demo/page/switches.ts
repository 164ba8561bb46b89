/** The switches: which module answers. Each has the positions that modules stand for, and is not shown where there is one only. */
import type { Method } from '../answer.js';
import type { DemoModule } from '../contents.js';
import { html } from './dom.js';

const methods: readonly { readonly method: Method; readonly title: string; readonly says: string }[] = [
  { method: 'moments', title: 'PFP', says: 'The probabilistic forward pass: means and variances of all layers, in one pass.' },
  { method: 'sample', title: 'Sampled', says: 'Draws all weights anew, again and again, and runs the network with each draw.' },
  { method: 'mean', title: 'Deterministic', says: 'The means of the weights alone, as an ordinary network has them.' },
];

export interface Choice {
  readonly module: DemoModule;
  readonly samples: number;
}

export class Switches {
  #method: Method;
  #bits: number;
  #samples: number;

  constructor(readonly form: HTMLElement, readonly modules: readonly DemoModule[], readonly changed: () => void) {
    [{ method: this.#method, bits: this.#bits }] = modules;
    const counts = modules.flatMap((m) => m.measurements.map((r) => r.samples)).filter((n) => n > 0);
    this.#samples = counts.includes(30) ? 30 : (counts[0] ?? 0);
    this.#show();
  }

  get choice(): Choice {
    const module = this.modules.find((m) => m.method === this.#method && m.bits === this.#bits)!;
    return { module, samples: this.#method === 'sample' ? this.#samples : 0 };
  }

  #show(): void {
    const focused = document.activeElement?.id;
    const present = methods.filter(({ method }) => this.modules.some((m) => m.method === method));
    const bits = [...new Set(this.modules.filter((m) => m.method === this.#method).map((m) => m.bits))].sort((a, b) => b - a);
    const samples = this.#method === 'sample' ? this.choice.module.measurements.map((m) => m.samples) : [];
    this.form.replaceChildren(
      ...this.#group('method', 'Method', present.map(({ method, title }) => [method, title]), this.#method, (value) => {
        this.#method = value as Method;
        if (!this.modules.some((m) => m.method === this.#method && m.bits === this.#bits)) this.#bits = this.modules.find((m) => m.method === this.#method)!.bits;
      }),
      ...this.#group('samples', 'Samples', samples.map((n) => [String(n), String(n)]), String(this.#samples), (value) => { this.#samples = Number(value); }),
      ...this.#group('bits', 'Bits a weight', bits.map((b) => [String(b), b === 32 ? 'float' : String(b)]), String(this.#bits), (value) => { this.#bits = Number(value); }),
      html('p', { class: 'help' }, methods.find(({ method }) => method === this.#method)!.says),
    );
    if (focused) document.getElementById(focused)?.focus();
  }

  #group(name: string, title: string, positions: readonly (readonly [value: string, text: string])[], chosen: string, choose: (value: string) => void): HTMLElement[] {
    if (positions.length < 2) return [];
    const options = positions.map(([value, text]) => {
      const id = `${name}-${value}`;
      const input = html('input', { type: 'radio', name, value, id, ...(value === chosen ? { checked: '' } : {}) });
      input.addEventListener('change', () => {
        choose(value);
        this.#show();
        this.changed();
      });
      return html('span', {}, input, html('label', { for: id }, text));
    });
    return [html('fieldset', {}, html('legend', {}, title), html('div', { class: 'positions' }, ...options))];
  }
}
