/**
 * The timing loop of a tuning command: functions by number run beside one another in rounds, and their median times go to
 * standard output as JSON. Joined to the functions by a generated entry file (codegen/emit/trial.ts).
 */
import { allocate, flush, write, writeInteger, writeNumber } from './stream';

// @ts-ignore: decorator
@external('wasi_snapshot_preview1', 'clock_time_get')
declare function clock_time_get(clock: i32, precision: i64, time: usize): i32;

/** The monotonic clock. */
const monotonic: i32 = 1;
const clockPlace = memory.data(8, 8);

/** Nanoseconds since some moment. */
function now(): i64 {
  clock_time_get(monotonic, 1, clockPlace);
  return load<i64>(clockPlace);
}

/** Runs the functions first .. last - 1 in `rounds` rounds, each for about `nanoseconds` a round; writes microseconds a call. */
export function timeGroup(first: i32, last: i32, rounds: i32, nanoseconds: i64, run: (i: i32) => i32): void {
  const count = last - first;
  const calls = allocate(<u64>count * 8);
  const times = allocate(<u64>count * rounds * 8);
  for (let i = 0; i < count; i++) store<i64>(calls + 8 * i, calibrate(first + i, nanoseconds, run));
  for (let r = 0; r < rounds; r++) {
    for (let i = 0; i < count; i++) {
      const n = load<i64>(calls + 8 * i);
      const start = now();
      for (let c: i64 = 0; c < n; c++) run(first + i);
      store<f64>(times + 8 * (i * rounds + r), <f64>(now() - start) / <f64>n / 1000);
    }
  }
  for (let i = 0; i < count; i++) {
    if (first + i > 0) write(',');
    writeNumber(median(times + 8 * i * rounds, rounds));
  }
}

/** Calls that take about so long. */
function calibrate(i: i32, nanoseconds: i64, run: (i: i32) => i32): i64 {
  let calls: i64 = 1;
  while (true) {
    const start = now();
    for (let c: i64 = 0; c < calls; c++) run(i);
    const spent = now() - start;
    if (spent >= nanoseconds || calls >= 1 << 24) return max<i64>(1, <i64>(<f64>calls * <f64>nanoseconds / <f64>max<i64>(spent, 1)));
    calls *= 2;
  }
}

/** Sorts in place. */
function median(at: usize, count: i32): f64 {
  for (let i = 1; i < count; i++) {
    const x = load<f64>(at + 8 * i);
    let j = i - 1;
    for (; j >= 0 && load<f64>(at + 8 * j) > x; j--) store<f64>(at + 8 * (j + 1), load<f64>(at + 8 * j));
    store<f64>(at + 8 * (j + 1), x);
  }
  return load<f64>(at + 8 * (count >> 1));
}

/** Begins the JSON object. */
export function beginTimes(plan: string, entries: i32): void {
  write('{"plan":"');
  write(plan);
  write('","entries":');
  writeInteger(entries);
  write(',"times":[');
}

/** Ends it, and hands all to the host. */
export function endTimes(): void {
  write(']}\n');
  flush();
}
