/** Pictures to pick, a row for each set. Tab reaches a row, arrow keys the pictures in it. */
import { decodeBytes, type DemoSet } from '../contents.js';
import { html, paint } from './dom.js';
import { side } from '../preprocess.js';

/** Fills `place`; `picked` gets the pixels and the name of the picture. */
export function showSamples(place: HTMLElement, sets: readonly DemoSet[], picked: (pixels: Uint8Array, text: string) => void): void {
  for (const { name, title, samples } of sets) {
    const buttons = samples.map(({ text, pixels }, i) => {
      const bytes = decodeBytes(pixels);
      const canvas = html('canvas', { width: side, height: side, 'aria-hidden': 'true' });
      paint(canvas, bytes);
      const button = html('button', { type: 'button', 'aria-label': text, title: text, tabindex: i === 0 ? 0 : -1 }, canvas);
      button.addEventListener('click', () => picked(bytes, text));
      return button;
    });
    const row = html('div', { class: 'row', role: 'toolbar', 'aria-label': title }, ...buttons);
    row.addEventListener('keydown', (event) => {
      const at = buttons.indexOf(document.activeElement as HTMLButtonElement);
      const to = { ArrowRight: at + 1, ArrowDown: at + 1, ArrowLeft: at - 1, ArrowUp: at - 1, Home: 0, End: buttons.length - 1 }[event.key];
      if (at < 0 || to === undefined) return;
      event.preventDefault();
      const next = buttons[(to + buttons.length) % buttons.length];
      for (const button of buttons) button.tabIndex = button === next ? 0 : -1;
      next.focus();
    });
    place.append(html('div', { class: `set ${name}` }, html('h3', {}, title), row));
  }
}
