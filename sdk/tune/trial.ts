/**
 * Schedules of one kernel beside one another: Programs of their own in one module, with the same inputs, whose outputs must
 * have the same bits. Not here: times (measure.ts).
 */
import { assemblePrograms } from '../../codegen/compile.js';
import { describe } from '../../codegen/ir/datatype.js';
import { fail } from '../../codegen/ir/diagnostic.js';
import { addressAt } from '../../codegen/ir/indexing.js';
import type { Kernel, ProgramUnit, Tensor } from '../../codegen/ir/program.js';
import { verify } from '../../codegen/ir/verify.js';
import type { KernelSchedule } from '../../codegen/schedule/choice.js';
import { isolate } from '../../codegen/schedule/schedule.js';
import type { SearchSpace, Site } from '../../codegen/schedule/search.js';
import { toolchain } from '../host/assembler.js';

/** Programs start at pages' beginnings, so that all lie alike in the caches. */
const pageBytes = 4096;

export interface Entrant {
  readonly site: Site;
  readonly schedule: KernelSchedule;
}

export interface Trial {
  readonly units: readonly ProgramUnit[];
  readonly wasm: Uint8Array;
  readonly entries: readonly string[];
}

/** Each schedule, verified, as a Program of its own, one after the other in one memory. */
export function trialUnits(space: SearchSpace, list: readonly Entrant[]): ProgramUnit[] {
  const units: ProgramUnit[] = [];
  let start = pageBytes;
  for (const { site, schedule } of list) {
    const unit = isolate(space.prepared, site, space.target, schedule, start)!;
    verify(unit);
    units.push(unit);
    start = Math.ceil(unit.program.arenaBytes! / pageBytes) * pageBytes + pageBytes;
  }
  return units;
}

/** Each schedule as a Program `runN` of one module. */
export async function makeTrial(space: SearchSpace, list: readonly Entrant[]): Promise<Trial> {
  const units = trialUnits(space, list);
  return { units, ...(await assemblePrograms(units, space.target, toolchain())) };
}

/** The exports of a trial's module that are used. */
export interface TrialExports {
  readonly memory: WebAssembly.Memory;
  readonly run: readonly (() => number)[];
}

export function openTrial(trial: Trial): TrialExports {
  const { exports } = new WebAssembly.Instance(new WebAssembly.Module(trial.wasm as Uint8Array<ArrayBuffer>));
  return { memory: exports.memory as WebAssembly.Memory, run: trial.entries.map((e) => exports[e] as () => number) };
}

/** Fills the inputs of a Program with values of their types, the same for the same seed. */
export function fillInputs({ program }: ProgramUnit, memory: WebAssembly.Memory, seed: number): void {
  let state = seed >>> 0;
  // A linear congruential generator: enough to tell schedules apart, and small.
  const next = (): number => (state = (Math.imul(state, 1664525) + 1013904223) >>> 0) / 2 ** 32;
  const view = new DataView(memory.buffer);
  for (const name of program.inputs) {
    const t = program.tensors[name];
    const [lo, hi] = t.range ?? [describe(t.dtype).min, describe(t.dtype).max];
    for (const at of addresses(t, program.buffers[t.buffer].offset!)) {
      if (t.dtype === 'float32') view.setFloat32(at, next() * 4 - 2, true);
      else store(view, at, t.layout.elementBits, lo + Math.floor(next() * (hi - lo + 1)));
    }
  }
}

function store(view: DataView, at: number, bits: number, value: number): void {
  if (bits === 8) view.setInt8(at, value);
  else if (bits === 16) view.setInt16(at, value, true);
  else view.setInt32(at, value, true);
}

/** What a Program wrote: the bytes of every stored tensor's elements, NaN in one form. */
export function outputsOf({ program }: ProgramUnit, memory: WebAssembly.Memory): Int32Array {
  const view = new DataView(memory.buffer);
  const out: number[] = [];
  for (const block of program.blocks) {
    const [kernel] = block.kind === 'repeat' ? (block.body as Kernel[]) : [block];
    for (const { tensor } of kernel.stores) {
      const t = program.tensors[tensor];
      for (const at of addresses(t, program.buffers[t.buffer].offset!)) {
        const bits = t.layout.elementBits === 32 ? view.getInt32(at, true) : t.layout.elementBits === 16 ? view.getInt16(at, true) : view.getInt8(at);
        out.push(t.dtype === 'float32' && Number.isNaN(view.getFloat32(at, true)) ? 0x7fc00000 : bits);
      }
    }
  }
  return Int32Array.from(out);
}

/** Byte addresses of a tensor's elements, row-major. */
function* addresses(t: Tensor, base: number): Generator<number> {
  if (t.layout.elementBits < 8) fail('schedule/illegal', t.name, 'elements narrower than a byte are not compared');
  const at = t.shape.map(() => 0);
  for (;;) {
    yield base + addressAt(t.layout, at) / 8;
    let d = t.shape.length - 1;
    while (d >= 0 && ++at[d] === t.shape[d]) at[d--] = 0;
    if (d < 0) return;
  }
}

/** Runs every Program of one site once on the same inputs. Raises internal/fault where their bits differ. */
export function compareBits(trial: Trial, open: TrialExports, site: Site): void {
  let expected: Int32Array | undefined;
  trial.units.forEach((unit, i) => {
    fillInputs(unit, open.memory, 1);
    open.run[i]();
    const found = outputsOf(unit, open.memory);
    expected ??= found;
    const differs = found.findIndex((v, j) => v !== expected![j]);
    if (differs >= 0 || found.length !== expected.length) fail('internal/fault', site.kernel.name, `schedule ${i} gives other bits than the default at element ${differs}`, 'This is a fault of sigmaflow. Report it with the model.');
  });
}
