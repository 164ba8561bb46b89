/**
 * Asks the worker: one picture at a time, always the newest; whatever came while it was busy is left out but for the last. When
 * nothing new comes for a while, it has the module timed.
 */
import type { Answer } from '../answer.js';
import type { DemoModule } from '../contents.js';
import type { Reply, Request } from '../worker.js';

export interface Job {
  readonly module: DemoModule;
  /** Of weights; 0 where none are drawn. */
  readonly samples: number;
  readonly pixels: Uint8Array;
  readonly input: Float32Array;
}

export interface RunnerEvents {
  readonly answered: (job: Job, answer: Answer, outputs: Readonly<Record<string, Float32Array>>) => void;
  readonly timed: (job: Job, microseconds: number, runs: number) => void;
  readonly failed: (message: string) => void;
}

/** Milliseconds of rest before a timing. */
const rest = 350;

export class Runner {
  readonly #worker: Worker;
  #next?: Job;
  #current?: { readonly number: number; readonly job: Job };
  #number = 0;
  #timer = 0;

  constructor(address: string, readonly events: RunnerEvents) {
    this.#worker = new Worker(address, { type: 'module' });
    this.#worker.addEventListener('message', ({ data }: MessageEvent<Reply>) => this.#reply(data));
    this.#worker.addEventListener('error', () => events.failed(`${address} could not be loaded`));
  }

  ask(job: Job): void {
    clearTimeout(this.#timer);
    this.#next = job;
    this.#send();
  }

  /** Forgets what was asked. */
  cancel(): void {
    clearTimeout(this.#timer);
    this.#next = undefined;
    this.#number++;
  }

  #send(kind: Request['kind'] = 'run'): void {
    if (this.#current || !this.#next) return;
    const job = this.#next;
    if (kind === 'run') this.#next = undefined;
    const { module: { file, method }, samples, input } = job;
    this.#current = { number: ++this.#number, job };
    this.#worker.postMessage({ kind, number: this.#number, file, method, samples, input } satisfies Request);
  }

  #reply(reply: Reply): void {
    const asked = this.#current;
    this.#current = undefined;
    if (asked && reply.number === asked.number && this.#number === asked.number) {
      if (reply.kind === 'error') this.events.failed(reply.message);
      else if (reply.kind === 'timed') this.events.timed(asked.job, reply.microseconds, reply.runs);
      else {
        this.events.answered(asked.job, reply.answer, reply.outputs);
        if (!this.#next) this.#timer = window.setTimeout(() => this.#time(asked.job), rest);
      }
    }
    this.#send();
  }

  #time(job: Job): void {
    this.#next = job;
    this.#send('time');
    this.#next = undefined;
  }
}
