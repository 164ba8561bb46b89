/**
 * Instructions that the engine's optimized code executes in an inference: exact where times are noise. valgrind counts a
 * process that makes N calls and one that makes none; the difference is the calls. It counts what V8 made for a processor
 * with AVX2, says nothing of caches or of how many instructions a cycle takes.
 */
import { spawnSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { compiled, scratch, type Build } from './compiled.js';
import type { Network } from './networks.js';

export interface Instructions {
  readonly network: string;
  readonly kind: string;
  readonly build: string;
  readonly macs: number;
  /** Executed instructions of one inference. */
  readonly count: number;
}

const script = `import { readFileSync } from 'node:fs';
const { instance } = await WebAssembly.instantiate(readFileSync(process.argv[2]));
for (let i = 0; i < Number(process.argv[3]); i++) instance.exports.run();
`;

/** Whether there is a valgrind. */
export function hasValgrind(): boolean {
  return spawnSync('valgrind', ['--version'], { stdio: 'ignore' }).status === 0;
}

function executed(file: string, module: string, calls: number): number {
  // One compiler (no first, quick code), one thread: nothing happens in one process that does not in the other.
  const flags = ['--no-liftoff', '--single-threaded'];
  const { stderr } = spawnSync('valgrind', ['--tool=callgrind', '--callgrind-out-file=/dev/null', '--smc-check=all-non-file', process.execPath, ...flags, file, module, String(calls)], { encoding: 'utf8', maxBuffer: 1 << 26 });
  const count = /Collected : (\d+)/.exec(stderr)?.[1];
  if (count === undefined) throw new Error(`valgrind: ${stderr.trim().split('\n').pop()}`);
  return Number(count);
}

export async function measureInstructions(network: Network, build: Build): Promise<Instructions> {
  const { file } = await compiled(`${network.name.replaceAll(' ', '_')}.${network.kind}`, network.graph, build, 1);
  const program = path.join(scratch, 'calls.mjs');
  writeFileSync(program, script);
  const calls = Math.min(200, Math.max(4, Math.ceil(2e7 / network.macs)));
  return { network: network.name, kind: network.kind, build: build.target, macs: network.macs, count: (executed(program, file, calls) - executed(program, file, 0)) / calls };
}
