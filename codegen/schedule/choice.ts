/**
 * A schedule of one kernel: nests over disjoint parts of its space, and how its constants are stored. As data (lists of
 * steps), it prints, is stored in tuning records, and is applied again.
 */
import type { Kernel, Layout } from '../ir/program.js';
import { nestOf, type Nest } from './nest.js';
import { applySteps, type Step } from './steps.js';

/** How a constant is stored in the order in which its loops read it; whole elements where nothing is said. */
export interface Pack {
  readonly elementBits: number;
  /** Of the unit that is loaded to get at a field; equals elementBits for whole elements. */
  readonly containerBits: number;
  /** The loop whose elements are neighbours in a container, where it is not the innermost. */
  readonly innermost?: string;
  /** The loop of which as many iterations as a container holds are neighbours in it; the others lie outside the tile. */
  readonly grouped?: string;
  /** The loops of lanes and of members of a group, where two outputs share a lane (ir/sharedLanes.ts). */
  readonly shared?: { readonly lane: string; readonly group: string };
  /** What the fields stand for, where that is not their value. */
  readonly code?: Layout['code'];
}

export interface KernelSchedule {
  readonly nests: readonly Nest[];
  /** By tensor. */
  readonly packs: Readonly<Record<string, Pack>>;
}

/** The same as plain data. */
export interface ScheduleData {
  /** One list of steps a nest. */
  readonly nests: readonly (readonly Step[])[];
  readonly packs: Readonly<Record<string, Pack>>;
}

/** What a search varies in the default schedules (defaults/); they decide what is left out, and what does not fit is ignored. */
export interface Choices {
  /** Of a tile: outputs along the innermost space loop that is not lanes. */
  readonly rows?: number;
  /** Of a tile: vectors of outputs. */
  readonly columns?: number;
  /** The most products that a loop body may write out. */
  readonly unroll?: number;
  /** What stays near: a panel of weights while the data pass, or the data while the weights pass. */
  readonly keep?: 'weights' | 'data';
  /** Whether products go in groups, where an instruction does that. */
  readonly groups?: boolean;
}

export function scheduleData(schedule: KernelSchedule): ScheduleData {
  return { nests: schedule.nests.map((n) => n.steps), packs: schedule.packs };
}

/** Raises schedule/illegal where a step does not apply to this kernel. */
export function applySchedule(kernel: Kernel, data: ScheduleData): KernelSchedule {
  return { nests: data.nests.map((steps) => applySteps(nestOf(kernel), steps)), packs: data.packs };
}
