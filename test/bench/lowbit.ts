/** Networks of fewer bits: one shape in several widths in one race, and the trained networks of examples/models. */
import { exampleAnswers, exampleImages, exampleNetworks } from '../models/networks.js';
import { importOnnx } from '../../codegen/import/onnx.js';
import { compiled, type Build } from './compiled.js';
import { generatedNetwork, shapes } from './generated.js';
import { macsOf, type Network } from './networks.js';
import type { Host } from './process.js';
import { singleRace, type Contestant, type Setting } from './race.js';
import type { Sample } from './statistics.js';

export interface Widths {
  readonly shape: string;
  readonly batch: number;
  readonly macs: number;
  /** Microseconds per inference by width: f32, w8a8, w4a4 ... */
  readonly times: Readonly<Record<string, Sample>>;
  /** Bytes of the modules. */
  readonly bytes: Readonly<Record<string, number>>;
  readonly missing: Readonly<Record<string, string>>;
}

/** Outputs of generated networks are compared with a float64 reference: float32 sums of a thousand products stay below this. */
const limit = 1e-4;

async function contestant(network: Network, build: Build, batch: number, label: string, bytes: Record<string, number>, missing: Record<string, string>): Promise<Contestant[]> {
  try {
    const { file, artifact } = await compiled(`${network.name.replaceAll(' ', '_')}.${network.kind}`, network.graph, build, batch);
    bytes[label] = artifact.wasm.length;
    return [{ label, load: { engine: 'sigmaflow', file, batch, shape: network.shape, examples: network.examples }, golden: network.golden, limit }];
  } catch (error) {
    missing[label] = (error as Error).message;
    return [];
  }
}

/** One shape in all its widths, in one race. */
export async function measureWidths(shape: string, batch: number, host: Host, build: Build, setting: Setting): Promise<Widths> {
  const networks = shapes[shape].bits.map((bits) => generatedNetwork(shape, bits));
  const [bytes, missing]: [Record<string, number>, Record<string, string>] = [{}, {}];
  const contestants: Contestant[] = [];
  for (const network of networks) contestants.push(...(await contestant(network, build, batch, network.kind, bytes, missing)));
  const result = await singleRace(contestants, [], host, setting);
  for (const [label, why] of Object.entries({ ...missing, ...result.missing })) setting.say(`  ${shape} batch ${batch}: no ${label}: ${why}`);
  return { shape, batch, macs: networks[0].macs, times: result.times, bytes, missing: { ...missing, ...result.missing } };
}

/** The trained networks, with the images and answers that examples/models/expected.json holds. */
export function trainedNetworks(only?: readonly string[]): Network[] {
  return exampleNetworks().flatMap(({ name, bytes }) => {
    const short = name.replace('.onnx', '');
    if (only && !only.includes(short)) return [];
    const graph = importOnnx(bytes, { name: short });
    const answer = Object.values(exampleAnswers).find((a) => a.file === name)!;
    const { pixels } = exampleImages(answer.data);
    const count = 4;
    const examples = Array.from({ length: count }, (_, i) => Array.from(pixels.subarray(i * 784, (i + 1) * 784)));
    const golden = answer.first16.logits.slice(0, count);
    return [{ name: short, kind: 'trained', file: '', graph, shape: [1, 28, 28], examples, golden, goldenFloat: golden, macs: macsOf(graph) }];
  });
}

/** A trained network at several batches, in one race. */
export async function measureTrained(network: Network, batches: readonly number[], host: Host, build: Build, setting: Setting): Promise<Widths> {
  const [bytes, missing]: [Record<string, number>, Record<string, string>] = [{}, {}];
  const contestants: Contestant[] = [];
  for (const batch of batches) contestants.push(...(await contestant(network, build, batch, `batch ${batch}`, bytes, missing)));
  const result = await singleRace(contestants, [], host, setting);
  return { shape: network.name, batch: 0, macs: network.macs, times: result.times, bytes, missing: { ...missing, ...result.missing } };
}
