/** Dense networks at batch 1 read every weight once: their limit is the slower of multiply-adds and reading. */
import { logicalBytes } from './bytes.js';
import { compiled } from './compiled.js';
import { ourContestants } from './inference.js';
import type { Network } from './networks.js';
import type { Host } from './process.js';
import { singleRace, type Setting } from './race.js';
import type { Sample } from './statistics.js';

export interface DenseLimit {
  readonly network: string;
  readonly kind: string;
  readonly time: Sample;
  /** Bytes that have to be read, and bytes per microsecond of the reader over a block of that size. */
  readonly bytes: number;
  readonly read: Sample;
  /** Multiply-adds of one inference, and per microsecond of the micro-kernel. */
  readonly macs: number;
  readonly product: Sample;
}

export async function measureDense(network: Network, host: Host, setting: Setting): Promise<DenseLimit> {
  const missing: Record<string, string> = {};
  const [ours] = await ourContestants(network, 1, [{ target: 'simd128' }], missing);
  const { artifact } = await compiled(`${network.name}.${network.kind}`, network.graph, { target: 'simd128' }, 1);
  const bytes = logicalBytes(artifact.graph);
  const peak = network.kind === 'f32' ? 'float32' : 'dot16';
  const result = await singleRace([ours], [{ name: 'read', bytes }, { name: peak }], host, setting);
  const [fault] = Object.values({ ...missing, ...result.missing });
  if (fault) throw new Error(`${network.name} ${network.kind}: ${fault}`);
  return { network: network.name, kind: network.kind, time: result.times[ours.label], bytes, read: result.peaks.read!, macs: network.macs, product: result.peaks[peak]! };
}
