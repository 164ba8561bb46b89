/** Numbers of a profile as people read them. */

/** 1234567 -> 1,234,567 */
export function whole(n: number): string {
  return Math.round(n).toString().replace(/\B(?=(\d{3})+$)/g, ',');
}

/** Microseconds with three digits. */
export function microseconds(n: number): string {
  return n >= 100 ? whole(n) : n.toFixed(n >= 10 ? 1 : n >= 1 ? 2 : 3);
}

/** GMAC/s and GB/s. */
export function rate(n: number): string {
  return n >= 100 ? whole(n) : n >= 1 || n === 0 ? n.toFixed(1) : n.toPrecision(2);
}

/** A share, or nothing where there is none. */
export function percent(n: number, places = 0): string {
  return Number.isFinite(n) ? `${(n * 100).toFixed(places)} %` : '';
}

/** Units of 1024 bytes. */
export function kilobytes(bytes: number): string {
  return bytes >= 102400 ? whole(bytes / 1024) : (bytes / 1024).toFixed(1);
}

/** Round sizes: `16 KB`, `4 MB`. */
export function size(bytes: number): string {
  return bytes >= 2 ** 20 ? `${bytes / 2 ** 20} MB` : `${bytes / 1024} KB`;
}

/** `16x32x32` */
export function extents(of: readonly number[]): string {
  return of.length === 0 ? '1' : of.join('x');
}
