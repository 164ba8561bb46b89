/**
 * A hand-made micro-kernel of the product (sdk/profile/peaks.ts), assembled by the parent: what a call takes when only the
 * inner loop counts.
 */
import type { Load, Read, Runner } from './engine.js';

export async function peak({ file, peak }: Load, read: Read): Promise<Runner> {
  const { name, times, bytes } = peak!;
  const exports = (await WebAssembly.instantiate((await read(file)) as BufferSource)).instance.exports as unknown as Record<string, (...given: number[]) => void>;
  // Pages that nothing has written are one page of zeros, which every cache holds.
  if (name === 'read') exports.write(bytes, 1);
  const nothing = new Float32Array(0);
  return {
    settings: 'micro-kernel',
    feed: () => undefined,
    infer() {
      if (name === 'read') exports.read(bytes, times);
      else exports[name](times);
      return nothing;
    },
  };
}
