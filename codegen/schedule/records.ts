/**
 * Tuning records: measured schedules by kernel and target, as a file that a later compile reads. The bytes of such a file
 * are not trusted: every step is checked again where it is applied, and no schedule changes a result.
 */
import { constant } from '../ir/build.js';
import { fail } from '../ir/diagnostic.js';
import { hashText } from '../ir/hash.js';
import { isAxis, mapLoads, substitute } from '../ir/indexing.js';
import type { Index, Kernel, Program } from '../ir/program.js';
import type { Target } from '../targets/target.js';
import { applySchedule, type KernelSchedule, type ScheduleData } from './choice.js';
import { loadsOf } from './fuse.js';

/** One kernel's best schedule. Tensors are called `#0`, `#1`, ... in the order in which the kernel names them. */
export interface TuningRecord {
  /** What it is, for people. */
  readonly kernel: string;
  /** Undefined: of all that were measured, the default was best. */
  readonly schedule?: ScheduleData;
  /** Its time over the default's, medians of one interleaved run. */
  readonly ratio: number;
  /** Hashes of the schedules that were measured, the default included: a search that goes on leaves them out. */
  readonly tried: readonly string[];
  /** Whether nothing was left to try within the search's space. */
  readonly complete: boolean;
}

export interface TuningFile {
  readonly format: 1;
  readonly target: string;
  /** Engine and machine on which it was measured, and when. */
  readonly measuredOn: string;
  readonly kernels: Readonly<Record<string, TuningRecord>>;
}

/** Names of a kernel's tensors in the order in which it names them. */
function tensorNames(kernel: Kernel): string[] {
  return [...new Set([...loadsOf(kernel).map((l) => l.tensor), ...kernel.stores.map((s) => s.tensor)])];
}

/**
 * The key of a kernel: its meaning, and types, shapes and layouts of its tensors; no names, no values. A kernel that a repeat
 * runs for one image after the other is known as it is for one image alone, so that its record serves every batch.
 */
export function kernelKey(repeated: Kernel, program: Program, target: Target): string {
  const { kernel, images } = ofOneImage(repeated);
  const names = tensorNames(kernel);
  const numbered = new Map(names.map((n, i) => [n, `#${i}`]));
  const rename = (k: Kernel): Kernel => {
    const renamed = mapLoads(k, (l) => ({ ...l, tensor: numbered.get(l.tensor)! }));
    return { ...renamed, name: '', op: '', stores: renamed.stores.map((s) => ({ ...s, tensor: numbered.get(s.tensor)! })) };
  };
  const tensors = names.map((n) => {
    const { dtype, shape, layout, range, buffer } = program.tensors[n];
    return { dtype, shape: images.has(n) ? [1, ...shape.slice(1)] : shape, layout, range, constant: program.buffers[buffer].role === 'constant' };
  });
  const { scheduled: _, ...meaning } = rename(kernel);
  return hashText(JSON.stringify([target.name, meaning, tensors])).slice(0, 32);
}

/**
 * A kernel of one image, wherever that lies in a batch: the counter of a repeat (images.ts) and axes of one iteration are at 0.
 * With it the tensors that hold a batch.
 */
function ofOneImage(kernel: Kernel): { readonly kernel: Kernel; readonly images: ReadonlySet<string> } {
  const axes = [...kernel.space, ...kernel.reduce];
  const first = new Map(axes.filter((a) => a.extent === 1).map((a) => [a.name, constant(0)]));
  const images = new Set<string>();
  const place = (tensor: string, at: readonly Index[]): readonly Index[] => {
    const [of] = at[0]?.terms.map((t) => t.of) ?? [];
    if (typeof of !== 'string' || axes.some((a) => a.name === of) || !isAxis(at[0], of)) return at.map((i) => substitute(i, first));
    images.add(tensor);
    return [constant(0), ...at.slice(1).map((i) => substitute(i, first))];
  };
  const placed = mapLoads(kernel, (l) => ({ ...l, at: place(l.tensor, l.at) }));
  return { kernel: { ...placed, stores: placed.stores.map((s) => ({ ...s, at: place(s.tensor, s.at) })) }, images };
}

/** The same schedule with tensors called by number, or by name again. */
function renamePacks(data: ScheduleData, names: ReadonlyMap<string, string>): ScheduleData {
  return { ...data, packs: Object.fromEntries(Object.entries(data.packs).flatMap(([tensor, pack]) => (names.has(tensor) ? [[names.get(tensor)!, pack]] : []))) };
}

export function numberTensors(kernel: Kernel, data: ScheduleData): ScheduleData {
  return renamePacks(data, new Map(tensorNames(kernel).map((n, i) => [n, `#${i}`])));
}

/** What `schedule` takes as `choose`: the recorded schedules of a target. Raises tuning/record where a record does not apply. */
export function recordedSchedules(file: TuningFile, target: Target): (kernel: Kernel, program: Program) => KernelSchedule | undefined {
  if (file.target !== target.name) {
    fail('tuning/record', file.target, `the records were measured for the target ${file.target}, and this is compiled for ${target.name}`, `Run "tune" with --target ${target.name}, or compile with --target ${file.target}.`);
  }
  return (kernel, program) => {
    const record = file.kernels[kernelKey(kernel, program, target)];
    if (!record?.schedule) return undefined;
    const named = renamePacks(record.schedule, new Map(tensorNames(kernel).map((n, i) => [`#${i}`, n])));
    try {
      return applySchedule(kernel, named);
    } catch (error) {
      return fail('tuning/record', kernel.name, 'its recorded schedule does not apply to it', (error as Error).message.split('\n')[0], 'The file was changed, or made by another version. Run "tune" again.');
    }
  };
}

/** Reads a tuning file's text. Raises tuning/record for what is none. */
export function parseTuning(text: string, at: string): TuningFile {
  const bad = (why: string): never => fail('tuning/record', at, `this is no tuning file: ${why}`, 'Make one with "sigmaflow tune MODEL.onnx -o FILE".');
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return bad('it is no JSON');
  }
  const isObject = (v: unknown): v is Record<string, unknown> => typeof v === 'object' && v !== null && !Array.isArray(v);
  if (!isObject(value)) return bad('it holds no object');
  if (value.format !== 1) return bad(`its format is ${JSON.stringify(value.format)?.slice(0, 40)}, and 1 is known`);
  if (typeof value.target !== 'string' || typeof value.measuredOn !== 'string' || !isObject(value.kernels)) return bad('target, measuredOn or kernels is missing');
  for (const [key, record] of Object.entries(value.kernels)) {
    if (!isObject(record) || typeof record.kernel !== 'string' || typeof record.ratio !== 'number' || !Array.isArray(record.tried)) return bad(`the record ${key.slice(0, 40)} lacks kernel, ratio or tried`);
    if (record.schedule !== undefined) checkSchedule(record.schedule, (why) => bad(`the record ${key.slice(0, 40)} ${why}`));
  }
  return value as unknown as TuningFile;
}

/** Shapes of the data only; whether a step is legal shows where it is applied. */
function checkSchedule(value: unknown, bad: (why: string) => never): void {
  const { nests, packs } = (typeof value === 'object' && value !== null ? value : {}) as { nests?: unknown; packs?: unknown };
  if (!Array.isArray(nests) || nests.length === 0 || nests.length > 64) bad('has no list of nests');
  for (const nest of nests as unknown[]) {
    if (!Array.isArray(nest) || nest.length > 256) bad('has a nest that is no list of steps');
    for (const step of nest as unknown[]) if (typeof step !== 'object' || step === null || typeof (step as { step?: unknown }).step !== 'string') bad('has a step without a name');
  }
  if (typeof packs !== 'object' || packs === null) bad('has no packs');
  for (const pack of Object.values(packs as object)) {
    const { elementBits, containerBits } = (pack ?? {}) as { elementBits?: unknown; containerBits?: unknown };
    if (!Number.isInteger(elementBits) || !Number.isInteger(containerBits)) bad('has a pack without bits');
  }
}
