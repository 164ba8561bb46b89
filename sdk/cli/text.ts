/** Texts of the command line: tables, numbers with units, tensors for people. Nothing here knows a command. */

/** Columns padded to their widest cell, two spaces apart; columns named in `right` are aligned to the right. */
export function table(rows: readonly (readonly string[])[], right: readonly number[] = []): string {
  const width: number[] = [];
  for (const row of rows) row.forEach((cell, i) => (width[i] = Math.max(width[i] ?? 0, cell.length)));
  return rows.map((row) => row.map((cell, i) => (right.includes(i) ? cell.padStart(width[i]) : cell.padEnd(width[i]))).join('  ').trimEnd()).join('\n');
}

/** 1234567 -> 1,234,567 */
export function count(n: number): string {
  return Math.round(n).toString().replace(/\B(?=(\d{3})+$)/g, ',');
}

/** Seconds or milliseconds, three digits. */
export function duration(milliseconds: number): string {
  return milliseconds < 1000 ? `${milliseconds.toPrecision(3)} ms` : `${(milliseconds / 1000).toPrecision(3)} s`;
}

/** `1 input`, `2 inputs` */
export function plural(n: number, what: string): string {
  return `${count(n)} ${what}${n === 1 ? '' : 's'}`;
}

/** A number as the command line prints it: seven digits, which is float32's worth. */
export function number(value: number): string {
  if (Number.isInteger(value) && Math.abs(value) < 1e7) return Object.is(value, -0) ? '-0' : String(value);
  return String(Number(value.toPrecision(7)));
}

/**
 * The elements of a tensor, row-major, one row of the last dimension a line, with the leading coordinates before it. Long
 * rows and tensors are shortened in the middle and say so.
 */
export function formatTensor(shape: readonly number[], data: ArrayLike<number>, maxRows = 24, maxColumns = 16): string {
  const leading = shape.slice(0, -1);
  const columns = shape.length === 0 ? 1 : shape[shape.length - 1];
  const rows = columns === 0 ? 0 : data.length / columns;
  const shownRows = shownOf(rows, maxRows);
  const shownColumns = shownOf(columns, maxColumns);
  const cells = shownRows.map((r) => [
    ...(leading.length > 0 ? [`[${coordinates(r, leading).join(', ')}]`] : []),
    ...shownColumns.flatMap((c, i) => [...(i > 0 && c > shownColumns[i - 1] + 1 ? ['...'] : []), number(data[r * columns + c])]),
  ]);
  const numeric = Array.from({ length: shownColumns.length + 2 }, (_, i) => i).slice(leading.length > 0 ? 1 : 0);
  const lines = cells.length === 0 ? [] : table(cells, numeric).split('\n').map((line) => `  ${line}`);
  const hidden = rows - shownRows.length;
  if (hidden > 0) lines.splice(shownRows.findIndex((r, i) => i > 0 && r > shownRows[i - 1] + 1), 0, `  ... ${plural(hidden, 'row')} not shown`);
  return lines.join('\n');
}

/** 0 .. n - 1, or where that is more than `most` the first ones and the last two. */
function shownOf(n: number, most: number): number[] {
  const all = Array.from({ length: Math.min(n, most) }, (_, i) => i);
  return n <= most ? all : [...all.slice(0, most - 2), n - 2, n - 1];
}

/** The coordinates of element `i` of a shape, row-major. */
export function coordinates(i: number, shape: readonly number[]): number[] {
  const at: number[] = [];
  for (let d = shape.length - 1, rest = i; d >= 0; d--) {
    at[d] = rest % shape[d];
    rest = Math.floor(rest / shape[d]);
  }
  return at;
}
