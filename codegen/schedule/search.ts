/**
 * The search's space: which kernels of a Program are worth it, and which other schedules each has, cheapest first by the
 * cost model. Pure; what runs and measures them is the host's (sdk/tune).
 */
import type { Block, Kernel, ProgramUnit, Repeat } from '../ir/program.js';
import type { Target } from '../targets/target.js';
import { scheduleData, type Choices, type KernelSchedule, type ScheduleData } from './choice.js';
import { costOf, type Cost } from './cost.js';
import { defaultSchedule } from './defaults/index.js';
import { kernelKey } from './records.js';
import { isolate, prepare } from './schedule.js';

export interface Site {
  readonly key: string;
  /** What it is, for people: name, operation, extents. */
  readonly text: string;
  readonly kernel: Kernel;
  /** The repeat that it is in. */
  readonly repeat?: Repeat;
  /** Kernels of the Program with this key. */
  readonly uses: number;
}

/** A schedule of a site, as a Program of its own. */
export interface Candidate {
  readonly data: ScheduleData;
  readonly schedule: KernelSchedule;
  readonly cost: Cost;
}

export interface SearchSpace {
  readonly prepared: ProgramUnit;
  readonly target: Target;
  readonly sites: readonly Site[];
}

/** The kernels of a lowered Program that can be measured apart, each once. */
export function searchSpace(lowered: ProgramUnit, target: Target): SearchSpace {
  const prepared = prepare(lowered, target, []);
  const sites = new Map<string, Site>();
  const visit = (blocks: readonly Block[], repeat?: Repeat): void => {
    for (const block of blocks) {
      if (block.kind === 'repeat') {
        // Kernels in a loop of the graph do not know its axis, but for the one that tells it.
        visit(block.body, typeof block.count === 'number' ? block : repeat);
        continue;
      }
      if (block.op === 'halo' || block.space.length === 0) continue;
      const key = kernelKey(block, prepared.program, target);
      const old = sites.get(key);
      const site: Site = { key, text: textOf(block), kernel: block, ...(repeat ? { repeat } : {}), uses: (old?.uses ?? 0) + 1 };
      if (old || candidate({ prepared, target, sites: [] }, site, {})) sites.set(key, site);
    }
  };
  visit(prepared.program.blocks);
  return { prepared, target, sites: [...sites.values()] };
}

function textOf(kernel: Kernel): string {
  const list = (axes: Kernel['space']): string => axes.map((a) => `${a.name}${a.extent}`).join(' ');
  return `${kernel.name} ${kernel.op} ${list(kernel.space)}${kernel.reduce.length > 0 ? ` over ${list(kernel.reduce)}` : ''}`;
}

/** Undefined where a site cannot run alone, or the choices are not legal for it. */
function candidate(space: SearchSpace, site: Site, choices: Choices): Candidate | undefined {
  const { prepared, target } = space;
  const schedule = defaultSchedule(site.kernel, prepared.program, target, choices);
  const alone = isolate(prepared, site, target, schedule);
  if (!alone) return undefined;
  const [block] = alone.program.blocks;
  const [kernel] = block.kind === 'repeat' ? block.body : [block];
  return { data: scheduleData(schedule), schedule, cost: costOf(kernel as Kernel, alone.program, target) };
}

const tiles: readonly Choices[] = [1, 2, 3, 4, 5, 6, 8].flatMap((rows) => [1, 2, 3, 4, 5, 6, 7, 8].map((columns) => ({ rows, columns })));
const rest: readonly Choices[] = [undefined, 0, 16, 96].flatMap((unroll) => (['weights', 'data'] as const).flatMap((keep) => [undefined, false].map((groups) => ({ unroll, keep, groups }))));

/**
 * Schedules of a site that differ from one another, cheapest first. Without `best` tiles; with it unrolling, order and groups
 * for the tile that it names.
 */
export function candidates(space: SearchSpace, site: Site, best?: Choices): (Candidate & { readonly choices: Choices })[] {
  const seen = new Set<string>();
  const list = best === undefined ? tiles : rest.map((r) => ({ ...best, ...Object.fromEntries(Object.entries(r).filter(([, v]) => v !== undefined)) }));
  const found = list.flatMap((choices) => {
    const c = candidate(space, site, choices);
    const text = JSON.stringify(c?.data);
    if (!c || seen.has(text)) return [];
    seen.add(text);
    return [{ ...c, choices }];
  });
  return found.sort((a, b) => a.cost.cycles - b.cost.cycles);
}

/** The default schedule of a site. */
export function defaultCandidate(space: SearchSpace, site: Site): Candidate {
  return candidate(space, site, {})!;
}
