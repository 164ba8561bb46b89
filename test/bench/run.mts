/**
 * The benchmark: `npm run bench`, see README.md beside this file. Reads the command line, runs the sections, prints their
 * tables, and with --write makes docs/benchmarks.md. What is measured is in the sections; what it means in report.ts.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { buildPackage, buildWorkers } from './build.js';
import { scratch } from './compiled.js';
import { benchmarksDocument, withSections } from './document.js';
import { readOptions, usage, type BenchOptions } from './options.js';
import { peers, versionOf } from './peers.js';
import { report } from './report.js';
import type { Results } from './results.js';
import { runSections } from './sections.js';
import { quantile } from './statistics.js';
import { percent, terminalTable } from './table.js';

const root = fileURLToPath(new URL('../../', import.meta.url));

function emptyResults({ rounds, milliseconds, clock }: BenchOptions): Results {
  const [cpu] = os.cpus();
  const versions: Record<string, string> = {};
  for (const name of new Set(peers.map((p) => p.package))) versions[name] = versionOf(name) ?? 'not installed';
  return {
    date: new Date().toISOString().slice(0, 10),
    machine: `${cpu.model.trim()}, ${os.cpus().length} cores, ${Math.round(os.totalmem() / 2 ** 30)} GiB, ${os.type()} ${os.release()} ${os.arch()}`,
    load: [os.loadavg()[0]], busy: [], clock, rounds, milliseconds,
    hosts: {}, versions, settings: {}, absent: [],
    inference: [], relaxed: [], batches: [], widths: [], trained: [], kernels: [], dense: [], bytes: [], cold: [], compile: [], threads: [], bayesian: [], instructions: [],
  };
}

async function main(argv: readonly string[]): Promise<void> {
  const options = readOptions(argv, path.join(root, '../shared/data/bench'));
  if (options.help) return void console.log(usage);
  const results = emptyResults(options);
  console.log(`${results.machine}\nNode ${process.version}, V8 ${process.versions.v8}\n${Object.entries(results.versions).map(([n, v]) => `${n} ${v}`).join(', ')}; load ${results.load[0].toFixed(1)}`);
  const missing = Object.keys(results.versions).filter((n) => results.versions[n] === 'not installed');
  if (missing.length > 0) results.absent.push(`${missing.join(', ')}: not installed. Install the peers with npm ci --prefix test/bench.`);
  await runSections(options, results, { ...(await buildWorkers()), package: buildPackage() }, (line) => console.log(line));
  results.load.push(os.loadavg()[0]);
  writeFileSync(path.join(scratch, 'results.json'), JSON.stringify(results));
  for (const { heading, tables } of report(results)) console.log(`\n== ${heading} ==\n\n${tables.map(terminalTable).join('\n\n')}`);
  console.log(`\n${Object.entries(results.settings).map(([label, text]) => `${label}: ${text}`).join('\n')}`);
  for (const line of results.absent) console.log(`NOT MEASURED: ${line}`);
  const had = quantile(results.busy, 0.5);
  if (had < 0.9) console.log(`This machine was busy: the processes had a processor for ${percent(had)} of their time. ${options.clock === 'wall' ? 'Believe ratios only, or take --clock cpu, or repeat when it is quiet.' : 'Times are processor times.'}`);
  if (options.write) {
    const file = path.join(root, 'docs/benchmarks.md');
    writeFileSync(file, options.writeSections ? withSections(readFileSync(file, 'utf8'), results) : benchmarksDocument(results));
    console.log('docs/benchmarks.md written');
  }
}

try {
  await main(process.argv.slice(2));
} catch (error) {
  console.error((error as Error).message);
  process.exitCode = 1;
}
