/** The source texts of this project, by path from its root; for the rules about them. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Sources } from './imports.js';

const root = fileURLToPath(new URL('../../', import.meta.url));

/** All TypeScript files of these folders. */
export function readSources(...folders: readonly string[]): Sources {
  const walk = (folder: string): string[] =>
    readdirSync(join(root, folder), { withFileTypes: true }).flatMap((entry) => {
      const path = `${folder}/${entry.name}`;
      if (entry.isDirectory()) return entry.name === 'node_modules' || entry.name.startsWith('.') ? [] : walk(path);
      return /\.m?ts$/.test(entry.name) ? [path] : [];
    });
  return Object.fromEntries(folders.flatMap(walk).sort().map((path) => [path, readFileSync(join(root, path), 'utf8')]));
}
