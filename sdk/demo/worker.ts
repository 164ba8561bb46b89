/**
 * The page's worker: fetches modules, runs them on pictures, times them. The page's thread is left to drawing. Messages are answered
 * in order; the page sends a new picture only when the last was answered.
 */
import { loadSync, type Session } from '../runtime/index.js';
import { answerOf, type Answer, type Method } from './answer.js';
import { fromPlanes } from './contents.js';

/** What the page asks. */
export type Request =
  | { readonly kind: 'run'; readonly number: number; readonly file: string; readonly method: Method; readonly samples: number; readonly input: Float32Array }
  | { readonly kind: 'time'; readonly number: number; readonly file: string; readonly method: Method; readonly samples: number; readonly input: Float32Array };

/** What it gets. */
export type Reply =
  | { readonly kind: 'answer'; readonly number: number; readonly answer: Answer; readonly outputs: Readonly<Record<string, Float32Array>> }
  | { readonly kind: 'timed'; readonly number: number; readonly microseconds: number; readonly runs: number }
  | { readonly kind: 'error'; readonly number: number; readonly message: string };

/** Milliseconds that a timing takes: far longer than the clock's steps, too short to be felt. */
const budget = 30;
/** Runs that it takes at least. */
const least = 5;

const sessions = new Map<string, Promise<Session>>();

/** A module from its file: gzipped, unless the server or the browser has unpacked it already. */
async function open(file: string): Promise<Session> {
  const response = await fetch(file);
  if (!response.ok) throw new Error(`${file}: the server answered ${response.status}`);
  const bytes = await response.arrayBuffer();
  const [first, second] = new Uint8Array(bytes);
  const packed = first === 0x1f && second === 0x8b;
  const planes = packed ? await new Response(new Blob([bytes]).stream().pipeThrough(new DecompressionStream('gzip'))).arrayBuffer() : bytes;
  return loadSync(fromPlanes(new Uint8Array(planes))).session();
}

async function reply(request: Request): Promise<Reply> {
  const { kind, number, file, method, samples, input } = request;
  let opening = sessions.get(file);
  if (!opening) sessions.set(file, (opening = open(file)));
  try {
    const session = await opening;
    const answer = answerOf(session, method, input, samples);
    if (kind === 'run') return { kind: 'answer', number, answer, outputs: Object.fromEntries(Object.entries(session.outputs).map(([name, view]) => [name, view.copy().data as Float32Array])) };
    let runs = 0;
    const start = performance.now();
    let end = start;
    for (; end - start < budget || runs < least; end = performance.now()) {
      const inRow = method === 'sample' ? 1 : 20;
      for (let i = 0; i < inRow; i++) session.run();
      runs += inRow;
    }
    return { kind: 'timed', number, runs, microseconds: (1000 * (end - start)) / runs };
  } catch (error) {
    sessions.delete(file);
    return { kind: 'error', number, message: (error as Error).message };
  }
}

self.addEventListener('message', ({ data }: MessageEvent<Request>) => {
  void reply(data).then((answer) => self.postMessage(answer));
});
