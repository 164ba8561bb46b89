/** Runs a command line: in this process (fast, what most tests use), or as users do, through the bin. */
import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { main } from '../../sdk/cli/main.js';

export const root = fileURLToPath(new URL('../../', import.meta.url));
export const example = path.join(root, 'examples', 'models', 'mlp_w2a2.onnx');

export interface Result {
  readonly status: number | null;
  readonly out: string;
  readonly err: string;
}

/** A folder for one test file, and its removal. */
export function temporaryFolder(): { at(name: string): string; save(name: string, bytes: Uint8Array | string): string; remove(): void } {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'sigmaflow-cli-'));
  const at = (name: string): string => path.join(folder, name);
  return {
    at,
    save(name, bytes) {
      fs.writeFileSync(at(name), bytes);
      return at(name);
    },
    remove: () => fs.rmSync(folder, { recursive: true, force: true }),
  };
}

/** In this process, with what it writes caught. */
export async function command(...argv: string[]): Promise<Result> {
  const texts = { out: '', err: '' };
  const { stdout, stderr } = process;
  const [writeOut, writeErr] = [stdout.write, stderr.write];
  stdout.write = ((text: string) => ((texts.out += text), true)) as typeof stdout.write;
  stderr.write = ((text: string) => ((texts.err += text), true)) as typeof stderr.write;
  try {
    const status = await main(argv, root);
    return { status, ...texts };
  } finally {
    stdout.write = writeOut;
    stderr.write = writeErr;
  }
}

/** Through the bin, in a process of its own. */
export function bin(argv: readonly string[], options: { cwd?: string } = {}): Result {
  const { status, stdout, stderr } = spawnSync(process.execPath, [path.join(root, 'bin', 'sigmaflow.mjs'), ...argv], { encoding: 'utf8', timeout: 120_000, ...options });
  return { status, out: stdout, err: stderr };
}
