/**
 * What a built page is made of: `contents.json`, which the build writes and the page reads. Its list of modules is the registry: a
 * switch of the page has those positions that a module stands for, and no others.
 */
import type { Method } from './answer.js';

/** What a set of pictures is to the network, and how the page draws it. */
export type SetName = 'digits' | 'ambiguous' | 'clothing';

export interface Contents {
  /** The network's name in words. */
  readonly network: string;
  readonly modules: readonly DemoModule[];
  readonly sets: readonly DemoSet[];
}

export interface DemoModule {
  readonly method: Method;
  /** Bits of a stored mean or deviation; 32 is float. */
  readonly bits: number;
  /** The file, beside the page: the module in planes (`toPlanes`), gzipped. */
  readonly file: string;
  /** Bytes of the module itself. */
  readonly bytes: number;
  /** One, or one for each number of samples: entropies of few samples are compared with those of as many only. */
  readonly measurements: readonly Measurement[];
}

/** How a module answers on test sets, as measured when the page was built. */
export interface Measurement {
  /** Of weights; 0 where none are drawn. */
  readonly samples: number;
  /** Above so many nats, or above this relative spread of the greatest logit, a picture is called unlike the training data. */
  readonly epistemic?: number;
  readonly spread?: number;
  /** Above so many nats a picture is called ambiguous. */
  readonly aleatoric?: number;
  /** The parts of the digits' test set that are called so. */
  readonly falseAlarms: { readonly unfamiliar: number; readonly ambiguous: number };
  /** How many digits were measured. */
  readonly count: number;
  /** By set: pairs of bytes, `packNats` of aleatoric and epistemic uncertainty, in base 64. */
  readonly points: Readonly<Partial<Record<SetName, string>>>;
}

export interface DemoSet {
  readonly name: SetName;
  /** As in "Digits". */
  readonly title: string;
  /** Where its pictures come from, and their licence. */
  readonly source: string;
  readonly samples: readonly DemoSample[];
}

export interface DemoSample {
  /** As in "digit 7" or "sandal". */
  readonly text: string;
  /** 28 x 28 bytes in base 64. */
  readonly pixels: string;
}

/** The most that ten classes can be uncertain. */
export const mostNats = Math.log(10);

/** Nats as a byte, finer where there is less: the map's scale is that of square roots too. */
export function packNats(nats: number): number {
  return Math.round(255 * Math.sqrt(Math.min(1, Math.max(0, nats / mostNats))));
}

/** The other way. */
export function unpackNats(byte: number): number {
  return mostNats * (byte / 255) ** 2;
}

/** Bytes of a text in base 64. */
export function decodeBytes(text: string): Uint8Array {
  return Uint8Array.from(atob(text), (c) => c.charCodeAt(0));
}

/** A text in base 64 of bytes. */
export function encodeBytes(bytes: ArrayLike<number>): string {
  return btoa(Array.from(bytes, (b) => String.fromCharCode(b)).join(''));
}

/**
 * The first of every four bytes, then the second ones and so on. Weights that were stored as float16 have their zeros in planes of
 * their own then, and pack a sixth better.
 */
export function toPlanes(bytes: Uint8Array): Uint8Array {
  const result = new Uint8Array(bytes.length);
  for (let plane = 0, to = 0; plane < 4; plane++) for (let i = plane; i < bytes.length; i += 4) result[to++] = bytes[i];
  return result;
}

/** The other way. */
export function fromPlanes(bytes: Uint8Array): Uint8Array<ArrayBuffer> {
  const result = new Uint8Array(bytes.length);
  for (let plane = 0, from = 0; plane < 4; plane++) for (let i = plane; i < bytes.length; i += 4) result[i] = bytes[from++];
  return result;
}

/** The measurement that an answer from so many samples is held against. */
export function measurementOf(module: DemoModule, samples: number): Measurement {
  return module.measurements.find((m) => m.samples === samples) ?? module.measurements[0];
}
