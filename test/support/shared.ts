/**
 * The data that lies beside the repository and is not part of it: tests that need it skip aloud where it is missing.
 */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const folder = fileURLToPath(new URL('../../../shared/data/', import.meta.url));

/** Where a file of the shared data lies. */
export function sharedPath(path: string): string {
  return join(folder, path);
}

/** The file's bytes, or undefined after saying that the test is skipped. */
export function sharedFile(path: string): Uint8Array | undefined {
  const file = sharedPath(path);
  if (existsSync(file)) return new Uint8Array(readFileSync(file)); // a Buffer's slice would share its bytes
  console.log(`SKIP: ../shared/data/${path} is missing`);
  return undefined;
}

/** Paths of all files with this ending, sorted; empty after saying so. */
export function sharedFiles(ending: string): string[] {
  if (!existsSync(folder)) {
    console.log('SKIP: ../shared/data is missing');
    return [];
  }
  return (readdirSync(folder, { recursive: true }) as string[]).filter((f) => f.endsWith(ending)).sort();
}
