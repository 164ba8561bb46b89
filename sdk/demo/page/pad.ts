/**
 * The drawing pad: strokes by mouse, touch or pen (pointer events) and by keyboard. Pictures that are not drawn (samples, what the
 * camera saw) are shown in it and give way to the first stroke.
 */
import type { Stroke } from '../ink.js';
import { penWidth, side } from '../preprocess.js';
import { paint } from './dom.js';

export interface PadEvents {
  /** The strokes have changed; at most once a frame. */
  readonly changed: (strokes: readonly Stroke[]) => void;
  /** Something that those who do not see the pad want to know. */
  readonly told: (text: string) => void;
}

/** One step of the pen by an arrow key, in sides of the pad; with Shift four. */
const step = 1 / 40;

export class Pad {
  #strokes: number[][] = [];
  /** The stroke that is being drawn, and by which pointer. */
  #open?: { readonly pointer: number; readonly stroke: number[] };
  #picture?: Uint8Array;
  #pen = { x: 0.5, y: 0.25, shown: false, stroke: undefined as number[] | undefined };
  #frame = 0;
  #changed = false;
  /** Pixels of a side, and colours: asking for them costs a frame its style and layout. */
  #look?: { readonly size: number; readonly color: string; readonly accentColor: string };

  constructor(readonly canvas: HTMLCanvasElement, readonly events: PadEvents) {
    canvas.addEventListener('pointerdown', (event) => this.#down(event));
    canvas.addEventListener('pointermove', (event) => this.#move(event));
    for (const type of ['pointerup', 'pointercancel', 'lostpointercapture'] as const) canvas.addEventListener(type, (event) => this.#up(event));
    canvas.addEventListener('keydown', (event) => this.#key(event));
    canvas.addEventListener('focus', () => this.#showPen(canvas.matches(':focus-visible')));
    canvas.addEventListener('blur', () => this.#showPen(false));
    new ResizeObserver(() => this.restyle()).observe(canvas);
  }

  get strokes(): readonly Stroke[] {
    return this.#strokes;
  }

  /** Replaces the drawing. */
  set strokes(strokes: readonly Stroke[]) {
    this.#strokes = strokes.map((s) => [...s]);
    this.#picture = undefined;
    this.#liftPen();
    this.#change();
  }

  /** Shows a picture of 28 x 28 bytes instead of strokes. */
  show(pixels: Uint8Array): void {
    this.#strokes = [];
    this.#picture = pixels;
    this.#liftPen();
    this.redraw();
  }

  undo(): void {
    this.strokes = this.#strokes.slice(0, -1);
  }

  clear(): void {
    this.strokes = [];
  }

  /** Draws again at the next frame, in the size and colours that then hold. */
  restyle(): void {
    this.#look = undefined;
    this.redraw();
  }

  /** Draws again at the next frame. */
  redraw(): void {
    this.#frame ||= requestAnimationFrame(() => {
      this.#frame = 0;
      this.#draw();
      if (!this.#changed) return;
      this.#changed = false;
      this.events.changed(this.#strokes);
    });
  }

  #change(): void {
    this.#changed = true;
    this.redraw();
  }

  // ---- Pointers ----

  #place(event: PointerEvent): [number, number] {
    const { left, top, width, height } = this.canvas.getBoundingClientRect();
    const clamp = (v: number): number => Math.min(1, Math.max(0, v));
    return [clamp((event.clientX - left) / width), clamp((event.clientY - top) / height)];
  }

  #down(event: PointerEvent): void {
    if (this.#open || event.button !== 0) return;
    this.#showPen(false);
    this.canvas.setPointerCapture(event.pointerId);
    this.#begin(this.#place(event), event.pointerId);
  }

  #begin(point: [number, number], pointer: number): void {
    this.#picture = undefined;
    this.#open = { pointer, stroke: point };
    this.#strokes.push(this.#open.stroke);
    this.#change();
  }

  #move(event: PointerEvent): void {
    if (this.#open?.pointer !== event.pointerId) return;
    for (const part of event.getCoalescedEvents?.() ?? []) this.#open.stroke.push(...this.#place(part));
    this.#open.stroke.push(...this.#place(event));
    this.#change();
  }

  #up(event: PointerEvent): void {
    if (this.#open?.pointer === event.pointerId) this.#open = undefined;
  }

  // ---- Keyboard ----

  #key(event: KeyboardEvent): void {
    const far = event.shiftKey ? 4 * step : step;
    const moves: Record<string, readonly [number, number]> = { ArrowLeft: [-far, 0], ArrowRight: [far, 0], ArrowUp: [0, -far], ArrowDown: [0, far] };
    const pen = this.#pen;
    if (event.key in moves) {
      const [dx, dy] = moves[event.key];
      pen.x = Math.min(0.97, Math.max(0.03, pen.x + dx));
      pen.y = Math.min(0.97, Math.max(0.03, pen.y + dy));
      this.#showPen(true);
      if (pen.stroke) {
        pen.stroke.push(pen.x, pen.y);
        this.#change();
      }
    } else if (event.key === ' ' || event.key === 'Enter') {
      if (pen.stroke) this.#liftPen();
      else {
        this.#picture = undefined;
        this.#strokes.push((pen.stroke = [pen.x, pen.y]));
        this.#change();
      }
      this.#showPen(true);
      this.events.told(pen.stroke ? 'Pen down' : 'Pen up');
    } else if (event.key === 'Backspace') {
      this.undo();
      this.events.told('Last stroke removed');
    } else if (event.key === 'Delete') {
      this.clear();
      this.events.told('Pad cleared');
    } else return;
    event.preventDefault();
  }

  #liftPen(): void {
    this.#pen.stroke = undefined;
  }

  #showPen(shown: boolean): void {
    this.#pen.shown = shown;
    if (!shown) this.#liftPen();
    this.redraw();
  }

  // ---- Drawing ----

  #draw(): void {
    const { canvas } = this;
    this.#look ??= lookOf(canvas);
    const { size, color, accentColor } = this.#look;
    if (canvas.width !== size) canvas.width = canvas.height = size;
    const context = canvas.getContext('2d')!;
    context.clearRect(0, 0, size, size);
    if (this.#picture) drawPicture(context, this.#picture, size, color);
    Object.assign(context, { lineCap: 'round', lineJoin: 'round', lineWidth: penWidth * size, strokeStyle: color });
    for (const [x, y, ...rest] of this.#strokes) {
      context.beginPath();
      context.moveTo(x * size, y * size);
      context.lineTo(x * size, y * size);
      for (let i = 0; i + 1 < rest.length; i += 2) context.lineTo(rest[i] * size, rest[i + 1] * size);
      context.stroke();
    }
    if (!this.#pen.shown) return;
    Object.assign(context, { lineWidth: 2 * devicePixelRatio, strokeStyle: accentColor, fillStyle: accentColor });
    context.beginPath();
    context.arc(this.#pen.x * size, this.#pen.y * size, (penWidth * size) / 2 + 2 * devicePixelRatio, 0, 2 * Math.PI);
    if (this.#pen.stroke) context.fill();
    context.stroke();
  }
}

function lookOf(canvas: HTMLCanvasElement): { size: number; color: string; accentColor: string } {
  const { color, accentColor } = getComputedStyle(canvas);
  return { size: Math.round(canvas.clientWidth * devicePixelRatio), color, accentColor };
}

/** Ink of this colour where the picture is white. */
function drawPicture(context: CanvasRenderingContext2D, pixels: Uint8Array, size: number, color: string): void {
  const small = new OffscreenCanvas(side, side);
  paint(small as unknown as HTMLCanvasElement, pixels);
  const inner = small.getContext('2d')!;
  const image = inner.getImageData(0, 0, side, side);
  for (let i = 0; i < pixels.length; i++) image.data[4 * i + 3] = pixels[i];
  inner.putImageData(image, 0, 0);
  inner.globalCompositeOperation = 'source-in';
  inner.fillStyle = color;
  inner.fillRect(0, 0, side, side);
  context.imageSmoothingEnabled = false;
  context.drawImage(small, 0, 0, size, size);
}
