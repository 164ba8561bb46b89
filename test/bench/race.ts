/**
 * A race: several engines on one host in interleaved rounds, their outputs compared before anything is timed, hand-made
 * micro-kernels among them. Every figure of whole networks and layers in this benchmark comes from a race.
 */
import { compiledPeak } from './compiled.js';
import type { Load, PeakName } from './engines/engine.js';
import { deviation } from './networks.js';
import { Engine, interleave, type Clock, type Host } from './process.js';
import { quantile, type Sample } from './statistics.js';

export interface Setting {
  readonly rounds: number;
  readonly milliseconds: number;
  readonly clock: Clock;
  /** What part of their rounds' time the processes had a processor for, a number a race; filled here. */
  readonly busy: number[];
  /** Where LiteRT's model files lie. */
  readonly tflite: string;
  /** What each engine said of its settings, by label; filled here. */
  readonly settings: Record<string, string>;
  readonly say: (line: string) => void;
}

export interface Contestant {
  readonly label: string;
  readonly load: Omit<Load, 'kind'>;
  /** Outputs of the examples, and how far they may be off in units of the largest. */
  readonly golden: readonly (readonly number[])[];
  readonly limit: number;
  /** Where it runs, if elsewhere than the others. */
  readonly host?: Host;
}

export interface Race {
  /** Microseconds per inference, by label. */
  readonly times: Readonly<Record<string, Sample>>;
  /** Work per microsecond of the micro-kernels: multiply-adds, for `read` bytes. */
  readonly peaks: Readonly<Partial<Record<PeakName, Sample>>>;
  /** The largest deviation from the golden outputs, in units of the largest of them. */
  readonly deviations: Readonly<Record<string, number>>;
  /** Why a label has no time. */
  readonly missing: Readonly<Record<string, string>>;
}

export interface PeakAsked {
  readonly name: PeakName;
  /** For `read`: bytes of the block. */
  readonly bytes?: number;
}

/** Processes that outlive a race, by label: a peer's runtime stays warm from batch to batch. */
export class Stable {
  private readonly kept = new Map<string, Engine>();

  constructor(readonly host: Host, private readonly setting: Setting) {}

  /** The process of a label; a new one where there is none or `fresh`. */
  process(label: string, fresh: boolean, host = this.host): Engine {
    if (fresh) this.kept.get(label)?.end();
    const known = fresh ? undefined : this.kept.get(label);
    const engine = known ?? new Engine(label, host, this.setting.clock);
    this.kept.set(label, engine);
    return engine;
  }

  end(): void {
    for (const e of this.kept.values()) e.end();
  }
}

/** Runs a race. Modules of ours get a fresh process each, so that none inherits another's warm code. */
export async function race(contestants: readonly Contestant[], asked: readonly PeakAsked[], stable: Stable, setting: Setting, missing: Record<string, string> = {}): Promise<Race> {
  const deviations: Record<string, number> = {};
  const running: Engine[] = [];
  const works: Partial<Record<PeakName, number>> = {};
  for (const { name, bytes } of asked) {
    const { file, peak } = await compiledPeak(name, bytes);
    const engine = stable.process(name, true);
    await engine.load({ engine: 'peak', file, peak, batch: 1, shape: [], examples: [] });
    works[name] = peak.work;
    running.push(engine);
  }
  for (const { label, load, golden, limit, host } of contestants) {
    const engine = stable.process(label, load.engine === 'sigmaflow', host);
    try {
      const { outputs, settings } = await engine.load(load);
      if (load.engine !== 'sigmaflow' || label.startsWith('sigmaflow')) setting.settings[label] = settings;
      deviations[label] = deviation(outputs, golden);
      if (deviations[label] <= limit) running.push(engine);
      else missing[label] = `outputs differ from the golden ones by ${deviations[label].toPrecision(2)} of the largest`;
    } catch (error) {
      missing[label] = (error as Error).message;
    }
  }
  const measured = await interleave(running, setting.rounds, setting.milliseconds);
  const busy = running.flatMap((e) => e.busy).filter(Number.isFinite);
  if (busy.length > 0) setting.busy.push(quantile(busy, 0.5));
  const peaks = Object.fromEntries(asked.map(({ name }) => [name, rateOf(works[name]!, measured[name])]));
  const times = Object.fromEntries(Object.entries(measured).filter(([label]) => !(label in works)));
  return { times, peaks, deviations, missing };
}

function rateOf(work: number, time: Sample): Sample {
  return { median: work / time.median, low: work / time.high, high: work / time.low, rounds: time.rounds.map((t) => work / t) };
}

/** The race, told of a single host that ends with it. */
export async function singleRace(contestants: readonly Contestant[], asked: readonly PeakAsked[], host: Host, setting: Setting): Promise<Race> {
  const stable = new Stable(host, setting);
  try {
    return await race(contestants, asked, stable, setting);
  } finally {
    stable.end();
  }
}
