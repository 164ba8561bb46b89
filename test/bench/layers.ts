/**
 * Single kernels against the machine's limit. A network of four equal layers and one of a single such layer run in one
 * race: a third of the difference is what the kernel takes, without input, output and quantizers of the interface.
 */
import type { Graph } from '../../codegen/ir/graph.js';
import { GraphBuilder } from '../support/graphs.js';
import { Random } from '../support/random.js';
import { compiled, type Build } from './compiled.js';
import { withReference } from './generated.js';
import type { PeakName } from './engines/engine.js';
import type { Host } from './process.js';
import { singleRace, type Setting } from './race.js';
import { sampleOf, type Sample } from './statistics.js';

/** Square convolutions with as many outputs as inputs, in sizes of the benchmark's networks. */
export const kernels: readonly { readonly name: string; readonly channels: number; readonly height: number; readonly width: number; readonly kernel: 1 | 3 }[] = [
  { name: '3x3 16-16 32x32', channels: 16, height: 32, width: 32, kernel: 3 },
  { name: '3x3 32-32 16x16', channels: 32, height: 16, width: 16, kernel: 3 },
  { name: '3x3 64-64 8x8', channels: 64, height: 8, width: 8, kernel: 3 },
  { name: '1x1 32-32 24x24', channels: 32, height: 24, width: 24, kernel: 1 },
  { name: '1x1 64-64 25x5', channels: 64, height: 25, width: 5, kernel: 1 },
  { name: '1x1 128-128 6x6', channels: 128, height: 6, width: 6, kernel: 1 },
];

export interface KernelRate {
  readonly kernel: string;
  readonly kind: 'f32' | 'w8a8' | 'w8a7';
  readonly build: string;
  readonly host: string;
  readonly macs: number;
  /** Microseconds of one kernel. */
  readonly time: Sample;
  readonly peak: PeakName;
  /** Its rate over that of the micro-kernel, by rounds. */
  readonly share: Sample;
}

function stack(k: (typeof kernels)[number], kind: KernelRate['kind'], depth: number): Graph {
  const { channels: c, height, width, kernel } = k;
  const b = new GraphBuilder();
  const random = new Random(3);
  const bits = kind === 'w8a7' ? 7 : 8;
  // The second moment of uniform codes is a third: weights keep the mean square at one.
  const quantizer = (x: string): string => (kind === 'f32' ? x : b.quant(x, 3 / 2 ** bits, bits, { signed: 0, narrow: 0, rounding_mode: 'ROUND' }));
  let x = quantizer(b.node('Relu', [b.input('input', [1, c, height, width])]));
  for (let i = 0; i < depth; i++) {
    const count = c * c * kernel * kernel;
    const scale = Math.fround(2.4 / Math.sqrt(c * kernel * kernel) / 127);
    const weights = b.constant(`w${i}`, [c, c, kernel, kernel], Array.from({ length: count }, () => Math.fround(random.integer(-127, 127) * scale)));
    const w = kind === 'f32' ? weights : b.quant(weights, scale, 8, { signed: 1, narrow: 1, rounding_mode: 'ROUND' });
    const bias = b.constant(`b${i}`, [c], Array.from({ length: c }, () => random.float(-0.2, 0.2)));
    const pad = (kernel - 1) / 2;
    x = quantizer(b.node('Relu', [b.node('Conv', [x, w, bias], { kernel_shape: [kernel, kernel], pads: [pad, pad, pad, pad], strides: [1, 1], group: 1 })]));
  }
  return { ...b.build(x), name: `${k.name} ${kind} ${depth}` };
}

const depths = [1, 4] as const;

/** One kernel in one kind and build. */
export async function measureKernel(k: (typeof kernels)[number], kind: KernelRate['kind'], build: Build, peak: PeakName, host: Host, setting: Setting): Promise<KernelRate> {
  const contestants = [];
  for (const depth of depths) {
    const network = withReference(`${k.name} ${depth}`, kind, stack(k, kind, depth), [k.channels, k.height, k.width]);
    const { file } = await compiled(`layers.${network.name.replaceAll(' ', '_')}.${kind}`, network.graph, build, 1);
    contestants.push({ label: String(depth), load: { engine: 'sigmaflow' as const, file, batch: 1, shape: network.shape, examples: network.examples }, golden: network.golden, limit: kind === 'f32' ? 1e-4 : 2e-2 });
  }
  const { times, peaks, missing } = await singleRace(contestants, [{ name: peak }], host, setting);
  const [fault] = Object.values(missing);
  if (fault) throw new Error(`${k.name} ${kind}: ${fault}`);
  const macs = k.channels * k.channels * k.kernel * k.kernel * k.height * k.width;
  const rounds = times[depths[1]].rounds.map((t, i) => (t - times[depths[0]].rounds[i]) / (depths[1] - depths[0]));
  return { kernel: k.name, kind, build: build.target, host: host.name, macs, time: sampleOf(rounds), peak, share: sampleOf(rounds.map((t, i) => macs / t / peaks[peak]!.rounds[i])) };
}
