/**
 * The texts of assembly/*.ts, read from disk. The build replaces this file by one that holds them (scripts/build.mjs), so
 * that the package needs no files at run time.
 */
import { readFileSync, readdirSync } from 'node:fs';

let texts: Record<string, string> | undefined;

/** AssemblyScript library texts by file name. */
export function libraryTexts(): Record<string, string> {
  if (!texts) {
    const folder = new URL('../../assembly/', import.meta.url);
    const names = readdirSync(folder).filter((name) => name.endsWith('.ts')).sort();
    texts = Object.fromEntries(names.map((name) => [name, readFileSync(new URL(name, folder), 'utf8')]));
  }
  return texts;
}
