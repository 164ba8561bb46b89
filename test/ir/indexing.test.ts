/** Index arithmetic against brute force: random indices keep their values at every point, and intervals hold all of them. */
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { axis, constant, div, rem, rowMajor, sum, times } from '../../codegen/ir/build.js';
import { address, addressAt, indexKey, interval, simplify, substitute, type Ranges } from '../../codegen/ir/indexing.js';
import { printIndex } from '../../codegen/ir/print.js';
import type { Index, Layout } from '../../codegen/ir/program.js';
import { Random } from '../support/random.js';

/** The meaning of an index, as program.ts says it. */
function valueOf(index: Index, at: ReadonlyMap<string, number>): number {
  return index.terms.reduce((total, { coeff, of }) => {
    if (typeof of === 'string') return total + coeff * at.get(of)!;
    if ('div' in of) return total + coeff * Math.floor(valueOf(of.div, at) / of.by);
    if ('rem' in of) return total + coeff * (((valueOf(of.rem, at) % of.by) + of.by) % of.by);
    throw new Error('no data here');
  }, index.offset);
}

/** Every point of the ranges. */
function* points(ranges: Ranges): Generator<Map<string, number>> {
  const names = [...ranges.keys()];
  const at = new Map(names.map((n) => [n, ranges.get(n)![0]]));
  for (;;) {
    yield new Map(at);
    let d = names.length - 1;
    for (; d >= 0; d--) {
      const next = at.get(names[d])! + 1;
      if (next <= ranges.get(names[d])![1]) {
        at.set(names[d], next);
        break;
      }
      at.set(names[d], ranges.get(names[d])![0]);
    }
    if (d < 0) return;
  }
}

function randomIndex(random: Random, axes: readonly string[], depth: number): Index {
  const parts: Index[] = [constant(random.integer(-7, 7) * random.pick([0, 1, 4]))];
  for (let n = random.integer(1, 3); n > 0; n--) {
    const coeff = random.pick([1, 1, 2, 3, 4, 6, 8, 12, -1, -4]);
    const kind = depth === 0 ? 0 : random.integer(0, 3);
    if (kind <= 1) parts.push(axis(random.pick(axes), coeff));
    else {
      const inner = randomIndex(random, axes, depth - 1);
      const by = random.pick([2, 3, 4, 6, 8, 12]);
      parts.push(times(kind === 2 ? div(inner, by) : rem(inner, by), coeff));
    }
  }
  return sum(...parts);
}

function randomRanges(random: Random): Ranges {
  const range = (): readonly [number, number] => {
    const lo = random.pick([0, 0, 0, 1, -3]);
    return [lo, lo + random.pick([0, 1, 2, 3, 5, 7])];
  };
  return new Map([['a', range()], ['b', range()], ['c', range()]]);
}

test('simplify keeps every value; intervals hold them all', () => {
  const random = new Random(41);
  let shorter = 0;
  for (let i = 0; i < 3000; i++) {
    const ranges = randomRanges(random);
    const index = randomIndex(random, ['a', 'b', 'c'], 2);
    const simple = simplify(index, ranges);
    const [lo, hi] = interval(index, ranges);
    const [low, high] = interval(simple, ranges);
    if (printIndex(simple).length < printIndex(index).length) shorter++;
    for (const at of points(ranges)) {
      const expected = valueOf(index, at);
      const found = valueOf(simple, at);
      if (expected === found && expected >= lo && expected <= hi && found >= low && found <= high) continue;
      assert.unreachable(`${printIndex(index)} -> ${printIndex(simple)} at ${JSON.stringify([...at])}: ${expected} -> ${found}, in ${lo} .. ${hi} and ${low} .. ${high}`);
    }
  }
  assert.ok(shorter > 1000, `only ${shorter} of 3000 got shorter`);
});

test('intervals of sums of axes are reached at both ends', () => {
  const random = new Random(42);
  for (let i = 0; i < 300; i++) {
    const ranges = randomRanges(random);
    const index = randomIndex(random, ['a', 'b', 'c'], 0);
    const values = [...points(ranges)].map((at) => valueOf(index, at));
    assert.equal(interval(index, ranges), [Math.min(...values), Math.max(...values)], printIndex(index));
  }
});

test('substitute replaces axes inside quotients and remainders', () => {
  const random = new Random(43);
  for (let i = 0; i < 500; i++) {
    const ranges: Ranges = new Map([['p', [0, 2]], ['q', [0, 4]]]);
    const index = randomIndex(random, ['a', 'b'], 2);
    const map = new Map([['a', randomIndex(random, ['p', 'q'], 1)], ['b', randomIndex(random, ['p', 'q'], 1)]]);
    const result = substitute(index, map);
    for (const at of points(ranges)) {
      const inner = new Map([...map].map(([name, x]) => [name, valueOf(x, at)]));
      assert.is(valueOf(result, at), valueOf(index, inner), printIndex(index));
    }
  }
});

const ranges: Ranges = new Map([['x', [0, 27]], ['o', [0, 6]], ['i', [0, 3]], ['j', [0, 2]], ['one', [2, 2]]]);
const simple = (index: Index): string => printIndex(simplify(index, ranges));

test('quotients and remainders that ranges decide', () => {
  assert.is(simple(div(sum(times('o', 4), 'i'), 4)), 'o');
  assert.is(simple(rem(sum(times('o', 4), 'i'), 4)), 'i');
  assert.is(simple(div('i', 4)), '0');
  assert.is(simple(rem(sum('i', 4), 8)), 'i + 4');
  assert.is(simple(div(sum(times('o', 12), times('i', 3), 'j'), 6)), '(i div 2) + 2*o');
  assert.is(simple(rem(sum(times('o', 12), times('i', 3), 'j'), 6)), '3*(i rem 2) + j');
  assert.is(simple(div(div('x', 2), 7)), '(x div 14)');
  assert.is(simple(rem(rem('x', 14), 7)), '(x rem 7)');
  assert.is(simple(div(sum(times('o', 4), -1), 4)), 'o - 1');
  // what nothing decides stays
  assert.is(simple(div(sum('x', 'i'), 4)), '(i + x div 4)');
});

test('the digits of an axis join again; an axis of one value is a number', () => {
  assert.is(simple(sum(times(div('x', 4), 4), rem('x', 4))), 'x');
  assert.is(simple(sum(times(div(sum('x', 5), 4), 32), times(rem(sum('x', 5), 4), 8))), '8*x + 40');
  assert.is(simple(sum(times(rem(div('x', 5), 2), 15), times(rem('x', 5), 3))), '3*(x rem 10)');
  assert.is(simple(sum(times(div('x', 12), 12), times(rem(div('x', 4), 3), 4), rem('x', 4))), 'x');
  // another digit than the one above: nothing to join
  assert.is(simple(sum(times(div('x', 4), 8), rem('x', 4))), '(x rem 4) + 8*(x div 4)');
  assert.is(simple(sum('one', times('x', 2))), '2*x + 2');
  assert.is(simple(sum(times('x', 3), times('x', -3))), '0');
});

test('equal sums have equal keys', () => {
  const a = simplify(sum(times('x', 2), 'i', 3), ranges);
  const b = simplify(sum(3, 'i', 'x', 'x'), ranges);
  assert.is(indexKey(a), indexKey(b));
  assert.is.not(indexKey(a), indexKey(simplify(sum(times('x', 2), 'i', 4), ranges)));
});

test('an axis without a range is the caller\'s fault', () => {
  assert.throws(() => interval(axis('nowhere'), ranges), (e: Error) => e.message === 'no range for axis nowhere');
});

test('addresses: symbolic and of fixed coordinates are the same', () => {
  const random = new Random(44);
  for (let i = 0; i < 200; i++) {
    const digit = (): { stride: number; divisor: number; modulus: number } => ({ stride: 8 * random.integer(1, 9), divisor: random.pick([1, 1, 2, 3]), modulus: random.pick([0, 2, 4]) });
    const layout: Layout = { offset: 8 * random.integer(0, 5), dims: [[digit()], [digit(), digit()], []], elementBits: 8, containerBits: 8 };
    const domain: Ranges = new Map([['a', [0, 5]], ['b', [0, 7]]]);
    const at = [randomIndex(random, ['a', 'b'], 0), randomIndex(random, ['a', 'b'], 1), constant(0)];
    const symbolic = address(layout, at, domain);
    for (const p of points(domain)) assert.is(valueOf(symbolic, p), addressAt(layout, at.map((x) => valueOf(x, p))));
  }
  assert.is(addressAt(rowMajor([2, 3, 4], 16), [1, 2, 3]), 16 * 23);
});

test.run();
