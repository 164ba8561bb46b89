/** A model's WASI command as an engine: .npy on standard input, .npy on standard output. Only `verify` needs it. */
import { fail } from '../../codegen/ir/diagnostic.js';
import { readNpyStream, writeNpy, type NpySource } from '../data/npy.js';
import { runWasi } from '../host/wasi.js';
import type { Controls } from './controls.js';
import type { Inputs, NumericArray, Slot, Tensor } from './tensors.js';

/** All inferences through one run of the command under node:wasi. Raises compile/assembler with the command's words where it fails. */
export async function runCommand(command: Uint8Array, inputs: Inputs, inputSlots: readonly Slot[], outputSlots: readonly Slot[], controls: Controls = {}): Promise<Record<string, Tensor>> {
  const arrays = inputSlots.filter((s) => !s.control).map(({ name }) => writeNpy(inputs.tensors[name] as NpySource));
  const options = (['samples', 'seed'] as const).flatMap((name) => (inputSlots.some((s) => s.control?.meaning === name) && controls[name] !== undefined ? [`--${name}`, String(controls[name])] : []));
  const { code, stdout, stderr } = await runWasi(command, Buffer.concat(arrays), options);
  if (code !== 0) fail('compile/assembler', 'wasi', `the WASI command ended with status ${code}: ${stderr.trim() || 'it said nothing'}`, 'This is a fault of the compiler. Report it with the model.');
  const results = readNpyStream(new Uint8Array(stdout), 'the output of the WASI command');
  return Object.fromEntries(outputSlots.map(({ name }, i) => [name, { shape: results[i].shape, data: results[i].data as NumericArray }]));
}
