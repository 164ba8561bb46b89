/** torch in a Python process, as a host of engines; a line of JSON for each message. */
import { spawn, spawnSync } from 'node:child_process';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import type { Failed, Loaded, Timed } from '../engines/engine.js';
import type { Host } from '../process.js';

const script = fileURLToPath(new URL('torchWorker.py', import.meta.url));

/** A Python that has torch, or a sentence. */
export function torchHost(asked: string | undefined): Host | string {
  const python = asked ?? process.env.SIGMAFLOW_TORCH_PYTHON ?? 'python3';
  const found = spawnSync(python, ['-c', 'import torch, numpy; print(torch.__version__)'], { encoding: 'utf8' });
  if (found.status !== 0) return 'torch: this Python has none. Give one with numpy 1.26.4 and torch 2.5.1 by --python FILE';
  return {
    name: 'torch', version: found.stdout.trim(),
    open() {
      const child = spawn(python, [script], { stdio: ['pipe', 'pipe', 'pipe'] });
      const lines = createInterface({ input: child.stdout });
      let errors = '';
      let refuse: ((error: Error) => void) | undefined;
      child.stderr.on('data', (chunk: Buffer) => void (errors = (errors + chunk.toString()).slice(-2000)));
      child.on('exit', (code, signal) => refuse?.(new Error(`torch ended (${signal ?? code}) ${errors.trim().split('\n').pop() ?? ''}`)));
      return {
        ask: (message) => new Promise((resolve, reject) => {
          refuse = reject;
          lines.once('line', (line) => resolve(JSON.parse(line) as Loaded | Timed | Failed));
          child.stdin.write(`${JSON.stringify(message)}\n`);
        }),
        end() {
          refuse = undefined;
          child.kill();
        },
      };
    },
  };
}
