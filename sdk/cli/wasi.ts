/**
 * A model's WASI command, run under Node's own WASI as a device would run it: .npy on standard input, .npy on standard
 * output. Only `verify` needs it; modules without WASI run in the runtime.
 */
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { fail } from '../../codegen/ir/diagnostic.js';
import { readNpyStream, writeNpy, type NpySource } from '../data/npy.js';
import type { Inputs, NumericArray, Slot, Tensor } from './tensors.js';

/** All inferences through one run of the command. Raises run/status with the command's own words where it fails. */
export async function runWasi(command: Uint8Array, inputs: Inputs, inputSlots: readonly Slot[], outputSlots: readonly Slot[]): Promise<Record<string, Tensor>> {
  const arrays = inputSlots.map(({ name }) => writeNpy(inputs.tensors[name] as NpySource));
  const { status, output, words } = await start(command, Buffer.concat(arrays));
  if (status !== 0) fail('target/unsupported', 'wasi', `the WASI command ended with status ${status}: ${words.trim() || 'it said nothing'}`, 'This is a fault of the compiler. Report it with the model.');
  const results = readNpyStream(output, 'the output of the WASI command');
  return Object.fromEntries(outputSlots.map(({ name }, i) => [name, { shape: results[i].shape, data: results[i].data as NumericArray }]));
}

/** Standard input, output and error are files: node:wasi takes descriptors only. */
async function start(command: Uint8Array, input: Uint8Array): Promise<{ status: number; output: Uint8Array; words: string }> {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'sigmaflow-wasi-'));
  const place = (name: string): string => path.join(folder, name);
  const open: number[] = [];
  try {
    fs.writeFileSync(place('in'), input);
    open.push(fs.openSync(place('in'), 'r'), fs.openSync(place('out'), 'w'), fs.openSync(place('err'), 'w'));
    const [stdin, stdout, stderr] = open;
    const status = await quietly(async () => {
      const { WASI } = await import('node:wasi');
      const wasi = new WASI({ version: 'preview1', args: ['model'], stdin, stdout, stderr, returnOnExit: true });
      const module = await WebAssembly.compile(command as Uint8Array<ArrayBuffer>);
      return wasi.start(await WebAssembly.instantiate(module, wasi.getImportObject() as WebAssembly.Imports));
    });
    return { status, output: new Uint8Array(fs.readFileSync(place('out'))), words: fs.readFileSync(place('err'), 'utf8') };
  } finally {
    for (const descriptor of open) fs.closeSync(descriptor);
    fs.rmSync(folder, { recursive: true, force: true });
  }
}

/** Node warns that its WASI is experimental; that is no news for the user of a comparison. */
async function quietly<T>(work: () => Promise<T>): Promise<T> {
  const { emitWarning } = process;
  process.emitWarning = (() => undefined) as typeof process.emitWarning;
  try {
    return await work();
  } finally {
    process.emitWarning = emitWarning;
  }
}
