/**
 * Drawings and photographs become what MNIST's digits are: its own test images, enlarged and moved, come back byte for byte; recorded
 * drawings have its box, its centre of mass and its amounts of ink.
 */
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { readIdx } from '../../sdk/data/index.js';
import { boundsOf, rasterize, type Ink } from '../../sdk/demo/ink.js';
import { photographInk } from '../../sdk/demo/photograph.js';
import { box, centreOfMass, drawingPixels, normalizeInk, side } from '../../sdk/demo/preprocess.js';
import { recordings } from './recordings.js';

const images = readIdx(readFileSync(fileURLToPath(new URL('../../examples/data/mnist600-images.idx3-ubyte.gz', import.meta.url)))).data as Uint8Array;
const size = side * side;
const digit = (i: number): Uint8Array => images.subarray(i * size, (i + 1) * size);

/** A picture enlarged, in the middle of nowhere: pixel p of the frame shows pixel (p - at) / factor of the picture. */
function enlarged(pixels: ArrayLike<number>, factor: number, frame: number, atX: number, atY: number): Ink {
  const data = new Float32Array(frame * frame);
  for (let i = 0; i < data.length; i++) {
    const [x, y] = [Math.floor(((i % frame) - atX) / factor), Math.floor((Math.floor(i / frame) - atY) / factor)];
    if (x >= 0 && x < side && y >= 0 && y < side) data[i] = pixels[y * side + x] / 255;
  }
  return { width: frame, height: frame, data };
}

/** Columns and rows with ink, and its sum in full pixels. */
function describe(pixels: Uint8Array): { width: number; height: number; ink: number; x: number; y: number } {
  const on = Array.from(pixels.keys()).filter((i) => pixels[i] > 0);
  const span = (values: number[]): number => Math.max(...values) - Math.min(...values) + 1;
  const [x, y] = centreOfMass({ width: side, height: side, data: pixels });
  return { width: span(on.map((i) => i % side)), height: span(on.map((i) => Math.floor(i / side))), ink: pixels.reduce((a, b) => a + b, 0) / 255, x, y };
}

/** The q-th part of values is below. */
const quantile = (values: number[], q: number): number => [...values].sort((a, b) => a - b)[Math.floor(q * (values.length - 1))];
const known = Array.from({ length: 600 }, (_, i) => describe(digit(i)));

test("MNIST's own digits, eight times as large and elsewhere, come back byte for byte", () => {
  for (let i = 0; i < 600; i++) {
    const back = normalizeInk(enlarged(digit(i), 8, 300, (i * 37) % 70, (i * 53) % 70))!;
    assert.ok(Buffer.from(back).equals(Buffer.from(digit(i))), `image ${i}`);
  }
});

test('enlarged by no whole number they come back nearly', () => {
  let sum = 0;
  for (let i = 0; i < 100; i++) {
    const back = normalizeInk(enlarged(digit(i), 7.3, 230, 11.4, 20.7))!;
    sum += back.reduce((total, p, j) => total + Math.abs(p - digit(i)[j]), 0) / size / 255;
  }
  assert.ok(sum / 100 < 0.01, `mean difference ${sum / 100}`);
});

test('recorded digits have the box, the centre and the ink of MNIST', () => {
  assert.ok(known.every(({ width, height }) => Math.max(width, height) === box), 'what MNIST has');
  assert.ok(known.every(({ x, y }) => Math.abs(x - 14) <= 0.5 && Math.abs(y - 14) <= 0.5));
  const [least, most] = [quantile(known.map((k) => k.ink), 0), quantile(known.map((k) => k.ink), 1)];
  const drawn = recordings.filter((r) => r.digit !== undefined && !r.name.startsWith('letter')).map((r) => describe(drawingPixels(r.strokes)!));
  assert.is(drawn.length, 12);
  for (const { width, height, x, y, ink } of drawn) {
    assert.is(Math.max(width, height), box);
    assert.ok(Math.abs(x - 14) <= 0.5 && Math.abs(y - 14) <= 0.5, `centre ${x}, ${y}`);
    assert.ok(ink >= least && ink <= most, `ink ${ink}, MNIST ${least} to ${most}`);
  }
  const mean = drawn.reduce((sum, d) => sum + d.ink, 0) / drawn.length;
  const expected = known.reduce((sum, d) => sum + d.ink, 0) / known.length;
  assert.ok(Math.abs(mean / expected - 1) < 0.25, `mean ink ${mean}, MNIST ${expected}`);
});

test('where a digit is drawn does not matter, nor how large, but for the width of the pen between its bounds', () => {
  for (const { strokes, digit: label } of recordings.filter((r) => r.digit !== undefined)) {
    const [left, top, right, bottom] = boundsOf(strokes)!;
    const sized = (extent: number, at: number): Uint8Array => drawingPixels(strokes.map((s) => s.map((v, i) => at + ((v - (i % 2 === 0 ? left : top)) * extent) / Math.max(right - left, bottom - top))))!;
    const apart = (a: Uint8Array, b: Uint8Array): number => a.reduce((sum, p, i) => sum + Math.abs(p - b[i]), 0) / 255;
    assert.ok(apart(sized(0.6, 0.1), sized(0.6, 0.33)) < 0.5, `${label} moved`);
    assert.ok(apart(sized(0.95, 0.02), sized(0.8, 0.1)) < 0.5, `${label}, large`);
    assert.ok(apart(sized(0.3, 0.02), sized(0.2, 0.5)) < 0.5, `${label}, small`);
    const [thin, wide] = [describe(sized(0.9, 0.05)).ink, describe(sized(0.25, 0.05)).ink];
    assert.ok(wide > 1.3 * thin && wide < 2 * thin, `${label}: ink ${thin} and ${wide}`);
  }
});

test('the aspect is kept; a dot is a dot; nothing is nothing', () => {
  const flat = describe(drawingPixels([[0.1, 0.5, 0.9, 0.5]])!);
  assert.is(flat.width, box);
  assert.ok(flat.height <= 4);
  const dot = describe(drawingPixels([[0.3, 0.3]])!);
  assert.ok(dot.width === box && dot.height === box && Math.abs(dot.ink - Math.PI * 100) < 5);
  for (const nothing of [[], [[]], [[0.5]]]) assert.is(drawingPixels(nothing), undefined);
  assert.is(normalizeInk({ width: 3, height: 2, data: new Float32Array(6) }), undefined);
});

test('a line covers its length times its width, and no pixel more than once', () => {
  const { data } = rasterize([[10, 20, 50, 50], [50, 50, 10, 20]], 64, 64, 3);
  const area = data.reduce((a, b) => a + b, 0);
  assert.ok(Math.abs(area - (50 * 6 + Math.PI * 9)) < 2, String(area));
  assert.is(Math.max(...data), 1);
});

test('a photograph in uneven light, dark on light or light on dark, is the drawing', () => {
  const frame = 112;
  for (const { name, strokes } of recordings.filter((r) => r.digit !== undefined)) {
    const expected = drawingPixels(strokes)!;
    const ink = rasterize(strokes.map((s) => s.map((v) => frame * (0.15 + 0.7 * v))), frame, frame, 3);
    for (const polarity of [-1, 1]) {
      const rgba = new Uint8ClampedArray(4 * frame * frame);
      for (let i = 0; i < frame * frame; i++) {
        const paper = 128 - polarity * 40 + 0.35 * ((i % frame) - frame / 2) + 0.2 * (Math.floor(i / frame) - frame / 2);
        rgba.fill(paper + polarity * 110 * ink.data[i], 4 * i, 4 * i + 3);
      }
      const found = normalizeInk(photographInk(rgba, frame))!;
      // a centre of mass near the border of two pixels may fall on either side
      const apart = Math.min(...[-29, -28, -27, -1, 0, 1, 27, 28, 29].map((shift) => found.reduce((sum, p, i) => sum + Math.abs(p - (expected[i + shift] ?? 0)), 0) / 255));
      assert.ok(apart < 0.45 * describe(expected).ink, `${name}: ${apart} of ${describe(expected).ink}`);
    }
  }
});

test('a blank sheet has no ink, and what touches the frame is none', () => {
  const sheet = new Uint8ClampedArray(4 * 64 * 64).fill(200);
  assert.is(normalizeInk(photographInk(sheet, 64)), undefined);
  for (let i = 0; i < 64 * 10; i++) sheet.fill(20, 4 * i, 4 * i + 3);
  assert.is(normalizeInk(photographInk(sheet, 64)), undefined);
});

test.run();
