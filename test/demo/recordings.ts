/** Recorded drawings with what the page should say of them: recordings.json, points in sides of the pad. */
import { readFileSync } from 'node:fs';
import type { VerdictKind } from '../../sdk/demo/verdict.js';

export interface Recording {
  readonly name: string;
  readonly verdict: VerdictKind;
  /** The digit that it is, or is taken for. */
  readonly digit?: number;
  readonly strokes: readonly (readonly number[])[];
}

export const recordings = JSON.parse(readFileSync(new URL('recordings.json', import.meta.url), 'utf8')) as readonly Recording[];
