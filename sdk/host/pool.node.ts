/** sigmaflow/pool for Node: workers are worker threads. Not here: what a pool does (sdk/pool/pool.ts). */
import { availableParallelism } from 'node:os';
import { Worker } from 'node:worker_threads';
import type { ModuleSource } from '../runtime/model.js';
import type { ModelTypes } from '../runtime/session.js';
import { poolOn, type Pool, type PoolOptions } from '../pool/pool.js';
import type { Host, Thread } from '../pool/transport.js';
import { nodeThread } from './nodeThread.js';
import { nodeCode } from './poolCode.js';

export { Pool, type PoolOptions } from '../pool/pool.js';

/**
 * Loads a compiled model into a pool of worker threads: `await (await createPool(bytes)).run({ input: images })`.
 *
 * The process may end while the pool is idle, closed or not.
 * @param source as for `load`.
 * @throws what `load` throws; pool/threads; pool/worker where a worker does not start.
 */
export function createPool<M extends ModelTypes = ModelTypes>(source: ModuleSource | Response | PromiseLike<ModuleSource | Response>, options: PoolOptions = {}): Promise<Pool<M>> {
  return poolOn<M>(host, source, options);
}

const host: Host = { cores: availableParallelism(), advice: 'Ask for fewer threads, or run the model in this one: model.run().', start };

function start(): Thread {
  const { text, url } = nodeCode;
  // Of the process's own arguments the text needs none: a loader of TypeScript, say, would start in every worker.
  return nodeThread(text === undefined ? new Worker(url!) : new Worker(text, { eval: true, execArgv: [] }));
}
