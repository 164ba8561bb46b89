/**
 * The benchmark: our module and the peers on the same models and inputs, in one interleaved run, as ratios of medians.
 *
 *     npm run bench [-- --models DIR --kind f32|qdq_u8s8 --batch 1 --rounds 15 --only mlp,lenet5]
 *
 * Each engine has a process of its own; rounds alternate between them. Outputs are compared before anything is timed.
 */
import { fork, type ChildProcess } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { importOnnx } from '../../codegen/import/onnx.js';
import { infer } from '../../codegen/passes/infer.js';
import { layers } from '../../sdk/cli/layers.js';

const here = path.dirname(fileURLToPath(import.meta.url));
const { values: options } = parseArgs({
  options: {
    models: { type: 'string', default: path.join(here, '../../../shared/data/bench') },
    kind: { type: 'string', default: 'f32' },
    batch: { type: 'string', default: '1' },
    rounds: { type: 'string', default: '15' },
    milliseconds: { type: 'string', default: '60' },
    only: { type: 'string' },
    target: { type: 'string', default: 'simd128' },
  },
});

class Engine {
  private readonly child: ChildProcess;
  readonly times: number[] = [];
  constructor(readonly name: string) {
    this.child = fork(path.join(here, 'worker.mts'), { execArgv: ['--import', new URL('../../scripts/typescript.mjs', import.meta.url).href], stdio: ['ignore', 'ignore', 'inherit', 'ipc'] });
  }
  ask<T>(message: object): Promise<T> {
    return new Promise((resolve, reject) => {
      this.child.once('message', (m: { ok: boolean; message?: string }) => (m.ok ? resolve(m as T) : reject(new Error(`${this.name}: ${m.message}`))));
      this.child.send(message);
    });
  }
  async round(milliseconds: number): Promise<void> {
    this.times.push((await this.ask<{ microseconds: number }>({ kind: 'round', milliseconds })).microseconds);
  }
  median(): number {
    return [...this.times].sort((a, b) => a - b)[this.times.length >> 1];
  }
  spread(): string {
    const s = [...this.times].sort((a, b) => a - b);
    return `${format(s[0])}..${format(s[s.length - 1])}`;
  }
  end(): void {
    this.child.kill();
  }
}

const format = (x: number): string => (x >= 100 ? x.toFixed(0) : x >= 10 ? x.toFixed(1) : x.toFixed(2));
const batch = Number(options.batch);
const rounds = Number(options.rounds);
const files = fs.readdirSync(options.models!).filter((f) => f.endsWith(`.${options.kind}.onnx`)).sort();
const versions = ['onnxruntime-web'].map((p) => {
  try {
    return `${p} ${(JSON.parse(fs.readFileSync(path.join(here, 'node_modules', p, 'package.json'), 'utf8')) as { version: string }).version}`;
  } catch {
    return undefined;
  }
});
if (versions.includes(undefined)) {
  console.error('The peers are not installed. Install them with: npm ci --prefix test/bench');
  process.exit(1);
}
console.log(`${os.cpus()[0].model}, Node ${process.version}, ${versions.join(', ')}; one thread, batch ${batch}, ${rounds} interleaved rounds of ${options.milliseconds} ms; load ${os.loadavg()[0].toFixed(1)}`);

const milliseconds = Number(options.milliseconds);
const peak = new Engine('peak');
await peak.ask({ kind: 'load', engine: 'peak', target: 'simd128', model: '', batch: 1, input: { name: '', shape: [], values: [] } });
const rows: string[][] = [['net', 'us', 'spread', 'GMAC/s', 'of peak', 'onnxruntime-web us', 'spread', 'ratio']];
let product = 1;
let count = 0;
for (const file of files) {
  if (options.only && !options.only.split(',').includes(file.split('.')[0])) continue;
  const model = path.join(options.models!, file);
  const graph = infer(importOnnx(new Uint8Array(fs.readFileSync(model)), { name: file }), { batch });
  const name = graph.inputs[0];
  const shape = [...graph.values[name].shape!] as number[];
  let seed = 1;
  const values = Array.from({ length: shape.reduce((a, b) => a * b, 1) }, () => ((seed = (seed * 1103515245 + 12345) & 0x7fffffff) / 0x7fffffff) * 2 - 1);
  const engines = [new Engine('sigmaflow'), new Engine('onnxruntime-web')];
  try {
    const outputs: number[][] = [];
    for (const e of engines) outputs.push((await e.ask<{ output: number[] }>({ kind: 'load', engine: e.name, target: options.target, model, batch, input: { name, shape, values } })).output);
    const top = Math.max(...outputs[1].map(Math.abs));
    const error = Math.max(...outputs[1].map((v, i) => Math.abs(v - outputs[0][i]))) / top;
    // A fused 8-bit operator of the peer may round to the neighbouring step.
    if (!(error < (options.kind === 'f32' ? 1e-4 : 5e-2))) throw new Error(`outputs differ by ${error} of the largest`);
    for (const e of engines) await e.round(milliseconds * 3);
    engines.forEach((e) => (e.times.length = 0));
    peak.times.length = 0;
    for (let r = 0; r < rounds; r++) {
      for (const e of r % 2 === 0 ? engines : [...engines].reverse()) await e.round(milliseconds);
      await peak.round(milliseconds / 2);
    }
    const [ours, theirs] = engines;
    const macs = layers(graph).reduce((sum, l) => sum + l.macs, 0);
    const rate = macs / batch / ours.median() / 1000;
    const ratio = theirs.median() / ours.median();
    product *= ratio;
    count++;
    rows.push([file.split('.')[0], format(ours.median()), ours.spread(), format(rate), `${Math.round((rate * peak.median() * 1000) * 100)} %`, format(theirs.median()), theirs.spread(), ratio.toFixed(2)]);
  } finally {
    engines.forEach((e) => e.end());
  }
}
peak.end();
const widths = rows[0].map((_, c) => Math.max(...rows.map((r) => r[c].length)));
for (const r of rows) console.log(r.map((t, c) => (c === 0 ? t.padEnd(widths[c]) : t.padStart(widths[c]))).join('  '));
console.log(`geometric mean of the ratio ${(product ** (1 / count)).toFixed(2)}; peak ${format(1 / (peak.median() * 1000))} GMAC/s in the last net's rounds`);
