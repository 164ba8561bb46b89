/**
 * Times of functions beside one another, in this process: rounds in which each runs for about as long, medians over the
 * rounds. Load on the machine then falls on all alike.
 */

export interface Timing {
  /** Microseconds a call: median over the rounds, and the quartiles. */
  readonly median: number;
  readonly low: number;
  readonly high: number;
}

export interface MeasureOptions {
  readonly rounds: number;
  /** Of one function in one round. */
  readonly milliseconds: number;
}

export function measure(functions: readonly (() => unknown)[], { rounds, milliseconds }: MeasureOptions): Timing[] {
  const calls = functions.map((f) => calibrate(f, milliseconds));
  const times: number[][] = functions.map(() => []);
  for (let r = 0; r < rounds; r++) {
    functions.forEach((f, i) => {
      const start = performance.now();
      for (let n = calls[i]; n > 0; n--) f();
      times[i].push(((performance.now() - start) * 1000) / calls[i]);
    });
  }
  return times.map(timing);
}

/** Calls that take about so long, after a warm-up in which the engine's optimizing compiler is done. */
function calibrate(f: () => unknown, milliseconds: number): number {
  let calls = 1;
  for (;;) {
    const start = performance.now();
    for (let n = calls; n > 0; n--) f();
    const spent = performance.now() - start;
    if (spent >= milliseconds || calls >= 2 ** 24) return Math.max(1, Math.round((calls * milliseconds) / Math.max(spent, 1e-3)));
    calls *= 2;
  }
}

function timing(times: number[]): Timing {
  times.sort((a, b) => a - b);
  const at = (p: number): number => times[Math.min(times.length - 1, Math.floor(p * times.length))];
  return { median: at(0.5), low: at(0.25), high: at(0.75) };
}
