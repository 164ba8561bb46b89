/** Profiles made by hand, of any number of steps: what a report is given, without measuring. */
import type { Profile, StepProfile } from '../../sdk/profile/profile.js';

/** The time, the work and the names vary with the step's number; every third step moves data only. */
export function handMadeProfile(count: number, more: Partial<Profile> = {}): Profile {
  const total = (count * (count + 1)) / 2;
  const steps = Array.from({ length: count }, (_, i): StepProfile => {
    const moves = i % 3 === 2;
    const multiplyAdds = moves ? 0 : 40_000 * (i + 1);
    return {
      name: `layer${i}`,
      op: moves ? 'halo' : 'convolution',
      nodes: moves ? [] : [{ name: `layer${i}`, op: 'Conv' }, { name: `relu${i}`, op: 'Relu' }],
      repeats: 1, space: [16, 8, 8], reduce: moves ? [] : [3, 3],
      weights: [{ name: `w${i}`, shape: [16, 1, 3, 3], dtype: 'float32', bytes: 576 }],
      reads: [], writes: [{ name: `y${i}`, shape: [1, 16, 8, 8], dtype: 'float32', bytes: 4096 }],
      multiplyAdds, operations: 2 * multiplyAdds,
      bytes: { weights: 576, read: 4096, written: 4096 },
      products: { kind: 'float', bits: 32, seven: false },
      time: { median: i + 1, low: i + 0.9, high: i + 1.2 },
      share: (i + 1) / total,
      codeBytes: 700 + i,
      gigaMultiplyAdds: multiplyAdds / (i + 1) / 1000,
      gigabytes: 8.768 / (i + 1),
      intensity: multiplyAdds / 8768,
      limit: moves ? { by: 'memory', microseconds: 0.05, fraction: 0.05 / (i + 1) } : { by: 'float32', microseconds: (i + 1) * 0.8, fraction: 0.8 },
    };
  });
  return {
    name: 'hand-made', target: 'simd128', batch: 1, date: '2026-01-02T03:04:05.000Z', machine: { processor: 'a processor', engine: 'an engine' },
    compiler: 'sigmaflow', programHash: 'abc', seconds: 5, rounds: 41, run: { median: total * 1.1, low: total, high: total * 1.2 }, steps,
    totals: { microseconds: total, limitMicroseconds: total * 0.7, multiplyAdds: steps.reduce((n, s) => n + s.multiplyAdds, 0), operations: 5, codeBytes: 6, constantBytes: 7, arenaBytes: 8 },
    limits: { rates: [{ name: 'float32', gigaMultiplyAdds: 50 }], bandwidths: [{ bytes: 16384, read: 100, written: 90 }, { bytes: 65536, read: 60, written: 50 }] },
    ...more,
  };
}
