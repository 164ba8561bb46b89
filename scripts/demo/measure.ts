/** How a demo module answers on test sets: its thresholds, how often they are crossed without cause, and the points of the map. */
import type { Model } from '../../sdk/runtime/index.js';
import { readAnswer, seed, type Answer, type Method } from '../../sdk/demo/answer.js';
import { encodeBytes, packNats, type Measurement, type SetName } from '../../sdk/demo/contents.js';
import { networkInput, side } from '../../sdk/demo/preprocess.js';

/** Images of 28 x 28 bytes, one after another. */
export type Pictures = Readonly<Partial<Record<SetName, Uint8Array>>>;

/** The part of the digits that may be called unfamiliar, or ambiguous, without cause. */
const falseAlarmRate = { epistemic: 0.05, aleatoric: 0.05 };
/** Points of each set on the map, at most. */
const mostPoints = 600;

/** Measures a module on sets of which `digits` is what it was trained on. */
export function measure(model: Model, method: Method, samples: number, pictures: Pictures): Measurement {
  const sets = Object.fromEntries(Object.entries(pictures).map(([name, images]) => [name, answersOf(model, method, samples, images)])) as Partial<Record<SetName, Answer[]>>;
  const digits = sets.digits!;
  const threshold = (part: 'epistemic' | 'aleatoric'): number | undefined => {
    if (digits[0][part] === undefined) return undefined;
    const sorted = digits.map((a) => a[part]!).sort((a, b) => a - b);
    return Number(sorted[Math.ceil((1 - falseAlarmRate[part]) * sorted.length) - 1].toPrecision(3));
  };
  const thresholds = { epistemic: threshold('epistemic'), aleatoric: threshold('aleatoric') };
  const above = (part: 'epistemic' | 'aleatoric'): number => digits.filter((a) => thresholds[part] !== undefined && a[part]! > thresholds[part]).length / digits.length;
  const points = Object.fromEntries(Object.entries(sets).map(([name, answers]) => [name, encodeBytes(answers.slice(0, mostPoints).flatMap((a) => [packNats(a.aleatoric ?? a.total), packNats(a.epistemic ?? 0)]))]));
  return { samples, ...thresholds, falseAlarms: { epistemic: above('epistemic'), aleatoric: above('aleatoric') }, count: digits.length, points };
}

function answersOf(model: Model, method: Method, samples: number, images: Uint8Array): Answer[] {
  const count = images.length / (side * side);
  const outputs = model.run({ input: networkInput(images), ...(method === 'sample' ? { samples: Int32Array.of(samples), seed: Uint32Array.from(seed) } : {}) });
  return Array.from({ length: count }, (_, n) => {
    const own = Object.entries(outputs).map(([name, { data }]) => [name, (data as Float32Array).subarray((n * data.length) / count, ((n + 1) * data.length) / count)]);
    return readAnswer(method, Object.fromEntries(own) as Record<string, Float32Array>, samples);
  });
}
