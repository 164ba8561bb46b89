/** Foldings as data: which ones a kernel can have, and a folding file read and checked. */
import { fail, suggest } from '../../ir/diagnostic.js';
import { kernelsOf } from '../../ir/verifyDataflow.js';
import { isMover } from './index.js';
import { foldableLoops, type Folding } from './kernel.js';
import type { Processes } from './prepare.js';

/** A kernel that can be folded, and the numbers that divide its loops, from 1 to the whole. */
export interface Foldable {
  readonly name: string;
  readonly pe: readonly number[];
  readonly simd: readonly number[];
}

export function divisorsOf(n: number): number[] {
  return Array.from({ length: n }, (_, i) => i + 1).filter((d) => n % d === 0);
}

/** The kernels of a prepared Program in order, with their foldings. */
export function foldables({ unit: { program } }: Processes): Foldable[] {
  return kernelsOf(program.blocks).filter((k) => !isMover(k)).map((k): Foldable => {
    const { outputs, products } = foldableLoops(k, program);
    return { name: k.name, pe: divisorsOf(outputs?.extent ?? 1), simd: divisorsOf(products?.extent ?? 1) };
  });
}

/** A folding file: `{"KERNEL": {"pe": 4, "simd": 8}, ...}`, 1 where nothing is said. `at`: the file. Raises fabric/folding. */
export function parseFolding(json: unknown, at: string, prepared: Processes): Record<string, Folding> {
  if (!isObject(json)) fail('fabric/folding', at, 'a folding is an object of kernels', 'Write {"KERNEL": {"pe": 4, "simd": 8}}.');
  const known = foldables(prepared);
  return Object.fromEntries(Object.entries(json).map(([name, value]): [string, Folding] => {
    const kernel = known.find((f) => f.name === name);
    if (!kernel) fail('fabric/folding', at, `it folds ${name}, and there is no such kernel`, suggest(name, known.map((f) => f.name), 'kernel'));
    if (!isObject(value)) fail('fabric/folding', at, `the folding of ${name} is not an object`, 'Write {"pe": 4, "simd": 8}.');
    const other = Object.keys(value).find((key) => key !== 'pe' && key !== 'simd');
    if (other !== undefined) fail('fabric/folding', at, `the folding of ${name} has "${other}"`, 'It has "pe" (outputs at once) and "simd" (products of an output at once).');
    const read = (key: 'pe' | 'simd'): number => {
      const n = value[key] ?? 1;
      const extent = kernel[key][kernel[key].length - 1];
      if (typeof n === 'number' && kernel[key].includes(n)) return n;
      fail('fabric/folding', at, `${name} cannot have ${key} ${JSON.stringify(n)}: it must divide ${extent}`, extent === 1 ? `Leave "${key}" out: nothing there can be folded.` : `Take one of ${kernel[key].join(', ')}.`);
    };
    return [name, { pe: read('pe'), simd: read('simd') }];
  }));
}

const isObject = (x: unknown): x is Record<string, unknown> => typeof x === 'object' && x !== null && !Array.isArray(x);
