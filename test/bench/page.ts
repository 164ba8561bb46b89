/** A worker in a page of Chromium: the engines that run relaxed SIMD there. Files come from the benchmark by their paths. */
import type { Load, Loader, Round } from './engines/engine.js';
import { litertRunner, litertFiles, type LiteRt } from './engines/litertRunner.js';
import { peak } from './engines/peak.js';
import { sigmaflow } from './engines/sigmaflow.js';
import { Work } from './engines/work.js';

let started: Promise<LiteRt> | undefined;

const litert: Loader = async (message, read) => {
  started ??= (async () => {
    // @ts-ignore: a package of this folder, which is not there in every checkout
    const runtime = (await import('@litertjs/core')) as unknown as LiteRt;
    await runtime.loadLiteRt(`/litert/${litertFiles[message.build ?? 'compat']}`);
    return runtime;
  })();
  return litertRunner(await started, message, await read(message.file));
};

const read = async (file: string): Promise<Uint8Array> => new Uint8Array(await (await fetch(`/file?${encodeURIComponent(file)}`)).arrayBuffer());
// A page is not told its processor time.
const work = new Work({ sigmaflow, peak, litert }, read, () => NaN);

(globalThis as unknown as { answer: (message: Load | Round) => Promise<object> }).answer = (message) => work.answer(message);
