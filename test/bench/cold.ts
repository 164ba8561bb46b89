/** Cold starts of the product and the peers, and compile times, each in fresh processes, in turn. */
import { spawnSync } from 'node:child_process';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import type { ColdStart } from './coldstart.mjs';
import { compiled } from './compiled.js';
import type { Network } from './networks.js';
import { modelFile, type Peer } from './peers.js';
import type { Clock } from './process.js';
import { sampleOf, type Sample } from './statistics.js';

export interface Cold {
  readonly network: string;
  readonly kind: string;
  /** Milliseconds from before the import to the first answer, by label. */
  readonly total: Readonly<Record<string, Sample>>;
  /** Of these, import and model. */
  readonly load: Readonly<Record<string, Sample>>;
}

function run(executable: string, argv: readonly string[]): { readonly stdout: string; readonly stderr: string } {
  const { status, stdout, stderr } = spawnSync(executable, argv, { encoding: 'utf8', maxBuffer: 1 << 26 });
  if (status !== 0) throw new Error(stderr.trim().split('\n').find((l) => l.includes('Error')) ?? `status ${status}`);
  return { stdout, stderr };
}

/** One network; every turn starts each engine once. `root` is the built package. */
export async function measureCold(network: Network, turns: number, clock: Clock, script: string, root: string, peers: readonly Peer[], tflite: string, say: (line: string) => void): Promise<Cold> {
  const { file } = await compiled(`${network.name}.${network.kind}`, network.graph, { target: 'simd128' }, 1);
  const runtime = pathToFileURL(path.join(root, 'dist/runtime.js')).href;
  const starts: { label: string; start: ColdStart }[] = [{ label: 'sigmaflow simd128', start: { engine: 'sigmaflow', file, runtime, batch: 1, shape: network.shape } }];
  for (const peer of peers) {
    const model = modelFile(peer, network, 1, tflite);
    if ('file' in model) starts.push({ label: peer.label, start: { engine: peer.engine, file: model.file, runtime, batch: 1, shape: network.shape, build: peer.build } });
  }
  const [totals, loads]: [Record<string, number[]>, Record<string, number[]>] = [{}, {}];
  const broken = new Set<string>();
  for (let turn = -1; turn < turns; turn++) {
    for (const { label, start } of turn % 2 === 0 ? starts : [...starts].reverse()) {
      if (broken.has(label)) continue;
      try {
        const { totalMs, loadMs, cpuMs } = JSON.parse(run(process.execPath, [script, JSON.stringify(start)]).stdout) as Record<'totalMs' | 'loadMs' | 'cpuMs', number>;
        if (turn < 0) continue; // files come into the system's cache
        (totals[label] ??= []).push(clock === 'wall' ? totalMs : cpuMs);
        (loads[label] ??= []).push((clock === 'wall' ? 1 : cpuMs / totalMs) * loadMs);
      } catch (error) {
        broken.add(label);
        say(`  ${network.name} ${network.kind}: no cold start of ${label}: ${(error as Error).message}`);
      }
    }
  }
  const samples = (of: Record<string, number[]>): Record<string, Sample> => Object.fromEntries(Object.entries(of).map(([label, values]) => [label, sampleOf(values)]));
  return { network: network.name, kind: network.kind, total: samples(totals), load: samples(loads) };
}

export interface CompileTime {
  readonly network: string;
  readonly kind: string;
  /** Seconds of the call `compile` in a fresh process, the assembler's start included. */
  readonly call: Sample;
  /** Seconds of the whole command, from start to exit. */
  readonly command: Sample;
}

/** Prints what a process has used when it exits. */
const tellTime = "data:text/javascript,process.on('exit',()=>{const{user,system}=process.cpuUsage();process.stderr.write('\\nUSED '+(user+system))})";

/** Compile times with the built package. */
export function measureCompile(network: Network, turns: number, clock: Clock, root: string, folder: string): CompileTime {
  const code = `
    const { readFileSync } = await import('node:fs');
    const { compile } = await import(${JSON.stringify(pathToFileURL(path.join(root, 'dist/index.js')).href)});
    const bytes = new Uint8Array(readFileSync(${JSON.stringify(network.file)}));
    const [wall, cpu] = [performance.now(), process.cpuUsage()];
    await compile(bytes);
    const { user, system } = process.cpuUsage(cpu);
    console.log(${clock === 'wall' ? 'performance.now() - wall' : '(user + system) / 1000'});`;
  const command = ['--import', tellTime, path.join(root, 'bin/sigmaflow.mjs'), 'compile', network.file, '-o', folder];
  const [calls, commands]: [number[], number[]] = [[], []];
  for (let turn = 0; turn < turns; turn++) {
    calls.push(Number(run(process.execPath, ['--input-type=module', '-e', code]).stdout.trim()) / 1000);
    const start = performance.now();
    const { stderr } = run(process.execPath, command);
    const wall = performance.now() - start;
    commands.push(clock === 'wall' ? wall / 1000 : Number(/USED (\d+)/.exec(stderr)![1]) / 1e6);
  }
  return { network: network.name, kind: network.kind, call: sampleOf(calls), command: sampleOf(commands) };
}
