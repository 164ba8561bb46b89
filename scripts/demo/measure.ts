/** How a demo module answers on test sets: its thresholds, how often they are crossed without cause, and the points of the map. */
import type { Model } from '../../sdk/runtime/index.js';
import { readAnswer, seed, type Answer, type Method } from '../../sdk/demo/answer.js';
import { encodeBytes, packNats, type Measurement, type SetName } from '../../sdk/demo/contents.js';
import { networkInput, side } from '../../sdk/demo/preprocess.js';
import { verdictOf, type VerdictKind } from '../../sdk/demo/verdict.js';

/** Images of 28 x 28 bytes, one after another. */
export type Pictures = Readonly<Partial<Record<SetName, Uint8Array>>>;

/** The part of the digits that may be called unfamiliar without cause; and that may lie above the threshold of ambiguity. */
const falseAlarmRate = 0.05;
/** Points of each set on the map, at most. */
const mostPoints = 600;

/** Measures a module on sets of which `digits` is what it was trained on. */
export function measure(model: Model, method: Method, samples: number, pictures: Pictures): Measurement {
  const sets = Object.fromEntries(Object.entries(pictures).map(([name, images]) => [name, answersOf(model, method, samples, images)])) as Partial<Record<SetName, Answer[]>>;
  const digits = sets.digits!;
  const thresholds = { ...jointThresholds(digits, ['epistemic', 'spread']), ...jointThresholds(digits, ['aleatoric']) };
  const measured = { samples, ...thresholds, falseAlarms: { unfamiliar: 0, ambiguous: 0 }, count: digits.length, points: {} };
  const kinds = digits.map((answer) => verdictOf(answer, measured).kind);
  const part = (kind: VerdictKind): number => kinds.filter((k) => k === kind).length / kinds.length;
  const points = Object.fromEntries(Object.entries(sets).map(([name, answers]) => [name, encodeBytes(answers.slice(0, mostPoints).flatMap((a) => [packNats(a.aleatoric ?? a.total), packNats(a.epistemic ?? 0)]))]));
  return { ...measured, falseAlarms: { unfamiliar: part('unfamiliar'), ambiguous: part('ambiguous') }, points };
}

type Part = 'epistemic' | 'spread' | 'aleatoric';

/** The least thresholds, each with as many digits above it as the others, that no more digits than may be lie above any of. */
function jointThresholds(digits: readonly Answer[], parts: readonly Part[]): Partial<Record<Part, number>> {
  if (parts.some((part) => digits[0][part] === undefined)) return {};
  const sorted = parts.map((part) => digits.map((a) => a[part]!).sort((a, b) => b - a));
  const at = (rank: number): number[] => sorted.map((values) => Number(values[rank].toPrecision(3)));
  let rank = 0;
  for (const most = falseAlarmRate * digits.length; rank + 1 < digits.length; rank++) {
    const limits = at(rank + 1);
    if (digits.filter((a) => parts.some((part, i) => a[part]! > limits[i])).length > most) break;
  }
  return Object.fromEntries(at(rank).map((limit, i) => [parts[i], limit]));
}

function answersOf(model: Model, method: Method, samples: number, images: Uint8Array): Answer[] {
  const count = images.length / (side * side);
  const outputs = model.run({ input: networkInput(images), ...(method === 'sample' ? { samples: Int32Array.of(samples), seed: Uint32Array.from(seed) } : {}) });
  return Array.from({ length: count }, (_, n) => {
    const own = Object.entries(outputs).map(([name, { data }]) => [name, (data as Float32Array).subarray((n * data.length) / count, ((n + 1) * data.length) / count)]);
    return readAnswer(method, Object.fromEntries(own) as Record<string, Float32Array>, samples);
  });
}
