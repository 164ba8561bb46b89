/** A pool's worker as a Web Worker. Not here: what it does (sdk/pool/worker.ts). */
import { serve } from '../pool/worker.js';

serve({
  post: (message, transfer = []) => (postMessage as (message: unknown, transfer: ArrayBuffer[]) => void)(message, transfer),
  listen: (receive) => addEventListener('message', ({ data }: MessageEvent) => receive(data)),
});
