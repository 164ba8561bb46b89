/** Tables for the terminal and for Markdown, from the same rows. Pure. */

export interface Table {
  readonly title: string;
  /** The first column is text, the others are numbers unless `text`. */
  readonly text?: boolean;
  readonly header: readonly string[];
  readonly rows: readonly (readonly string[])[];
  /** Sentences below the table. */
  readonly notes?: readonly string[];
}

/** Microseconds, milliseconds, rates: three significant digits. */
export function format(x: number): string {
  if (!Number.isFinite(x)) return '-';
  return x >= 100 ? x.toFixed(0) : x >= 10 ? x.toFixed(1) : x.toFixed(2);
}

export const percent = (x: number): string => (Number.isFinite(x) ? `${Math.round(x * 100)} %` : '-');

/** Columns aligned with blanks. */
export function terminalTable({ title, header, rows, text = false, notes = [] }: Table): string {
  const all = [header, ...rows];
  const widths = header.map((_, c) => Math.max(...all.map((row) => (row[c] ?? '').length)));
  const line = (row: readonly string[]): string => row.map((cell, c) => (c === 0 || text ? cell.padEnd(widths[c]) : cell.padStart(widths[c]))).join('  ').trimEnd();
  return [title, ...all.map(line), ...notes].join('\n');
}

export function markdownTable({ title, header, rows, text = false, notes = [] }: Table): string {
  const line = (row: readonly string[]): string => `| ${row.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |`;
  const rule = `|${header.map((_, c) => (c === 0 || text ? '---' : '---:')).join('|')}|`;
  return [`### ${title}`, '', line(header), rule, ...rows.map(line), ...(notes.length > 0 ? ['', ...notes] : [])].join('\n');
}
