/**
 * Whole networks: the product's builds and the peers, batch by batch. Measures and returns plain data; what it means is in
 * reportInference.ts.
 */
import { compiled, labelOf, type Build } from './compiled.js';
import type { Network } from './networks.js';
import { allowance, modelFile, type Peer } from './peers.js';
import type { Host } from './process.js';
import { race, singleRace, Stable, type Contestant, type PeakAsked, type Race, type Setting } from './race.js';
import type { Sample } from './statistics.js';

export interface Inference extends Race {
  readonly network: string;
  readonly kind: string;
  readonly batch: number;
  readonly host: string;
  /** Multiply-adds of one inference. */
  readonly macs: number;
}

/** The product's builds of one network and batch. */
export async function ourContestants(network: Network, batch: number, builds: readonly Build[], missing: Record<string, string>): Promise<Contestant[]> {
  const found: Contestant[] = [];
  for (const build of builds) {
    const label = `sigmaflow ${labelOf(build)}`;
    try {
      const { file } = await compiled(`${network.name}.${network.kind}`, network.graph, build, batch);
      found.push({ label, load: { batch, shape: network.shape, examples: network.examples, engine: 'sigmaflow', file }, ...allowance('sigmaflow', network) });
    } catch (error) {
      missing[label] = (error as Error).message;
    }
  }
  return found;
}

function theirContestants(network: Network, batch: number, peers: readonly Peer[], tflite: string, missing: Record<string, string>): Contestant[] {
  return peers.flatMap((peer) => {
    const model = modelFile(peer, network, batch, tflite);
    if ('none' in model) {
      missing[peer.label] = model.none;
      return [];
    }
    const { engine, build, label } = peer;
    return [{ label, load: { batch, shape: network.shape, examples: network.examples, engine, file: model.file, build }, ...allowance(engine, network) }];
  });
}

/** One network on one host. A peer keeps its process over the batches. */
export async function measure(network: Network, batches: readonly number[], host: Host, builds: readonly Build[], peers: readonly Peer[], peaks: readonly PeakAsked[], setting: Setting): Promise<Inference[]> {
  const stable = new Stable(host, setting);
  const results: Inference[] = [];
  try {
    for (const batch of batches) {
      const missing: Record<string, string> = {};
      const contestants = [...(await ourContestants(network, batch, builds, missing)), ...theirContestants(network, batch, peers, setting.tflite, missing)];
      const result = await race(contestants, peaks, stable, setting, missing);
      for (const [label, why] of Object.entries(missing)) setting.say(`  ${network.name} ${network.kind} batch ${batch}: no ${label}: ${why}`);
      results.push({ network: network.name, kind: network.kind, batch, host: host.name, macs: network.macs, ...result });
    }
  } finally {
    stable.end();
  }
  return results;
}

export interface Batches {
  readonly network: string;
  readonly kind: string;
  /** Microseconds per inference, by batch. */
  readonly times: Readonly<Record<string, Sample>>;
}

/** The product alone at several batches in one race: what a batch gains. */
export async function measureBatches(network: Network, batches: readonly number[], host: Host, setting: Setting): Promise<Batches> {
  const missing: Record<string, string> = {};
  const contestants: Contestant[] = [];
  for (const batch of batches) contestants.push(...(await ourContestants(network, batch, [{ target: 'simd128' }], missing)).map((c) => ({ ...c, label: String(batch) })));
  const { times } = await singleRace(contestants, [], host, setting);
  return { network: network.name, kind: network.kind, times };
}
