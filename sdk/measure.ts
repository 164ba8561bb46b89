/**
 * Times functions side by side: rounds in which each runs for a moment, one after the other, so that whatever else the
 * machine does falls on all of them alike. Medians and quartiles over the rounds. Not here: what the functions are.
 */

/** Runs something so many times. */
export type Repeated = (times: number) => void;

/** So many calls of a function. */
export const repeated = (f: () => unknown): Repeated => (times) => {
  for (let t = times; t > 0; t--) f();
};

/** Microseconds of one time, over the rounds. */
export interface Timing {
  readonly median: number;
  /** First and third quartile. */
  readonly low: number;
  readonly high: number;
}

export interface Measured {
  readonly rounds: number;
  readonly timings: readonly Timing[];
}

const mostRounds = 301;
const leastRounds = 5;
/**
 * Milliseconds of one sample. Many short samples rather than a few long ones: where other programs want the processor too,
 * most short samples see nothing of them, and the median is one of those.
 */
const shortestSample = 0.25, usualSample = 1;
/** Rounds that are worth more than long samples. */
const wantedRounds = 41;

/** Milliseconds from any start. */
export type Clock = () => number;

const wallClock: Clock = () => performance.now();

export interface MeasureOptions {
  /** What times are taken from; performance.now() by default. The processor time of this process does not count other programs. */
  readonly clock?: Clock;
  /** After each round. */
  readonly onRound?: (done: number, rounds: number) => void;
}

/**
 * Measures all functions within about `seconds`, a quarter of which warms them up (engines compile what runs often a second
 * time), at most within twice that on a busy machine. They run in the order given, in every round.
 */
export function measure(functions: readonly Repeated[], seconds: number, { clock = wallClock, onRound = () => undefined }: MeasureOptions = {}): Measured {
  const begin = wallClock();
  const warmUp = seconds * 250;
  // Times of one sample, more of them until samples are long enough to tell.
  const times = functions.map(() => 1);
  const took = functions.map(() => 0);
  const slice = Math.max(shortestSample, Math.min(5, warmUp / functions.length / 8));
  const start = clock();
  for (let pass = 0; pass < 3 || (clock() - start < warmUp && wallClock() - begin < 3 * warmUp); pass++) {
    functions.forEach((f, i) => {
      const milliseconds = sample(f, times[i], clock);
      took[i] = Math.max(milliseconds / times[i], 1e-7);
      if (milliseconds < slice) times[i] = Math.min(times[i] * 4, Math.ceil(slice / took[i]));
      else if (milliseconds > 2 * slice) times[i] = Math.max(1, Math.floor(slice / took[i]));
    });
  }

  const budget = seconds * 750;
  const wanted = Math.min(usualSample, Math.max(shortestSample, budget / wantedRounds / functions.length));
  functions.forEach((_, i) => (times[i] = Math.max(1, Math.ceil(wanted / took[i]))));
  const round = functions.reduce((sum, _, i) => sum + times[i] * took[i], 0);
  const rounds = Math.max(leastRounds, Math.min(mostRounds, Math.floor(budget / round)));
  const found = functions.map((): number[] => []);
  for (let r = 0; r < rounds && (r < leastRounds || wallClock() - begin < 2000 * seconds); r++) {
    functions.forEach((f, i) => found[i].push((sample(f, times[i], clock) * 1000) / times[i]));
    onRound(r + 1, rounds);
  }
  return { rounds: found[0]?.length ?? 0, timings: found.map((samples) => timingOf(settled(samples))) };
}

function sample(f: Repeated, times: number, clock: Clock): number {
  const start = clock();
  f(times);
  return clock() - start;
}

/** The later half where it is faster by a fifth: the engine was still compiling, which a busy machine draws out. */
export function settled(samples: readonly number[]): readonly number[] {
  const half = samples.length >> 1;
  const later = samples.slice(half);
  return timingOf(later).median < 0.8 * timingOf(samples.slice(0, half)).median ? later : samples;
}

/** Median and quartiles of samples. */
export function timingOf(samples: readonly number[]): Timing {
  const sorted = [...samples].sort((a, b) => a - b);
  const at = (q: number): number => {
    const place = q * (sorted.length - 1);
    const [low, high] = [sorted[Math.floor(place)], sorted[Math.ceil(place)]];
    return low + (high - low) * (place - Math.floor(place));
  };
  return { median: at(0.5), low: at(0.25), high: at(0.75) };
}
