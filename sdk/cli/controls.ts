/** Inputs that say how a model runs, such as the number of samples: from options of the command line, else their defaults. */
import { fail } from '../../codegen/ir/diagnostic.js';
import { usage, type Arguments, type Command, type Option } from './command.js';
import type { Slot, Tensor } from './tensors.js';

/** What options say. */
export interface Controls {
  readonly samples?: number;
  readonly seed?: number;
}

export const samplesOption: Option = { name: 'samples', value: 'N', doc: 'of --twin sample: samples of the weights, 1 to 65536 (default 30)' };

export function controlsOf(args: Arguments): Controls {
  return { samples: args.integer('samples', 1, 65536), seed: args.integer('seed', 0, Number.MAX_SAFE_INTEGER) };
}

/** Refuses options that a model has no input for. */
export function checkControls(command: Command, controls: Controls, slots: readonly Slot[], names: readonly (keyof Controls)[] = ['samples', 'seed']): void {
  for (const name of names) {
    if (controls[name] === undefined || slots.some((s) => s.control?.meaning === name)) continue;
    usage(command, `--${name}`, 'this model draws no random numbers', `Leave --${name} away, or take --twin sample of a model with random weights.`);
  }
}

/** The control inputs by name. */
export function controlTensors(slots: readonly Slot[], { samples, seed }: Controls): Record<string, Tensor> {
  return Object.fromEntries(slots.flatMap(({ name, shape, dtype, control }): [string, Tensor][] => {
    if (!control) return [];
    const said = control.meaning === 'samples' ? samples && [samples] : control.meaning === 'seed' ? seed !== undefined && [seed % 2 ** 32, Math.floor(seed / 2 ** 32)] : undefined;
    const values = said || control.default;
    const wrong = values.find((v) => v < control.range[0] || v > control.range[1]);
    if (wrong !== undefined) fail('run/data-type', name, `expected ${control.range.join(' to ')}, found ${wrong}`, 'Give a number in this range.');
    return [[name, { shape, data: dtype.startsWith('uint') ? Uint32Array.from(values) : Int32Array.from(values) }]];
  }));
}
