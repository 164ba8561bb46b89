/** What the benchmark's processes run: the workers, bundled, and the package as users get it. */
import { spawnSync } from 'node:child_process';
import { cpSync, existsSync, mkdirSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';
import { scratch } from './compiled.js';

const local = (name: string): string => fileURLToPath(new URL(name, import.meta.url));

/** Bundles the programs of the processes, and of the page; they stay in this folder, where the peers' packages are found. */
export async function buildWorkers(): Promise<{ readonly worker: string; readonly coldStart: string; readonly threads: string; readonly page: string }> {
  mkdirSync(scratch, { recursive: true });
  await build({
    entryPoints: { worker: local('worker.ts'), coldstart: local('coldstart.mts'), threads: local('threadsOnce.mts') },
    outdir: path.join(scratch, 'workers'),
    outExtension: { '.js': '.mjs' },
    bundle: true, splitting: true, packages: 'external', format: 'esm', platform: 'node', target: 'node20', logLevel: 'warning',
  });
  const page = path.join(scratch, 'workers/page.js');
  const litert = existsSync(local('node_modules/@litertjs/core'));
  await build({ entryPoints: [local('page.ts')], outfile: page, bundle: true, format: 'esm', target: 'es2022', logLevel: 'warning', external: litert ? [] : ['@litertjs/core'] });
  const file = (name: string): string => path.join(scratch, 'workers', `${name}.mjs`);
  return { worker: file('worker'), coldStart: file('coldstart'), threads: file('threads'), page };
}

/** Builds the package into the scratch folder, as users install it; its path. */
export function buildPackage(): string {
  const root = path.join(scratch, 'package');
  const folder = path.join(root, 'dist');
  const { status, stderr } = spawnSync(process.execPath, [local('../../scripts/build.mjs'), folder], { encoding: 'utf8' });
  if (status !== 0 || !existsSync(path.join(folder, 'runtime.js'))) throw new Error(`the package does not build: ${stderr.trim().split('\n').pop()}`);
  for (const name of ['package.json', 'bin']) cpSync(local(`../../${name}`), path.join(root, name), { recursive: true });
  return root;
}
