/** A worker of node:worker_threads as a pool's thread. Not here: what text it runs (pool.node.ts). */
import type { Worker } from 'node:worker_threads';
import type { Thread } from '../pool/transport.js';

export function nodeThread(worker: Worker): Thread {
  return {
    post: (message, transfer) => worker.postMessage(message, transfer),
    listen(receive, lost) {
      let why = '';
      worker.on('message', receive);
      worker.on('error', (error) => (why = error.message));
      worker.on('exit', (code) => lost(why || `it exited with code ${code}`));
    },
    hold: (held) => (held ? worker.ref() : worker.unref()),
    end: () => void worker.terminate(),
  };
}
