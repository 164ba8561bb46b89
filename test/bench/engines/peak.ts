/** A hand-made micro-kernel (../peak.ts), assembled by the parent: what a call takes when only the inner loop counts. */
import { readFileSync } from 'node:fs';
import type { Load, Runner } from './engine.js';

export async function peak(message: Load): Promise<Runner> {
  const { exports } = new WebAssembly.Instance(new WebAssembly.Module(readFileSync(message.file)));
  const { memory, run } = exports as { memory: WebAssembly.Memory; run: () => void };
  // Ordinary numbers: zeros and denormals may take another time.
  new Float32Array(memory.buffer, 1024, 8192).fill(0.5);
  const nothing = new Float32Array(0);
  return {
    settings: 'micro-kernel',
    feed: () => undefined,
    infer() {
      run();
      return nothing;
    },
  };
}
