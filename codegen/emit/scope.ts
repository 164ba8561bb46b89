/**
 * Scopes of emitted text: lines, values already computed, loops and the pointers that walk along with them.
 *
 * Addresses are sums over loop axes plus a constant. The constant becomes the immediate offset of the load or store; the
 * rest becomes a pointer that its deepest loop advances by its stride, so that no loop body computes an address.
 */
import { factorKey, interval, type Ranges } from '../ir/indexing.js';
import type { Index, Term } from '../ir/program.js';
import { shareConstants } from './constants.js';

/** A serial loop being emitted, or the function itself (`axis` undefined), whose parameters are axes of repeats. */
export interface LoopScope {
  readonly parent?: LoopScope;
  readonly axis?: string;
  /** What the counter is called, should one be needed; unique in the function. */
  readonly counterName: string;
  readonly start: number;
  readonly extent: number;
  /** By key of the terms; `from` is the text it starts with, at the loop's entry. */
  readonly pointers: Map<string, { readonly name: string; readonly from: string; readonly step: number }>;
  /** The name of the counter, once something needs its value. */
  counter?: string;
}

/** Straight-line text inside one loop body; values may be shared within it. */
export interface Scope {
  readonly loop: LoopScope;
  /** The body in which the loop stands; undefined where what comes before the loop does not always run. */
  readonly parent?: Scope;
  readonly lines: string[];
  /** Text by key; `buffer` names what a store must not change for the value to stay. */
  readonly values: Map<string, { readonly text: string; readonly buffer?: string }>;
}

export function functionScope(): Scope {
  return { loop: { counterName: '', start: 0, extent: 1, pointers: new Map() }, lines: [], values: new Map() };
}

/** Makes names that are unique in one function. */
export class Names {
  private readonly counts = new Map<string, number>();
  fresh(prefix: string): string {
    const n = this.counts.get(prefix) ?? 0;
    this.counts.set(prefix, n + 1);
    return `${prefix}${n}`;
  }
}

/**
 * Text of a pointer that equals the sum of the terms, from `base` on (a parameter of the function, or `0`); the terms' axes
 * are loops around, or parameters.
 */
export function pointer(loop: LoopScope, terms: readonly Term[], names: Names, ranges: Ranges, base = '0'): string {
  if (terms.length === 0) return base;
  const affine = terms.filter((t) => typeof t.of === 'string');
  const others = terms.filter((t) => typeof t.of !== 'string');
  let text = affine.length > 0 ? affinePointer(loop, affine, names, base) : base === '0' ? '' : base;
  for (const t of others) {
    const value = `<usize>(${factorText(loop, t.of, ranges)})`;
    const scaled = t.coeff === 1 ? value : `${value} * ${t.coeff}`;
    text = text === '' ? scaled : `${text} + ${scaled}`;
  }
  return others.length > 0 ? `(${text})` : text;
}

function affinePointer(loop: LoopScope, terms: readonly Term[], names: Names, base: string): string {
  if (terms.length === 0) return base;
  const own = terms.find((t) => t.of === loop.axis);
  const key = `${base}+${termsKey(terms)}`;
  if (loop.axis === undefined) {
    const old = loop.pointers.get(key);
    if (old) return old.name;
    const name = names.fresh('p');
    const from = [...(base === '0' ? [] : [base]), ...terms.map((t) => `<usize>${counterName(t.of as string)} * ${t.coeff}`)].join(' + ');
    loop.pointers.set(key, { name, from, step: 0 });
    return name;
  }
  if (!own) return affinePointer(loop.parent!, terms, names, base);
  const old = loop.pointers.get(key);
  if (old) return old.name;
  const outside = affinePointer(loop.parent!, terms.filter((t) => t !== own), names, base);
  const name = names.fresh('p');
  const from = loop.start === 0 ? outside : `${outside} + ${loop.start * own.coeff}`;
  loop.pointers.set(key, { name, from, step: own.coeff });
  return name;
}

function termsKey(terms: readonly Term[]): string {
  return terms.map((t) => `${t.coeff}*${factorKey(t.of)}`).sort().join('+');
}

export function counterName(axis: string): string {
  return `i_${axis.replace(/[^A-Za-z0-9]/g, '_')}`;
}

/** An index as an i32 expression; asks the loops around for their counters. */
export function indexText(loop: LoopScope, index: Index, ranges: Ranges): string {
  const parts = index.terms.map((t) => {
    const text = factorText(loop, t.of, ranges);
    return t.coeff === 1 ? text : `${text} * ${t.coeff}`;
  });
  if (index.offset !== 0 || parts.length === 0) parts.push(String(index.offset));
  return parts.length === 1 ? parts[0] : `(${parts.join(' + ')})`;
}

function factorText(loop: LoopScope, of: Term['of'], ranges: Ranges): string {
  if (typeof of === 'string') {
    for (let l: LoopScope | undefined = loop; l; l = l.parent) {
      if (l.axis === of) return (l.counter ??= l.counterName);
      if (l.axis === undefined) return counterName(of);
    }
  }
  if (typeof of === 'object' && ('div' in of || 'rem' in of)) {
    const inner = 'div' in of ? of.div : of.rem;
    // Division truncates: below zero, shift by whole multiples first.
    const [lo] = interval(inner, ranges);
    const shift = lo < 0 ? Math.ceil(-lo / of.by) : 0;
    const text = indexText(loop, { offset: inner.offset + shift * of.by, terms: inner.terms }, ranges);
    if ('rem' in of) return `(${text} % ${of.by})`;
    return shift === 0 ? `(${text} / ${of.by})` : `(${text} / ${of.by} - ${shift})`;
  }
  throw new Error('an index that depends on data reached the emitter');
}

/** The lines of a serial loop around its body. */
export function loopLines(loop: LoopScope, body: readonly string[], names: Names): string[] {
  const head: string[] = [];
  const foot: string[] = [];
  let condition: string | undefined;
  for (const p of loop.pointers.values()) {
    head.push(`let ${p.name}: usize = ${p.from};`);
    foot.push(`${p.name} += ${p.step};`);
    if (condition === undefined && loop.counter === undefined) {
      const end = names.fresh('end');
      head.push(`const ${end}: usize = ${p.name} + ${p.step * loop.extent};`);
      condition = `${p.name} != ${end}`;
    }
  }
  if (condition === undefined) {
    const counter = loop.counter ?? names.fresh('i');
    head.push(`let ${counter}: i32 = ${loop.start};`);
    foot.push(`${counter}++;`);
    condition = `${counter} < ${loop.start + loop.extent}`;
  }
  return [...head, 'do {', ...shareConstants(body, names).map((l) => `  ${l}`), ...foot.map((l) => `  ${l}`), `} while (${condition});`];
}
