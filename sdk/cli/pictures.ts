/** Small images and bars in text, for commands that show what a network sees. */
const side = 28;

/** Nothing is certain that is not. */
export const percent = (p: number): string => (p > 0.9995 ? '> 99.9 %' : `${(100 * p).toFixed(1)} %`);

/** A bar in eighths of a character. */
export function bar(p: number, length: number): string {
  const eighths = Math.round(p * length * 8);
  return '█'.repeat(eighths >> 3) + ['', '▏', '▎', '▍', '▌', '▋', '▊', '▉'][eighths & 7];
}

/** Image `i` of 28 x 28 bytes each: two pixel rows a line, by half blocks, without an even frame of 2 margin pixels in all. */
export function picture(images: ArrayLike<number>, i: number, margin = 3): string[] {
  const ink = (y: number, x: number): number => (images[i * side * side + y * side + x] > 90 ? 1 : 0);
  const lines: string[] = [];
  for (let y = margin; y < side - margin; y += 2) {
    lines.push(Array.from({ length: side - 2 * margin }, (_, k) => [' ', '▀', '▄', '█'][ink(y, margin + k) + 2 * ink(y + 1, margin + k)]).join(''));
  }
  return lines;
}
