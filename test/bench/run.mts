/**
 * The benchmark: `npm run bench`, see README.md beside this file. Reads the command line, runs the sections, prints their
 * tables, and with --write makes docs/benchmarks.md. What is measured is in the sections; what it means in report*.ts.
 */
import { mkdirSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import { build } from 'esbuild';
import { scratch } from './compiled.js';
import { measure, type Inference, type Setting } from './inference.js';
import { benchNetworks } from './networks.js';
import { readOptions, usage, type BenchOptions } from './options.js';
import { peers, versionOf } from './peers.js';
import type { Host } from './process.js';
import { makeTfliteFiles, tfliteFolder } from './python.js';
import { inferenceTable } from './reportInference.js';
import { terminalTable } from './table.js';

async function main(options: BenchOptions): Promise<void> {
  const say = (line: string): void => console.log(line);
  const worker = `${scratch}worker.mjs`;
  mkdirSync(scratch, { recursive: true });
  await build({ entryPoints: [new URL('worker.ts', import.meta.url).pathname], outfile: worker, bundle: true, packages: 'external', format: 'esm', platform: 'node', target: 'node20', logLevel: 'warning' });
  const node: Host = { name: `Node ${process.versions.node.split('.')[0]}`, version: process.version, executable: process.execPath, flags: [] };
  const chosen = peers.filter((p) => !options.engines || options.engines.includes(p.label));
  for (const name of new Set(peers.map((p) => p.package))) {
    if (!versionOf(name)) say(`${name} is not installed and will be missing. Install the peers with: npm ci --prefix test/bench`);
  }
  const settings: Record<string, string> = {};
  const setting: Setting = { worker, rounds: options.rounds, milliseconds: options.milliseconds, tflite: tfliteFolder, settings, say };
  say(`${os.cpus()[0].model}, ${os.cpus().length} cores, Node ${process.version} (V8 ${process.versions.v8}), load ${os.loadavg()[0].toFixed(1)}`);

  const networks = options.kinds.flatMap((kind) => benchNetworks(options.models, kind, options.only));
  const names = [...new Set(networks.map((n) => n.name))];
  if (chosen.some((p) => p.engine === 'litert')) {
    const fault = makeTfliteFiles(options.models, names, options.batches, options.python);
    if (fault) say(fault);
  }
  const results: Inference[] = [];
  if (options.sections.includes('inference')) {
    for (const network of networks) {
      results.push(...(await measure(network, options.batches, node, (options.targets ?? ['simd128']).map((target) => ({ target })), chosen.filter((p) => p.family !== 'relaxed'), ['float32', 'dot16'], setting)));
      say(`  ${network.name} ${network.kind} measured, load ${os.loadavg()[0].toFixed(1)}`);
    }
    for (const kind of options.kinds) for (const batch of options.batches) say(`\n${terminalTable(inferenceTable(results, kind, batch))}`);
  }
  writeFileSync(`${scratch}results.json`, JSON.stringify(results, undefined, 1));
  say(`\n${Object.entries(settings).map(([label, text]) => `${label}: ${text}`).join('\n')}`);
}

try {
  const options = readOptions(process.argv.slice(2), new URL('../../../shared/data/bench', import.meta.url).pathname);
  if (options.help) console.log(usage);
  else await main(options);
} catch (error) {
  console.error((error as Error).message);
  process.exitCode = 1;
}
