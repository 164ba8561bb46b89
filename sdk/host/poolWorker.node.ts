/** A pool's worker as a Node worker thread. Not here: what it does (sdk/pool/worker.ts). */
import { parentPort } from 'node:worker_threads';
import { serve } from '../pool/worker.js';

serve({
  post: (message, transfer) => parentPort!.postMessage(message, transfer),
  listen: (receive) => void parentPort!.on('message', receive),
});
