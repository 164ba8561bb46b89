/**
 * `tune`: a search over the schedules of a model's kernels that measures them in fresh modules. The result is a tuning file
 * that `compile` takes; it changes times, never a result: every schedule is verified and its bits are compared before it is
 * timed.
 */
import { runPasses, targetOf } from '../../codegen/compile.js';
import { importOnnx } from '../../codegen/import/onnx.js';
import { hashText } from '../../codegen/ir/hash.js';
import type { Graph } from '../../codegen/ir/graph.js';
import type { Choices, ScheduleData } from '../../codegen/schedule/choice.js';
import type { TwinOptions } from '../../codegen/passes/twins/twin.js';
import { lower } from '../../codegen/schedule/lower.js';
import { numberTensors, type TuningFile, type TuningRecord } from '../../codegen/schedule/records.js';
import { candidates, defaultCandidate, searchSpace, type Candidate, type SearchSpace, type Site } from '../../codegen/schedule/search.js';
import { measure, repeated, type Clock, type Timing } from '../measure.js';
import { compareBits, makeTrial, openTrial } from './trial.js';

export interface TuneOptions extends TwinOptions {
  /** Default simd128. */
  readonly target?: string;
  /** What the defaults' tiles are made for; default x86-64. */
  readonly processor?: 'x86-64' | 'arm64';
  readonly batch?: number;
  /** Seconds after which no new measurement starts; default 60. */
  readonly budget?: number;
  /** What an earlier search found: it goes on from there. */
  readonly previous?: TuningFile;
  /** Engine and machine, for the file. */
  readonly measuredOn?: string;
  /** What times are taken from; default performance.now(). */
  readonly clock?: Clock;
  /** Called after every measurement. */
  readonly onProgress?: (progress: TuneProgress) => void;
  /** The search ends before the next measurement once this is true. */
  readonly stopped?: () => boolean;
  readonly name?: string;
  /** Bytes of an external data file, by the location that the model states. */
  readonly readExternal?: (location: string) => Uint8Array;
}

export interface TuneProgress {
  readonly file: TuningFile;
  /** The kernel that was measured last. */
  readonly kernel: string;
  /** Kernels that have been measured, and in all. */
  readonly done: number;
  readonly kernels: number;
  readonly schedules: number;
  /** Estimated time of all kernels now over that of the defaults. */
  readonly ratio: number;
  readonly seconds: number;
}

/** Schedules that are measured at once. */
export const groupSize = 8;
/** A schedule must be faster than the default by so much, twice, to be taken. */
export const leastGain = 0.97;
/** Milliseconds of measuring, a function: of all candidates beside one another, and of one that looks faster. */
const quick = 12;
const careful = 70;

/** The search's space of a model's bytes or Graph. */
export function spaceOf(model: Uint8Array | Graph, options: Pick<TuneOptions, 'target' | 'processor' | 'batch' | 'name' | 'readExternal' | keyof TwinOptions>): SearchSpace {
  const graph = model instanceof Uint8Array ? importOnnx(model, { name: options.name, readExternal: options.readExternal }) : model;
  return searchSpace(lower(runPasses(graph, options.batch, options)), targetOf(options.target ?? 'simd128', options));
}

interface State {
  readonly site: Site;
  /** Microseconds of the default, times its uses: what there is to gain. */
  readonly weight: number;
  readonly tried: Set<string>;
  record: TuningRecord;
  /** What the best schedule was made by; undefined until tiles have been tried. */
  choices?: Choices;
  round: 'tiles' | 'rest' | 'done';
}

/**
 * Searches until the budget is spent or nothing is left to try.
 *
 * Kernels take turns, those that take longest first; each turn measures the default, the best so far and the candidates that
 * the cost model ranks next, all in one fresh module and in interleaved rounds.
 * @throws DiagnosticError for a model that does not compile.
 */
export async function tune(model: Uint8Array | Graph, options: TuneOptions = {}): Promise<TuningFile> {
  const start = performance.now();
  const seconds = (): number => (performance.now() - start) / 1000;
  let turns = 0;
  // However short the budget, something is measured.
  const over = (): boolean => turns > 0 && (seconds() >= (options.budget ?? 60) || (options.stopped?.() ?? false));
  const space = spaceOf(model, options);
  const states = await measureDefaults(space, options);
  const kernels: Record<string, TuningRecord> = { ...options.previous?.kernels };
  const file = (): TuningFile => ({ format: 1, target: space.target.name, measuredOn: options.measuredOn ?? '', kernels: { ...kernels } });
  let pass = 0;
  while (states.some((s) => s.round !== 'done') && !over()) {
    for (const state of states) {
      // What takes little gets its turn when the large ones have had several.
      if (state.round === 'done' || state.weight * 2 ** pass < states[0].weight / 64) continue;
      if (over()) break;
      await takeTurn(space, state, options.clock);
      turns++;
      kernels[state.site.key] = state.record;
      const total = states.reduce((n, s) => n + s.weight, 0);
      options.onProgress?.({
        file: file(), kernel: state.site.text, seconds: seconds(), kernels: states.length,
        done: states.filter((s) => s.tried.size > 1).length,
        schedules: states.reduce((n, s) => n + s.tried.size, 0),
        ratio: states.reduce((n, s) => n + s.weight * s.record.ratio, 0) / total,
      });
    }
    pass++;
  }
  return file();
}

export const textHash = (data: ScheduleData): string => hashText(JSON.stringify(data)).slice(0, 12);

/** Times of all defaults, a few kernels a module; the largest first. */
async function measureDefaults(space: SearchSpace, { previous, clock }: Pick<TuneOptions, 'previous' | 'clock'>): Promise<State[]> {
  const states: State[] = [];
  for (let i = 0; i < space.sites.length; i += groupSize) {
    const group = space.sites.slice(i, i + groupSize);
    const defaults = group.map((site) => defaultCandidate(space, site));
    const trial = await makeTrial(space, group.map((site, j) => ({ site, schedule: defaults[j].schedule })));
    const times = timesOf(openTrial(trial).run, quick, clock);
    group.forEach((site, j) => {
      const old = previous?.target === space.target.name ? previous.kernels[site.key] : undefined;
      const record: TuningRecord = old ?? { kernel: site.text, ratio: 1, tried: [textHash(numberTensors(site.kernel, defaults[j].data))], complete: false };
      states.push({ site, weight: times[j].median * site.uses, tried: new Set(record.tried), record, round: record.complete ? 'done' : 'tiles' });
    });
  }
  return states.sort((a, b) => b.weight - a.weight);
}

/** Measures the next candidates of one kernel against its default and its best. */
async function takeTurn(space: SearchSpace, state: State, clock: Clock | undefined): Promise<void> {
  const { site, tried } = state;
  const key = (c: Candidate): string => textHash(numberTensors(site.kernel, c.data));
  const untried = candidates(space, site, state.round === 'rest' ? (state.choices ?? {}) : undefined).filter((c) => !tried.has(key(c)));
  const next = untried.slice(0, groupSize - 2);
  if (next.length > 0) {
    const first = defaultCandidate(space, site);
    const entrants = [first, ...next];
    const trial = await makeTrial(space, entrants.map((c) => ({ site, schedule: c.schedule })));
    const open = openTrial(trial);
    compareBits(trial, open, site);
    const times = timesOf(open.run, quick, clock);
    next.forEach((c) => tried.add(key(c)));
    const best = fastest(times);
    const ratio = times[best].median / times[0].median;
    // What looks faster must be so again, measured with care against the default alone.
    if (best > 0 && ratio < Math.min(leastGain, state.record.ratio)) {
      const [base, again] = timesOf([open.run[0], open.run[best]], careful, clock);
      const confirmed = again.median / base.median;
      if (confirmed < Math.min(leastGain, state.record.ratio)) {
        state.choices = next[best - 1].choices;
        state.record = { ...state.record, schedule: numberTensors(site.kernel, entrants[best].data), ratio: confirmed };
      }
    }
  }
  if (untried.length <= groupSize - 2) state.round = state.round === 'tiles' ? 'rest' : 'done';
  state.record = { ...state.record, tried: [...tried], complete: state.round === 'done' };
}

function timesOf(functions: readonly (() => unknown)[], milliseconds: number, clock: Clock | undefined): readonly Timing[] {
  return measure(functions.map(repeated), (functions.length * milliseconds) / 1000, { clock }).timings;
}

function fastest(times: readonly Timing[]): number {
  return times.reduce((best, t, i) => (t.median < times[best].median ? i : best), 0);
}
