/**
 * Arithmetic of indices: intervals, simplification, substitution, and the address that a layout gives to coordinates.
 * Not the evaluation of expressions (interpret.ts).
 */
import type { Expr, Factor, Index, Kernel, Layout, Term } from './program.js';

/** Inclusive bounds of axes. */
export type Ranges = ReadonlyMap<string, readonly [number, number]>;

/** Inclusive bounds of an index. An axis that `ranges` lacks is an error of the caller. */
export function interval(index: Index, ranges: Ranges): [number, number] {
  let [lo, hi] = [index.offset, index.offset];
  for (const { coeff, of } of index.terms) {
    const [a, b] = factorInterval(of, ranges);
    lo += coeff > 0 ? coeff * a : coeff * b;
    hi += coeff > 0 ? coeff * b : coeff * a;
  }
  return [lo, hi];
}

function factorInterval(of: Factor, ranges: Ranges): readonly [number, number] {
  if (typeof of === 'string') {
    const r = ranges.get(of);
    if (!r) throw new Error(`no range for axis ${of}`);
    return r;
  }
  if ('div' in of) {
    const [a, b] = interval(of.div, ranges);
    return [Math.floor(a / of.by), Math.floor(b / of.by)];
  }
  if ('rem' in of) {
    const [a, b] = interval(of.rem, ranges);
    const q = Math.floor(a / of.by);
    return q === Math.floor(b / of.by) ? [a - q * of.by, b - q * of.by] : [0, of.by - 1];
  }
  return [of.lo, of.hi];
}

/** A key that is equal for indices of equal form. */
export function indexKey(index: Index): string {
  return `${index.terms.map((t) => `${t.coeff}*${factorKey(t.of)}`).join('+')}+${index.offset}`;
}

export function factorKey(of: Factor): string {
  if (typeof of === 'string') return of;
  if ('div' in of) return `(${indexKey(of.div)})/${of.by}`;
  if ('rem' in of) return `(${indexKey(of.rem)})%${of.by}`;
  return `clamp(${JSON.stringify(of.value)},${of.lo},${of.hi})`;
}

/** Merges equal factors, drops zero terms and sorts, so that equal sums get equal keys. */
function normal(offset: number, terms: readonly Term[]): Index {
  const merged = new Map<string, Term>();
  for (const t of terms) {
    const key = factorKey(t.of);
    const old = merged.get(key);
    merged.set(key, old ? { coeff: old.coeff + t.coeff, of: t.of } : t);
  }
  const sorted = [...merged.entries()].filter(([, t]) => t.coeff !== 0).sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0));
  return { offset, terms: sorted.map(([, t]) => t) };
}

/** Resolves quotients and remainders that the ranges decide. */
export function simplify(index: Index, ranges: Ranges): Index {
  let offset = index.offset;
  const terms: Term[] = [];
  for (const { coeff, of } of index.terms) {
    const s = simplifyFactor(of, ranges);
    offset += coeff * s.offset;
    for (const t of s.terms) terms.push({ coeff: coeff * t.coeff, of: t.of });
  }
  const result = joinDigits(normal(offset, terms));
  // An axis of one value is a number.
  if (!result.terms.some((t) => typeof t.of === 'string' && isSingle(t.of, ranges))) return result;
  let fixed = result.offset;
  const rest: Term[] = [];
  for (const t of result.terms) {
    if (typeof t.of === 'string' && isSingle(t.of, ranges)) fixed += t.coeff * ranges.get(t.of)![0];
    else rest.push(t);
  }
  return { offset: fixed, terms: rest };
}

/** c*b*(x div b) + c*(x rem b) is c*x, and c*b*((x div b) rem d) + c*(x rem b) is c*(x rem b*d). */
function joinDigits(index: Index): Index {
  for (const high of index.terms) {
    if (typeof high.of === 'string' || 'value' in high.of) continue;
    const digit = 'rem' in high.of ? onlyFactor(high.of.rem) : high.of;
    if (digit === undefined || typeof digit === 'string' || !('div' in digit) || high.coeff % digit.by !== 0) continue;
    const { div: whole, by } = digit;
    const c = high.coeff / by;
    const key = factorKey({ rem: whole, by });
    const low = index.terms.find((t) => t.coeff === c && factorKey(t.of) === key);
    if (!low) continue;
    const rest = index.terms.filter((t) => t !== high && t !== low);
    const joined: Index = 'rem' in high.of ? { offset: 0, terms: [{ coeff: 1, of: { rem: whole, by: by * high.of.by } }] } : whole;
    return joinDigits(normal(index.offset + c * joined.offset, [...rest, ...joined.terms.map((t) => ({ coeff: t.coeff * c, of: t.of }))]));
  }
  return index;
}

/** The factor that an index is, if it is one. */
const onlyFactor = ({ offset, terms }: Index): Factor | undefined => (offset === 0 && terms.length === 1 && terms[0].coeff === 1 ? terms[0].of : undefined);

function isSingle(axis: string, ranges: Ranges): boolean {
  const r = ranges.get(axis);
  return r !== undefined && r[0] === r[1];
}

function simplifyFactor(of: Factor, ranges: Ranges): Index {
  if (typeof of === 'string' || 'value' in of) return { offset: 0, terms: [{ coeff: 1, of }] };
  return 'div' in of ? quotient(simplify(of.div, ranges), of.by, ranges) : remainder(simplify(of.rem, ranges), of.by, ranges);
}

/** Splits an index into by * whole + rest, where the rest has coefficients and offset that by does not divide. */
function splitMultiples(i: Index, by: number): { whole: Index; rest: Index } {
  const q = Math.floor(i.offset / by);
  const whole = i.terms.filter((t) => t.coeff % by === 0);
  return {
    whole: { offset: q, terms: whole.map((t) => ({ coeff: t.coeff / by, of: t.of })) },
    rest: { offset: i.offset - q * by, terms: i.terms.filter((t) => t.coeff % by !== 0) },
  };
}

/** Splits off terms of which g divides the coefficient, where the others stay within [0, g). */
function splitFine(i: Index, by: number, ranges: Ranges): { g: number; coarse: Index; fine: Index } | undefined {
  for (const t of i.terms) {
    const g = Math.abs(t.coeff);
    if (g <= 1 || by % g !== 0) continue;
    const { whole, rest } = splitMultiples(i, g);
    const [lo, hi] = interval(rest, ranges);
    if (lo >= 0 && hi < g) return { g, coarse: whole, fine: rest };
  }
  return undefined;
}

function quotient(i: Index, by: number, ranges: Ranges): Index {
  const { whole, rest } = splitMultiples(i, by);
  const [lo, hi] = interval(rest, ranges);
  const q = Math.floor(lo / by);
  if (q === Math.floor(hi / by)) return { offset: whole.offset + q, terms: whole.terms };
  const split = splitFine(rest, by, ranges);
  if (split) {
    const inner = quotient(split.coarse, by / split.g, ranges);
    return { offset: whole.offset + inner.offset, terms: [...whole.terms, ...inner.terms] };
  }
  const single = onlyFactor(rest);
  const of: Factor = single && typeof single === 'object' && 'div' in single ? { div: single.div, by: single.by * by } : { div: rest, by };
  return { offset: whole.offset, terms: [...whole.terms, { coeff: 1, of }] };
}

function remainder(i: Index, by: number, ranges: Ranges): Index {
  const { rest } = splitMultiples(i, by);
  const [lo, hi] = interval(rest, ranges);
  const q = Math.floor(lo / by);
  if (q === Math.floor(hi / by)) return { offset: rest.offset - q * by, terms: rest.terms };
  const split = splitFine(rest, by, ranges);
  if (split) {
    const inner = remainder(split.coarse, by / split.g, ranges);
    return {
      offset: split.g * inner.offset + split.fine.offset,
      terms: [...inner.terms.map((t) => ({ coeff: t.coeff * split.g, of: t.of })), ...split.fine.terms],
    };
  }
  const single = onlyFactor(rest);
  if (single && typeof single === 'object' && 'rem' in single && single.by % by === 0) return remainder(single.rem, by, ranges);
  return { offset: 0, terms: [{ coeff: 1, of: { rem: rest, by } }] };
}

/** Replaces axes by indices. */
export function substitute(index: Index, map: ReadonlyMap<string, Index>): Index {
  let offset = index.offset;
  const terms: Term[] = [];
  for (const { coeff, of } of index.terms) {
    const s = substituteFactor(of, map);
    offset += coeff * s.offset;
    for (const t of s.terms) terms.push({ coeff: coeff * t.coeff, of: t.of });
  }
  return normal(offset, terms);
}

function substituteFactor(of: Factor, map: ReadonlyMap<string, Index>): Index {
  if (typeof of === 'string') return map.get(of) ?? { offset: 0, terms: [{ coeff: 1, of }] };
  if ('div' in of) return { offset: 0, terms: [{ coeff: 1, of: { div: substitute(of.div, map), by: of.by } }] };
  if ('rem' in of) return { offset: 0, terms: [{ coeff: 1, of: { rem: substitute(of.rem, map), by: of.by } }] };
  return { offset: 0, terms: [{ coeff: 1, of: { value: mapExpr(of.value, (i) => substitute(i, map)), lo: of.lo, hi: of.hi } }] };
}

/** Rebuilds an expression with its indices mapped; `replace` may take the place of a node (before its operands are seen). */
export function mapExpr(e: Expr, index: (i: Index) => Index, replace?: (e: Expr) => Expr | undefined): Expr {
  const own = replace?.(e);
  if (own) return own;
  const go = (x: Expr): Expr => mapExpr(x, index, replace);
  switch (e.op) {
    case 'float':
    case 'int':
    case 'ref':
      return e;
    case 'load': {
      const load = { ...e, at: e.at.map(index) };
      if (!e.guard) return load;
      return { ...load, guard: e.guard.map((c) => ({ ...c, index: index(c.index) })), otherwise: e.otherwise && go(e.otherwise) };
    }
    case 'index':
      return { ...e, index: index(e.index) };
    case 'local':
      return { ...e, at: e.at.map(index) };
    case 'select':
      return { ...e, cond: go(e.cond), a: go(e.a), b: go(e.b) };
    case 'neg': case 'abs': case 'sqrt': case 'floor': case 'nearest': case 'popcount': case 'convert': case 'bitcast':
      return { ...e, a: go(e.a) };
    default:
      return { ...e, a: go(e.a), b: go(e.b) };
  }
}

/** True for the index that is an axis itself. */
export function isAxis({ offset, terms }: Index, name: string): boolean {
  return offset === 0 && terms.length === 1 && terms[0].coeff === 1 && terms[0].of === name;
}

/** Rebuilds a kernel's declarative form with every load mapped, from the innermost out; also those inside indices. */
export function mapLoads(kernel: Kernel, map: (load: Extract<Expr, { op: 'load' }>) => Expr): Kernel {
  const factor = (of: Factor): Factor => {
    if (typeof of === 'string') return of;
    if ('div' in of) return { div: index(of.div), by: of.by };
    return 'rem' in of ? { rem: index(of.rem), by: of.by } : { ...of, value: expr(of.value) };
  };
  const index = (i: Index): Index => ({ offset: i.offset, terms: i.terms.map((t) => ({ coeff: t.coeff, of: factor(t.of) })) });
  const expr = (e: Expr): Expr =>
    mapExpr(e, index, (x) => {
      if (x.op !== 'load') return undefined;
      const load = { ...x, at: x.at.map(index) };
      return map(x.guard ? { ...load, guard: x.guard.map((c) => ({ ...c, index: index(c.index) })), otherwise: x.otherwise && expr(x.otherwise) } : load);
    });
  return {
    ...kernel,
    accumulators: kernel.accumulators.map((a) => ({ ...a, init: expr(a.init), update: expr(a.update) })),
    body: kernel.body.map((l) => ({ ...l, value: expr(l.value) })),
    epilogue: kernel.epilogue.map((l) => ({ ...l, value: expr(l.value) })),
    stores: kernel.stores.map((s) => ({ ...s, at: s.at.map(index), value: expr(s.value) })),
  };
}

/** The address in bits of an element, by a tensor's layout; simplified under the axes' ranges. */
export function address(layout: Layout, at: readonly Index[], ranges: Ranges): Index {
  let offset = layout.offset;
  const terms: Term[] = [];
  layout.dims.forEach((digits, d) => {
    for (const { stride, divisor, modulus } of digits) {
      let i = at[d];
      if (divisor !== 1) i = { offset: 0, terms: [{ coeff: 1, of: { div: i, by: divisor } }] };
      if (modulus !== 0) i = { offset: 0, terms: [{ coeff: 1, of: { rem: i, by: modulus } }] };
      offset += i.offset * stride;
      for (const t of i.terms) terms.push({ coeff: t.coeff * stride, of: t.of });
    }
  });
  return simplify({ offset, terms }, ranges);
}

/** The address in bits of fixed coordinates. */
export function addressAt(layout: Layout, at: readonly number[]): number {
  let a = layout.offset;
  layout.dims.forEach((digits, d) => {
    for (const { stride, divisor, modulus } of digits) {
      const q = Math.floor(at[d] / divisor);
      a += stride * (modulus === 0 ? q : ((q % modulus) + modulus) % modulus);
    }
  });
  return a;
}

/** The number of an element of a row-major array. */
export function rowMajorIndex(shape: readonly number[], at: readonly Index[]): Index {
  let stride = 1;
  let offset = 0;
  const terms: Term[] = [];
  for (let d = shape.length - 1; d >= 0; d--) {
    offset += at[d].offset * stride;
    for (const t of at[d].terms) terms.push({ coeff: t.coeff * stride, of: t.of });
    stride *= shape[d];
  }
  return { offset, terms };
}
