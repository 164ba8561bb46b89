/**
 * A camera's picture as ink: dark writing on light paper, or light on dark, in uneven light. Each pixel is held against the mean of
 * its neighbourhood; what touches the frame (shadows, the edge of the sheet) is no ink.
 */
import type { Ink } from './ink.js';

/** Contrast to the neighbourhood, of 255, from which a pixel begins to be ink and at which it is all ink. */
const contrast = [22, 60] as const;

/** Ink of a square picture of RGBA bytes (as a canvas gives them). */
export function photographInk(rgba: ArrayLike<number>, size: number): Ink {
  const grey = Float32Array.from({ length: size * size }, (_, i) => 0.299 * rgba[4 * i] + 0.587 * rgba[4 * i + 1] + 0.114 * rgba[4 * i + 2]);
  const around = neighbourhoodMeans(grey, size, Math.round(size / 6));
  // writing is the lesser part of a sheet, and stands out more than the paper does
  let skew = 0;
  for (let i = 0; i < grey.length; i++) skew += (grey[i] - around[i]) ** 3;
  const sign = skew > 0 ? 1 : -1;
  const data = Float32Array.from(grey, (g, i) => Math.min(1, Math.max(0, (sign * (g - around[i]) - contrast[0]) / (contrast[1] - contrast[0]))));
  clearFromFrame(data, size);
  return { width: size, height: size, data };
}

/** Means over squares of 2 reach + 1 pixels, cut off at the frame; from sums over all that lies above and left. */
function neighbourhoodMeans(grey: Float32Array, size: number, reach: number): Float32Array {
  const sums = new Float64Array((size + 1) ** 2);
  const at = (row: number, column: number): number => row * (size + 1) + column;
  for (let row = 0; row < size; row++) {
    for (let column = 0; column < size; column++) {
      sums[at(row + 1, column + 1)] = grey[row * size + column] + sums[at(row, column + 1)] + sums[at(row + 1, column)] - sums[at(row, column)];
    }
  }
  const means = new Float32Array(size * size);
  for (let row = 0; row < size; row++) {
    const [top, bottom] = [Math.max(0, row - reach), Math.min(size, row + reach + 1)];
    for (let column = 0; column < size; column++) {
      const [left, right] = [Math.max(0, column - reach), Math.min(size, column + reach + 1)];
      const sum = sums[at(bottom, right)] - sums[at(top, right)] - sums[at(bottom, left)] + sums[at(top, left)];
      means[row * size + column] = sum / ((bottom - top) * (right - left));
    }
  }
  return means;
}

/** Clears what hangs together with the frame. */
function clearFromFrame(data: Float32Array, size: number): void {
  const open: number[] = [];
  for (let i = 0; i < size; i++) open.push(i, (size - 1) * size + i, i * size, i * size + size - 1);
  while (open.length > 0) {
    const at = open.pop()!;
    if (data[at] === 0) continue;
    data[at] = 0;
    const column = at % size;
    if (column > 0) open.push(at - 1);
    if (column < size - 1) open.push(at + 1);
    if (at >= size) open.push(at - size);
    if (at < size * (size - 1)) open.push(at + size);
  }
}
