/**
 * What MNIST did to its digits, done to drawings and camera pictures: the ink is scaled into a box of 20 x 20 pixels with its aspect kept,
 * antialiased, and moved by whole pixels so that its centre of mass lies in the middle of 28 x 28 (Y. LeCun, "The MNIST database of
 * handwritten digits"). In its files that middle is the pixel with index 14.
 */
import { boundsOf, rasterize, type Ink, type Stroke } from './ink.js';

/** Pixels of a side of the network's picture, and of the box that ink is scaled into. */
export const side = 28;
export const box = 20;
const middle = 14;

/** The pen's width on the pad, in sides of the pad. */
export const penWidth = 0.075;
/** Widths of a pen in MNIST's pixels, where most of its own are: drawings keep to them, however small or large they are drawn. */
const widths = [1.9, 3.2] as const;
/** Pixels in each direction that one pixel of the box is the mean of. */
const fine = 8;

/** Strokes as the network's picture, 28 x 28 bytes with ink 255; undefined where nothing is drawn. */
export function drawingPixels(strokes: readonly Stroke[]): Uint8Array | undefined {
  const bounds = boundsOf(strokes);
  if (!bounds) return undefined;
  const [left, top, right, bottom] = bounds;
  const extent = Math.max(right - left, bottom - top);
  const drawn = (penWidth * box) / (extent + penWidth);
  const wanted = Math.min(widths[1], Math.max(widths[0], drawn));
  // a dot is a dot: it has no extent to hold the pen against
  const pen = extent < penWidth ? penWidth : (wanted * extent) / (box - wanted);
  const scale = (box * fine) / (extent + pen);
  const [offsetX, offsetY] = [left - pen / 2, top - pen / 2];
  const scaled = strokes.map((stroke) => stroke.map((v, i) => (v - (i % 2 === 0 ? offsetX : offsetY)) * scale));
  return normalizeInk(rasterize(scaled, Math.ceil((right - left + pen) * scale), Math.ceil((bottom - top + pen) * scale), (pen * scale) / 2));
}

/** Ink of any size as the network's picture; undefined where there is none. */
export function normalizeInk(ink: Ink): Uint8Array | undefined {
  const found = inkBounds(ink);
  if (!found) return undefined;
  const [left, top, right, bottom] = found;
  const scale = box / Math.max(right - left, bottom - top);
  const width = Math.max(1, Math.round((right - left) * scale));
  const height = Math.max(1, Math.round((bottom - top) * scale));
  const small = shrink(ink, found, width, height);
  const [x, y] = centreOfMass(small);
  const [shiftX, shiftY] = [Math.round(middle - x), Math.round(middle - y)];
  const pixels = new Uint8Array(side * side);
  for (let row = 0; row < height; row++) {
    for (let column = 0; column < width; column++) {
      const [toX, toY] = [column + shiftX, row + shiftY];
      if (toX >= 0 && toX < side && toY >= 0 && toY < side) pixels[toY * side + toX] = Math.round(255 * small.data[row * width + column]);
    }
  }
  return pixels;
}

/** Where the ink of a picture has its centre of mass, as indices of column and row. */
export function centreOfMass({ width, height, data }: { readonly width: number; readonly height: number; readonly data: ArrayLike<number> }): [x: number, y: number] {
  let [sum, x, y] = [0, 0, 0];
  for (let row = 0; row < height; row++) {
    for (let column = 0; column < width; column++) {
      const ink = data[row * width + column];
      sum += ink;
      x += ink * column;
      y += ink * row;
    }
  }
  return [x / sum, y / sum];
}

/** Left, top, right and bottom of what has ink, the latter two exclusive. */
function inkBounds({ width, height, data }: Ink): readonly [number, number, number, number] | undefined {
  let [left, top, right, bottom] = [width, height, 0, 0];
  for (let row = 0; row < height; row++) {
    for (let column = 0; column < width; column++) {
      if (data[row * width + column] < 1 / 255) continue;
      [left, right] = [Math.min(left, column), Math.max(right, column + 1)];
      [top, bottom] = [Math.min(top, row), Math.max(bottom, row + 1)];
    }
  }
  return right > left ? [left, top, right, bottom] : undefined;
}

/** A part of a picture at another size: each pixel is the mean of the area that it covers. */
function shrink(ink: Ink, [left, top, right, bottom]: readonly [number, number, number, number], width: number, height: number): Ink {
  const columns = shares(left, right, width);
  const rows = shares(top, bottom, height);
  const data = new Float32Array(width * height);
  rows.forEach((ys, row) => columns.forEach((xs, column) => {
    let sum = 0;
    for (const [y, weightY] of ys) for (const [x, weightX] of xs) sum += weightX * weightY * ink.data[y * ink.width + x];
    data[row * width + column] = Math.min(1, sum);
  }));
  return { width, height, data };
}

/** For each of `count` equal parts of [from, to): the pixels that it covers, and the part of it that each takes. */
function shares(from: number, to: number, count: number): (readonly [pixel: number, share: number])[][] {
  const step = (to - from) / count;
  return Array.from({ length: count }, (_, i) => {
    const [start, end] = [from + i * step, i + 1 === count ? to : from + (i + 1) * step];
    const parts: (readonly [number, number])[] = [];
    for (let pixel = Math.floor(start); pixel < Math.min(to, Math.ceil(end)); pixel++) {
      parts.push([pixel, (Math.min(end, pixel + 1) - Math.max(start, pixel)) / step]);
    }
    return parts;
  });
}

/** The network's input of a picture: MNIST's pixels less their mean, over their standard deviation. */
export function networkInput(pixels: ArrayLike<number>): Float32Array {
  return Float32Array.from(pixels, (p) => (p / 255 - 0.1307) / 0.3081);
}
