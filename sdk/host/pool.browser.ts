/** sigmaflow/pool for browsers: workers are Web Workers. Not here: what a pool does (sdk/pool/pool.ts). */
import type { ModuleSource } from '../runtime/model.js';
import type { ModelTypes } from '../runtime/session.js';
import { poolOn, type Pool, type PoolOptions as AnyPoolOptions } from '../pool/pool.js';
import type { Thread } from '../pool/transport.js';
import { browserCode } from './poolCode.js';

export { Pool } from '../pool/pool.js';

export interface PoolOptions extends AnyPoolOptions {
  /** Address of `sigmaflow/pool.worker.js` as the page serves it, for pages whose policy forbids workers from blob: addresses. */
  readonly worker?: string | URL;
}

/**
 * Loads a compiled model into a pool of Web Workers: `await (await createPool(fetch(url))).run({ input: images })`.
 *
 * Inputs and outputs travel in shared memory where the page is cross-origin isolated, else in messages.
 * @param source as for `load`.
 * @throws what `load` throws; pool/threads; pool/worker where a worker does not start.
 */
export function createPool<M extends ModelTypes = ModelTypes>(source: ModuleSource | Response | PromiseLike<ModuleSource | Response>, options: PoolOptions = {}): Promise<Pool<M>> {
  const advice = 'Where the page has a content security policy, allow `worker-src blob:`, or serve sigmaflow/pool.worker.js and pass its address: createPool(source, { worker }).';
  return poolOn<M>({ cores: navigator.hardwareConcurrency, advice, start: () => start(options.worker) }, source, options);
}

function start(address?: string | URL): Thread {
  const { text, url } = browserCode;
  const blob = address === undefined && text !== undefined ? URL.createObjectURL(new Blob([text], { type: 'text/javascript' })) : undefined;
  const worker = new Worker(blob ?? address ?? url!);
  return {
    post: (message, transfer = []) => worker.postMessage(message, transfer),
    listen(receive, lost) {
      worker.onmessage = ({ data }) => {
        if (blob !== undefined) URL.revokeObjectURL(blob);
        receive(data);
      };
      worker.onerror = (event) => {
        event.preventDefault();
        worker.terminate();
        lost(event.message || 'the engine does not say why');
      };
    },
    hold: () => undefined, // a page ends its workers
    end: () => worker.terminate(),
  };
}
