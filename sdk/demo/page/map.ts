/**
 * The map of aleatoric against epistemic uncertainty: the test sets as clouds, the thresholds as lines, and the picture at hand as a
 * point with the way that it came. Both axes are scaled by square roots, for most digits are nearly certain.
 */
import type { Answer } from '../answer.js';
import { decodeBytes, mostNats, unpackNats, type DemoSet, type Measurement, type SetName } from '../contents.js';
import { html, svg } from './dom.js';

const [width, height] = [420, 430];
const plot = { left: 52, top: 12, right: 408, bottom: 384 } as const;
const ticks = [0, 0.01, 0.1, 0.3, 0.6, 1, 1.5, 2];
/** Where the upper axis may end: at the least of these that has all points below it. */
const ends = [0.35, 0.7, 1.1, 1.6, mostNats];
/** Answers that the way behind the point is made of. */
const memory = 40;

const near = (v: number): number => Number(v.toFixed(1));

/** How the points of a set look: also apart for those who do not tell colours. */
const shapes: Readonly<Record<SetName, (x: number, y: number) => string>> = {
  digits: (px, py) => `M${px} ${py}h0`,
  ambiguous: (px, py) => `M${px} ${near(py - 2.6)}l2.6 4.6h-5.2z`,
  clothing: (px, py) => `M${near(px - 2)} ${near(py - 2)}h4v4h-4z`,
};

export class UncertaintyMap {
  readonly #axes = svg('g', { class: 'axes' });
  readonly #clouds = svg('g');
  readonly #areas = svg('g');
  readonly #names = svg('g');
  readonly #way = svg('polyline', { class: 'way' });
  readonly #point = svg('g', { class: 'point' }, svg('circle', { r: 13, class: 'halo' }), svg('circle', { r: 6 }));
  #steps: string[] = [];
  #end = mostNats;
  /** No answer has an epistemic part: sets lie in lanes above one axis. */
  #flat = false;

  constructor(readonly element: HTMLElement, readonly legend: HTMLElement) {
    // apart, so that the clouds are not painted again when the point moves
    const layer = (name: string, ...children: SVGElement[]): SVGElement => svg('svg', { class: name, viewBox: `0 0 ${width} ${height}`, 'aria-hidden': 'true' }, ...children);
    element.append(layer('back', this.#areas, this.#axes, this.#clouds, this.#names), layer('front', this.#way, this.#point));
    this.show(undefined);
  }

  #x(nats: number): number {
    return near(plot.left + (plot.right - plot.left) * Math.sqrt(Math.min(1, nats / mostNats)));
  }

  #y(nats: number): number {
    return near(plot.bottom - (plot.bottom - plot.top) * Math.sqrt(Math.min(1, nats / this.#end)));
  }

  /** The background of one module's measurements. */
  background(measurement: Measurement, sets: readonly DemoSet[]): void {
    const clouds = sets.flatMap(({ name, title }) => (measurement.points[name] === undefined ? [] : [{ name, title, bytes: decodeBytes(measurement.points[name]) }]));
    const highest = Math.max(0, ...clouds.map(({ bytes }) => unpackNats(bytes.reduce((most, b, i) => (i % 2 === 0 ? most : Math.max(most, b)), 0))));
    this.#flat = measurement.epistemic === undefined;
    this.#end = ends.find((end) => end > highest) ?? mostNats;
    this.#clouds.replaceChildren(...clouds.map(({ name, bytes }, k) => {
      let path = '';
      for (let i = 0; i + 1 < bytes.length; i += 2) path += shapes[name](this.#x(unpackNats(bytes[i])), this.#flat ? inLane(k, clouds.length, i / 2) : this.#y(unpackNats(bytes[i + 1])));
      return svg('path', { class: `cloud ${name}`, d: path });
    }));
    this.legend.replaceChildren(...clouds.map(({ name, title, bytes }) => html('li', { class: name }, svgKey(name), `${title}, ${bytes.length / 2}`)));
    this.#drawAxes();
    this.#drawAreas(measurement);
    this.restart();
  }

  #drawAxes(): void {
    const { left, top, right, bottom } = plot;
    this.#axes.replaceChildren(
      ...ticks.flatMap((nats) => [svg('line', { x1: this.#x(nats), x2: this.#x(nats), y1: top, y2: bottom }), svg('text', { x: this.#x(nats), y: bottom + 15, 'text-anchor': 'middle' }, String(nats))]),
      ...ticks.filter((nats) => !this.#flat && nats <= this.#end).flatMap((nats) => [svg('line', { x1: left, x2: right, y1: this.#y(nats), y2: this.#y(nats) }), svg('text', { x: left - 7, y: this.#y(nats) + 4, 'text-anchor': 'end' }, String(nats))]),
      svg('text', { x: (left + right) / 2, y: height - 8, 'text-anchor': 'middle', class: 'title aleatoric' }, this.#flat ? 'entropy, nats: ambiguous or unlike the training? →' : 'aleatoric, nats: the picture is ambiguous →'),
      svg('text', { transform: `translate(11 ${(top + bottom) / 2}) rotate(-90)`, 'text-anchor': 'middle', class: 'title epistemic' }, this.#flat ? 'fixed weights have no epistemic axis' : 'epistemic, nats: it is unlike the training →'),
    );
  }

  #drawAreas({ epistemic, aleatoric }: Measurement): void {
    const { left, top, right, bottom } = plot;
    const upper = epistemic === undefined ? top : this.#y(epistemic);
    const area = (name: string, x: number, y: number, toX: number, toY: number): SVGElement => svg('rect', { class: name, x, y, width: toX - x, height: toY - y });
    this.#areas.replaceChildren();
    this.#names.replaceChildren();
    if (epistemic !== undefined) {
      this.#areas.append(area('epistemic', left, top, right, upper));
      this.#names.append(svg('text', { class: 'epistemic', x: left + 8, y: top + 18 }, 'unfamiliar'));
    }
    if (aleatoric !== undefined) {
      this.#areas.append(area('aleatoric', this.#x(aleatoric), upper, right, bottom));
      this.#names.append(svg('text', { class: 'aleatoric', x: right - 8, y: bottom - 9, 'text-anchor': 'end' }, 'ambiguous'));
    }
  }

  /** Forgets the way behind the point. */
  restart(): void {
    this.#steps = [];
    this.#way.setAttribute('points', '');
  }

  show(answer: Answer | undefined): void {
    this.#point.style.display = answer ? '' : 'none';
    this.element.setAttribute('aria-label', describe(answer));
    if (!answer) return this.restart();
    const place = `${this.#x(answer.aleatoric ?? answer.total)} ${this.#y(answer.epistemic ?? 0)}`;
    this.#point.classList.toggle('half', answer.epistemic === undefined);
    this.#point.setAttribute('transform', `translate(${place})`);
    if (this.#steps[this.#steps.length - 1] === place) return;
    this.#steps = [...this.#steps, place].slice(-memory);
    this.#way.setAttribute('points', this.#steps.join(' '));
  }
}

/** Heights within the lane of one set, spread evenly by the golden ratio. */
function inLane(lane: number, lanes: number, i: number): number {
  const high = (plot.bottom - plot.top) / lanes;
  return near(plot.top + (lane + 0.2 + 0.6 * ((i * 0.618) % 1)) * high);
}

function svgKey(name: SetName): SVGElement {
  return svg('svg', { viewBox: '-5 -5 10 10', 'aria-hidden': 'true' }, svg('path', { class: `cloud ${name}`, d: shapes[name](0, 0) }));
}

function describe(answer: Answer | undefined): string {
  if (!answer) return 'Map of aleatoric and epistemic uncertainty with the test sets; nothing is drawn yet.';
  if (answer.epistemic === undefined) return `Map of uncertainty. The picture: ${answer.total.toFixed(2)} nats in all; a network of fixed weights knows no parts.`;
  return `Map of uncertainty. The picture: aleatoric ${answer.aleatoric!.toFixed(2)} nats, epistemic ${answer.epistemic.toFixed(2)} nats.`;
}
