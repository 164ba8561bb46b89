/** An engine, seen from the parent, behind a connection to its process or page; and rounds that alternate between several. */
import { fork } from 'node:child_process';
import type { Failed, Load, Loaded, Round, Timed } from './engines/engine.js';
import { sampleOf, type Sample } from './statistics.js';

export interface Connection {
  ask(message: Load | Round): Promise<Loaded | Timed | Failed>;
  end(): void;
}

/** What runs engines, each apart. */
export interface Host {
  readonly name: string;
  readonly version: string;
  open(): Connection;
}

/** Processes of a Node. */
export function nodeHost(name: string, version: string, executable: string, worker: string): Host {
  const open = (): Connection => {
    const child = fork(worker, { execPath: executable, execArgv: [], stdio: ['ignore', 'ignore', 'pipe', 'ipc'] });
    let errors = '';
    let refuse: ((error: Error) => void) | undefined;
    child.stderr!.on('data', (chunk: Buffer) => void (errors = (errors + chunk.toString()).slice(-2000)));
    child.on('exit', (code, signal) => refuse?.(new Error(`the process ended (${signal ?? code}) ${errors.trim().split('\n').pop() ?? ''}`)));
    return {
      ask: (message) => new Promise((resolve, reject) => {
        refuse = reject;
        child.once('message', resolve as (answer: unknown) => void);
        child.send(message);
      }),
      end() {
        refuse = undefined;
        child.kill();
      },
    };
  };
  return { name, version, open };
}

/** The processor time counts nothing while others have the processor, and everything that helper threads do. */
export type Clock = 'wall' | 'cpu';

export class Engine {
  private readonly connection: Connection;
  times: number[] = [];
  /** Of the rounds' time, what the process had a processor for; NaN where its host does not tell. */
  busy: number[] = [];
  private warmed = false;

  constructor(readonly label: string, private readonly host: Host, private readonly clock: Clock) {
    this.connection = host.open();
  }

  private async ask<T extends { readonly ok: true }>(message: Load | Round): Promise<T> {
    const answer = await this.connection.ask(message);
    if (!answer.ok) throw new Error(answer.message);
    return answer as unknown as T;
  }

  load(message: Omit<Load, 'kind'>): Promise<Loaded> {
    return this.ask({ kind: 'load', ...message });
  }

  async round(milliseconds: number): Promise<void> {
    const { wall, cpu } = await this.ask<Timed>({ kind: 'round', milliseconds });
    if (this.clock === 'cpu' && !Number.isFinite(cpu)) throw new Error(`${this.host.name} does not tell processor time: --clock wall`);
    this.times.push(this.clock === 'wall' ? wall : cpu);
    this.busy.push(cpu / wall);
  }

  /**
   * Runs until it gets no faster: an engine compiles hot functions anew in the background, which takes a large runtime
   * more than a second. What follows a first model in the same process needs less.
   */
  async warm(): Promise<void> {
    const least = this.warmed ? 400 : 1500;
    this.warmed = true;
    this.times = [];
    this.busy = [];
    const start = performance.now();
    for (;;) {
      await this.round(100);
      // On a busy machine the processor's time counts: a process that waits does not warm up.
      const worked = 100 * this.busy.reduce((sum, b) => sum + (b < 1 ? b : 1), 0);
      const best = Math.min(...this.times.slice(-3));
      if (worked > 6000 || performance.now() - start > 30000 || (worked > least && this.times.length > 3 && best > 0.95 * Math.min(...this.times.slice(0, -3)))) break;
    }
    this.times = [];
    this.busy = [];
  }

  end(): void {
    this.connection.end();
  }
}

/** Warms all up, then alternates, every second turn backwards. Microseconds per inference by label. */
export async function interleave(engines: readonly Engine[], rounds: number, milliseconds: number): Promise<Record<string, Sample>> {
  for (const e of engines) await e.warm();
  for (let r = 0; r < rounds; r++) {
    for (const e of r % 2 === 0 ? engines : [...engines].reverse()) await e.round(milliseconds);
  }
  return Object.fromEntries(engines.map((e) => [e.label, sampleOf(e.times)]));
}
