/**
 * Strokes of a pen as a picture of ink, antialiased. Plain arithmetic, so that a drawing gives the same pixels in every browser and
 * in Node. Not here: what a network wants of it (preprocess.ts), and the pad that strokes come from (page/pad.ts).
 */

/** A stroke: x and y of its points in turn, in sides of the pad; (0, 0) is its upper left corner, (1, 1) the lower right one. */
export type Stroke = readonly number[];

/** Ink by row: 0 is paper, 1 is covered with ink. */
export interface Ink {
  readonly width: number;
  readonly height: number;
  readonly data: Float32Array;
}

/** Left, top, right and bottom of the points of all strokes; undefined where there is no point. */
export function boundsOf(strokes: readonly Stroke[]): readonly [number, number, number, number] | undefined {
  let [left, top, right, bottom] = [Infinity, Infinity, -Infinity, -Infinity];
  for (const stroke of strokes) {
    for (let i = 0; i + 1 < stroke.length; i += 2) {
      [left, right] = [Math.min(left, stroke[i]), Math.max(right, stroke[i])];
      [top, bottom] = [Math.min(top, stroke[i + 1]), Math.max(bottom, stroke[i + 1])];
    }
  }
  return left <= right ? [left, top, right, bottom] : undefined;
}

/** A round pen of this radius along strokes whose points are in pixels: pixel (x, y) has its centre at (x + 1/2, y + 1/2). */
export function rasterize(strokes: readonly Stroke[], width: number, height: number, radius: number): Ink {
  const data = new Float32Array(width * height);
  for (const stroke of strokes) {
    if (stroke.length < 2) continue;
    let [x, y] = stroke;
    if (stroke.length < 4) segment(data, width, height, x, y, x, y, radius);
    for (let i = 2; i + 1 < stroke.length; i += 2) {
      const last = i + 3 >= stroke.length;
      // points within a fraction of a pixel of one another add nothing
      if (!last && (stroke[i] - x) ** 2 + (stroke[i + 1] - y) ** 2 < 1) continue;
      segment(data, width, height, x, y, stroke[i], stroke[i + 1], radius);
      [x, y] = [stroke[i], stroke[i + 1]];
    }
  }
  return { width, height, data };
}

/** Ink of one straight piece: full up to half a pixel inside the pen's edge, none half a pixel outside. */
function segment(data: Float32Array, width: number, height: number, x0: number, y0: number, x1: number, y1: number, radius: number): void {
  const [dx, dy] = [x1 - x0, y1 - y0];
  const length = dx * dx + dy * dy;
  const reach = radius + 1;
  const [inner, outer] = [Math.max(0, radius - 0.5) ** 2, (radius + 0.5) ** 2];
  const [fromX, toX] = [Math.max(0, Math.floor(Math.min(x0, x1) - reach)), Math.min(width - 1, Math.ceil(Math.max(x0, x1) + reach))];
  const [fromY, toY] = [Math.max(0, Math.floor(Math.min(y0, y1) - reach)), Math.min(height - 1, Math.ceil(Math.max(y0, y1) + reach))];
  for (let row = fromY; row <= toY; row++) {
    for (let column = fromX; column <= toX; column++) {
      const at = row * width + column;
      if (data[at] === 1) continue;
      const [px, py] = [column + 0.5 - x0, row + 0.5 - y0];
      const along = length === 0 ? 0 : Math.min(1, Math.max(0, (px * dx + py * dy) / length));
      const distance = (px - along * dx) ** 2 + (py - along * dy) ** 2;
      if (distance >= outer) continue;
      data[at] = distance <= inner ? 1 : Math.max(data[at], radius + 0.5 - Math.sqrt(distance));
    }
  }
}
