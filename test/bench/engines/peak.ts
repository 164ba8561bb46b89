/** A hand-made micro-kernel (../peak.ts), assembled by the parent: what a call takes when only the inner loop counts. */
import type { Load, Read, Runner } from './engine.js';

export async function peak(message: Load, read: Read): Promise<Runner> {
  const { exports } = (await WebAssembly.instantiate((await read(message.file)) as BufferSource)).instance;
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
