/** The peers: what they are, which files they run, how far their outputs may be from the golden ones. */
import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import type { EngineName } from './engines/engine.js';
import { quantizedKind, type Network } from './networks.js';

export interface Peer {
  /** In tables and `--engines`. */
  readonly label: string;
  readonly engine: EngineName;
  readonly package: string;
  /** WebAssembly without relaxed SIMD, with it, or native code: what it is compared with. */
  readonly family: 'simd128' | 'relaxed' | 'native';
  readonly build?: 'compat' | 'relaxed';
}

export const peers: readonly Peer[] = [
  { label: 'onnxruntime-web', engine: 'onnxruntime-web', package: 'onnxruntime-web', family: 'simd128' },
  { label: 'tfjs', engine: 'tfjs', package: '@tensorflow/tfjs-backend-wasm', family: 'simd128' },
  { label: 'litert', engine: 'litert', package: '@litertjs/core', family: 'simd128', build: 'compat' },
  { label: 'litert relaxed', engine: 'litert', package: '@litertjs/core', family: 'relaxed', build: 'relaxed' },
  { label: 'onnxruntime-node', engine: 'onnxruntime-node', package: 'onnxruntime-node', family: 'native' },
];

const modules = new URL('node_modules/', import.meta.url).pathname;

/** The installed version, or undefined. */
export function versionOf(name: string): string | undefined {
  const file = path.join(modules, name, 'package.json');
  return existsSync(file) ? (JSON.parse(readFileSync(file, 'utf8')) as { version: string }).version : undefined;
}

/** The file that a peer runs for a network and batch, or why there is none. */
export function modelFile(peer: Peer, network: Network, batch: number, tflite: string): { readonly file: string } | { readonly none: string } {
  const float = network.kind === 'f32';
  if (peer.engine === 'tfjs') return float ? { file: network.file } : { none: 'it has no 8-bit operators' };
  if (peer.engine !== 'litert') return network.kind === quantizedKind ? { none: 'it does not read QONNX' } : { file: network.file };
  const file = path.join(tflite, `${network.name}.${float ? 'f32' : 'i8'}.b${batch}.tflite`);
  return existsSync(file) ? { file } : { none: 'no .tflite file' };
}

/**
 * What outputs are compared with, and the largest deviation allowed, in units of the largest output. Float networks differ
 * by rounding; 8-bit files by the step of a neighbour where operators were fused. Files that were quantized here (LiteRT's
 * by its own converter, ours by `sigmaflow quantize`) are held against the float network.
 */
export function allowance(engine: EngineName, network: Network): { readonly golden: Network['golden']; readonly limit: number } {
  if (network.kind === 'f32') return { golden: network.golden, limit: 1e-4 };
  return engine === 'litert' || network.kind === quantizedKind ? { golden: network.goldenFloat, limit: 0.2 } : { golden: network.golden, limit: 0.05 };
}
