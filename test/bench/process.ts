/** An engine's process, seen from the parent; and rounds that alternate between several. */
import { fork, type ChildProcess } from 'node:child_process';
import type { Failed, Load, Loaded, Round, Timed } from './engines/engine.js';
import { sampleOf, type Sample } from './statistics.js';

/** What runs a worker. */
export interface Host {
  readonly name: string;
  readonly version: string;
  readonly executable: string;
  readonly flags: readonly string[];
}

/** The processor time counts nothing while others have the processor, and everything that helper threads do. */
export type Clock = 'wall' | 'cpu';

export class EngineProcess {
  private readonly child: ChildProcess;
  private refuse: ((error: Error) => void) | undefined;
  times: number[] = [];
  /** Of the rounds' time, what the process had a processor for. */
  busy: number[] = [];
  private warmed = false;

  constructor(readonly label: string, host: Host, worker: string, private readonly clock: Clock) {
    this.child = fork(worker, { execPath: host.executable, execArgv: [...host.flags], stdio: ['ignore', 'ignore', 'pipe', 'ipc'] });
    let errors = '';
    this.child.stderr!.on('data', (chunk: Buffer) => void (errors = (errors + chunk.toString()).slice(-2000)));
    this.child.on('exit', (code, signal) => this.refuse?.(new Error(`the process ended (${signal ?? code}) ${errors.trim().split('\n').pop() ?? ''}`)));
  }

  private ask<T extends { readonly ok: true }>(message: Load | Round): Promise<T> {
    return new Promise((resolve, reject) => {
      this.refuse = reject;
      this.child.once('message', (answer: T | Failed) => (answer.ok ? resolve(answer) : reject(new Error(answer.message))));
      this.child.send(message);
    });
  }

  load(message: Omit<Load, 'kind'>): Promise<Loaded> {
    return this.ask({ kind: 'load', ...message });
  }

  async round(milliseconds: number): Promise<void> {
    const { wall, cpu } = await this.ask<Timed>({ kind: 'round', milliseconds });
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
      const worked = 100 * this.busy.reduce((sum, b) => sum + Math.min(b, 1), 0);
      const best = Math.min(...this.times.slice(-3));
      if (worked > 6000 || performance.now() - start > 30000 || (worked > least && this.times.length > 3 && best > 0.95 * Math.min(...this.times.slice(0, -3)))) break;
    }
    this.times = [];
    this.busy = [];
  }

  end(): void {
    this.refuse = undefined;
    this.child.kill();
  }
}

/** Warms all up, then alternates, every second turn backwards. Microseconds per inference by label. */
export async function interleave(engines: readonly EngineProcess[], rounds: number, milliseconds: number): Promise<Record<string, Sample>> {
  for (const e of engines) await e.warm();
  for (let r = 0; r < rounds; r++) {
    for (const e of r % 2 === 0 ? engines : [...engines].reverse()) await e.round(milliseconds);
  }
  return Object.fromEntries(engines.map((e) => [e.label, sampleOf(e.times)]));
}
