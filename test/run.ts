/**
 * The test runner: every test/**\/*.test.ts in a process of its own, two at a time.
 *
 *   npm test                 all files
 *   npm test -- ir random    files whose path contains one of the words
 *
 * A file fails where a test fails, it crashes, it takes longer than ten minutes, or it registers no test (uvu lets a file
 * that forgets `test.run()` pass in silence). Lines that start with SKIP say what this machine could not test; they are
 * repeated at the end, and count as failures with SIGMAFLOW_NO_SKIP=1.
 */
import { spawn } from 'node:child_process';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, relative, sep } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const processes = 2;
const timeLimit = 10 * 60 * 1000;
/** These first, so that none of them is left alone at the end. */
const longest = ['models/engines', 'hls/csim', 'cli/readme', 'package/pack', 'ops/operators'];
/** What the files of this run share (scripts/typescript-hooks.mjs). */
const cache = mkdtempSync(join(tmpdir(), 'sigmaflow-run-'));
process.on('exit', () => rmSync(cache, { recursive: true, force: true }));
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => process.exit(1));

interface FileResult {
  readonly file: string;
  readonly passed: number;
  readonly failed: number;
  readonly skips: readonly string[];
  readonly output: string;
  /** Why the file failed, where that is not a test's own report. */
  readonly fault?: string;
}

function findTests(folder: string): string[] {
  return readdirSync(folder, { withFileTypes: true })
    .sort((a, b) => (a.name < b.name ? -1 : 1))
    .flatMap((entry) => {
      const path = join(folder, entry.name);
      if (entry.isDirectory()) return entry.name === 'node_modules' ? [] : findTests(path);
      return entry.name.endsWith('.test.ts') ? [path] : [];
    });
}

/** What a file's output says: uvu closes every suite with Total, Passed and Skipped. */
function readOutput(file: string, output: string, status: number | null, signal: string | null, timedOut: boolean): FileResult {
  const plain = output.replace(/\x1b\[[0-9;]*m/g, '');
  const sumOf = (word: string): number => [...plain.matchAll(new RegExp(`^ *${word}: +(\\d+)`, 'gm'))].reduce((n, m) => n + Number(m[1]), 0);
  const [total, passed, skipped] = [sumOf('Total'), sumOf('Passed'), sumOf('Skipped')];
  const skips = plain.split('\n').map((line) => line.replace(/^[•✘ ]+/, '')).filter((line) => line.startsWith('SKIP'));
  if (skipped > 0) skips.push(`SKIP ${file}: ${skipped} marked as skipped`);
  const failed = Math.max(0, total - passed - skipped);
  const fault =
    timedOut ? `it took longer than ${timeLimit / 60000} minutes`
    : signal !== null ? `it was ended by ${signal}`
    : total === 0 ? (status === 0 ? 'it registered no test (is test.run() missing?)' : `it crashed with status ${status}`)
    : status !== 0 && failed === 0 ? `it ended with status ${status}`
    : undefined;
  return { file, passed, failed: failed + (fault === undefined ? 0 : 1), skips, output, fault };
}

function runFile(path: string): Promise<FileResult> {
  const file = relative(root, path).split(sep).join('/');
  return new Promise((done) => {
    const child = spawn(process.execPath, ['--import', './scripts/typescript.mjs', path], { cwd: root, env: { ...process.env, SIGMAFLOW_TEST_CACHE: cache, FORCE_COLOR: '0', NO_COLOR: '1' } });
    let output = '';
    let timedOut = false;
    const collect = (chunk: Buffer): void => { output += chunk.toString(); };
    child.stdout.on('data', collect);
    child.stderr.on('data', collect);
    const timer = setTimeout(() => {
      timedOut = true;
      child.kill('SIGKILL');
    }, timeLimit);
    child.on('error', (error) => { output += error.message; });
    child.on('close', (status, signal) => {
      clearTimeout(timer);
      done(readOutput(file, output, status, signal, timedOut));
    });
  });
}

function report(r: FileResult, seconds: number): void {
  const skips = r.skips.length === 0 ? '' : `, ${r.skips.length} skipped`;
  console.log(`${r.failed === 0 ? 'ok  ' : 'FAIL'} ${r.file}: ${r.passed} passed${r.failed === 0 ? '' : `, ${r.failed} failed`}${skips} (${seconds.toFixed(1)} s)`);
  if (r.failed === 0) return;
  if (r.fault !== undefined) console.log(`     ${r.fault}`);
  console.log(r.output.split('\n').map((line) => `     ${line}`.trimEnd()).join('\n'));
}

const words = process.argv.slice(2);
const files = findTests(join(root, 'test')).filter((path) => words.length === 0 || words.some((w) => relative(root, path).includes(w)));
const results: FileResult[] = [];
const isLong = (path: string): boolean => longest.some((name) => path.endsWith(join(`${name}.test.ts`)));
const queue = [...files.filter(isLong), ...files.filter((path) => !isLong(path))];

async function work(): Promise<void> {
  for (let path = queue.shift(); path !== undefined; path = queue.shift()) {
    const start = performance.now();
    const result = await runFile(path);
    results.push(result);
    report(result, (performance.now() - start) / 1000);
  }
}

await Promise.all(Array.from({ length: processes }, work));

const skips = results.flatMap((r) => r.skips);
const strict = process.env.SIGMAFLOW_NO_SKIP === '1';
for (const line of skips) console.log(line);
if (files.length === 0) console.log(`no test file matches ${words.join(' ')}`);
const passed = results.reduce((n, r) => n + r.passed, 0);
const failed = results.reduce((n, r) => n + r.failed, 0) + (strict ? skips.length : 0) + (files.length === 0 ? 1 : 0);
console.log(`${passed} passed, ${failed} failed${skips.length > 0 && !strict ? `, ${skips.length} skipped` : ''}`);
process.exitCode = failed === 0 ? 0 : 1;
