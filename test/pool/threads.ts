/** A host for pools whose workers a test can kill, and a module that can be made to never end. */
import { Worker } from 'node:worker_threads';
import { finishModule } from '../../codegen/emit/module.js';
import { assemble } from '../../sdk/host/assembler.js';
import { nodeThread } from '../../sdk/host/nodeThread.js';
import { nodeCode } from '../../sdk/host/poolCode.js';
import type { Host, Thread } from '../../sdk/pool/transport.js';
import { tinyData, tinyManifest, tinySource } from '../runtime/tiny.js';

/** `tinyModule`, which also runs for ever where the gain is 99. */
export async function endlessModule(batch: number): Promise<Uint8Array<ArrayBuffer>> {
  const source = tinySource(batch).replace('if (gain == 13)', 'while (load<f32>(3072) == 99) {}\n  if (gain == 13)');
  const { binary } = await assemble({ 'entry.ts': source }, { entry: 'entry.ts', features: ['simd128'], memoryBase: 8192, pages: 1, optimizeLevel: 0, shrinkLevel: 0 });
  return finishModule(binary, { data: tinyData, manifest: tinyManifest(batch) });
}

/** Worker threads, every one that was started in order, with what they run. While it is `deaf`, nobody hears that one ended. */
export function killable(code: string | URL = nodeCode.url!): Host & { readonly workers: Worker[]; deaf: boolean } {
  const workers: Worker[] = [];
  const host = {
    cores: 2,
    advice: 'Start none.',
    workers,
    start() {
      const worker = typeof code === 'string' ? new Worker(code, { eval: true }) : new Worker(code);
      workers.push(worker);
      const thread = nodeThread(worker);
      return { ...thread, listen: (receive: Parameters<Thread['listen']>[0], lost: (why: string) => void) => thread.listen(receive, (why) => host.deaf || lost(why)) };
    },
    deaf: false,
  };
  return host;
}
