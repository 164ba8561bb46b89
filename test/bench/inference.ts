/**
 * Whole networks: the product's builds and the peers in one interleaved run a network and batch, outputs compared first.
 * Measures and returns plain data; what it means is in report.ts.
 */
import { compiled, compiledPeak, labelOf, type Build } from './compiled.js';
import type { Load } from './engines/engine.js';
import { deviation, type Network } from './networks.js';
import type { PeakName } from './peak.js';
import { allowance, modelFile, type Peer } from './peers.js';
import { EngineProcess, interleave, type Host } from './process.js';
import type { Spread } from './statistics.js';

export interface Inference {
  readonly network: string;
  readonly kind: string;
  readonly batch: number;
  /** The host's name. */
  readonly host: string;
  /** Multiply-adds of one inference. */
  readonly macs: number;
  /** Microseconds per inference, by label. */
  readonly times: Readonly<Record<string, Spread>>;
  /** Multiply-adds per microsecond of micro-kernels in the same rounds. */
  readonly peaks: Readonly<Partial<Record<PeakName, Spread>>>;
  /** The largest deviation from the golden outputs, in units of the largest of them. */
  readonly deviations: Readonly<Record<string, number>>;
  /** Why a label has no time. */
  readonly missing: Readonly<Record<string, string>>;
}

export interface Setting {
  readonly worker: string;
  readonly rounds: number;
  readonly milliseconds: number;
  readonly tflite: string;
  /** Versions and flags, by label; filled here. */
  readonly settings: Record<string, string>;
  readonly say: (line: string) => void;
}

interface Contestant {
  readonly label: string;
  readonly load: Omit<Load, 'kind'>;
  readonly golden: Network['golden'];
  readonly limit: number;
}

/** The contestants of one network and batch; those that cannot run are told in `missing`. */
async function contestantsOf(network: Network, batch: number, builds: readonly Build[], peers: readonly Peer[], tflite: string, missing: Record<string, string>): Promise<Contestant[]> {
  const found: Contestant[] = [];
  const common = { batch, shape: network.shape, examples: network.examples };
  for (const build of builds) {
    const label = `sigmaflow ${labelOf(build)}`;
    try {
      const { file } = await compiled(`${network.name}.${network.kind}`, network.graph, build, batch);
      found.push({ label, load: { ...common, engine: 'sigmaflow', file }, ...allowance('sigmaflow', network) });
    } catch (error) {
      missing[label] = (error as Error).message;
    }
  }
  for (const peer of peers) {
    const model = modelFile(peer, network, batch, tflite);
    if ('none' in model) missing[peer.label] = model.none;
    else found.push({ label: peer.label, load: { ...common, engine: peer.engine, file: model.file, build: peer.build }, ...allowance(peer.engine, network) });
  }
  return found;
}

/** One network on one host. A peer keeps its process over the batches; every module of ours has a process of its own. */
export async function measure(network: Network, batches: readonly number[], host: Host, builds: readonly Build[], peers: readonly Peer[], peakNames: readonly PeakName[], setting: Setting): Promise<Inference[]> {
  const kept = new Map<string, EngineProcess>();
  const works: Partial<Record<PeakName, number>> = {};
  const process = (label: string): EngineProcess => {
    const engine = new EngineProcess(label, host, setting.worker);
    kept.set(label, engine);
    return engine;
  };
  const results: Inference[] = [];
  try {
    for (const name of peakNames) {
      const { file, work } = await compiledPeak(name);
      await process(name).load({ engine: 'peak', file, batch: 1, shape: [], examples: [] });
      works[name] = work;
    }
    for (const batch of batches) {
      const missing: Record<string, string> = {};
      const deviations: Record<string, number> = {};
      const running = peakNames.map((name) => kept.get(name)!);
      for (const { label, load, golden, limit } of await contestantsOf(network, batch, builds, peers, setting.tflite, missing)) {
        if (load.engine === 'sigmaflow') kept.get(label)?.end();
        const engine = (load.engine === 'sigmaflow' ? undefined : kept.get(label)) ?? process(label);
        try {
          const { outputs, settings } = await engine.load(load);
          setting.settings[label] = settings;
          deviations[label] = deviation(outputs, golden);
          if (deviations[label] <= limit) running.push(engine);
          else missing[label] = `outputs differ from the golden ones by ${deviations[label].toPrecision(2)} of the largest`;
        } catch (error) {
          missing[label] = (error as Error).message;
        }
      }
      for (const [label, why] of Object.entries(missing)) setting.say(`  ${network.name} ${network.kind} batch ${batch}: no ${label}: ${why}`);
      const measured = await interleave(running, setting.rounds, setting.milliseconds);
      const peaks = Object.fromEntries(peakNames.map((name) => [name, rate(works[name]!, measured[name])]));
      const times = Object.fromEntries(Object.entries(measured).filter(([label]) => !(label in works)));
      results.push({ network: network.name, kind: network.kind, batch, host: host.name, macs: network.macs, times, peaks, deviations, missing });
    }
    return results;
  } finally {
    for (const e of kept.values()) e.end();
  }
}

/** Work per microsecond. */
function rate(work: number, time: Spread): Spread {
  return { median: work / time.median, low: work / time.high, high: work / time.low };
}
