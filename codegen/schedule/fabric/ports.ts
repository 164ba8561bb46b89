/**
 * Ports of memories: what an iteration reads and writes at once must lie in as many banks, and a synthesis tool must see so. An access
 * whose bank is not the same in every iteration may need any bank that its address can be in.
 */
import { address, factorKey, rowMajorIndex, simplify, type Ranges } from '../../ir/indexing.js';
import type { Expr, Factor, Index, Kernel, Program, Stmt } from '../../ir/program.js';
import { gcd } from '../../ir/progression.js';
import { axesIn, walkExpr } from '../../ir/walk.js';

/** An access of the body: which array, and its element's number over the axes. */
interface Access {
  readonly array: string;
  readonly at: Index;
  readonly isWrite: boolean;
  /** Unrolled loops around it. */
  readonly copies: ReadonlyMap<string, readonly [number, number]>;
}

/**
 * Cycles that the memories need for an iteration of `body`: a bank has two ports. `banks` by array; `ranges` of the rolled loops
 * around. Arrays of which every element is a bank are registers; `streamed` tensors are no arrays; constants lie as they are read.
 */
export function portInterval(body: readonly Stmt[], kernel: Kernel, program: Program, streamed: { has(tensor: string): boolean }, banks: ReadonlyMap<string, number>, ranges: Ranges): number {
  const shapes = new Map(kernel.scheduled!.locals.map((l) => [l.name, l.shape]));
  const isMemory = (array: string): boolean => {
    if (shapes.has(array)) return true;
    const { role } = program.buffers[program.tensors[array].buffer];
    return !streamed.has(array) && role === 'temporary';
  };
  const sizeOf = (array: string): number => (shapes.get(array) ?? program.tensors[array].shape).reduce((a, b) => a * b, 1);
  let interval = 1;
  const accesses = accessesOf(body, shapes, program, ranges, (array) => isMemory(array) && (banks.get(array) ?? 1) < sizeOf(array));
  for (const array of new Set(accesses.map((a) => a.array))) {
    const n = banks.get(array) ?? 1;
    const own = accesses.filter((a) => a.array === array);
    const [reads, writes] = [false, true].map((isWrite) => fullest(own.filter((a) => a.isWrite === isWrite), n));
    interval = Math.max(interval, Math.ceil((reads + writes) / 2));
  }
  return interval;
}

/** How many different elements may be asked of one bank at once, at most. */
function fullest(accesses: readonly Access[], banks: number): number {
  const perBank = new Array<number>(banks).fill(0);
  const seen = new Set<string>();
  for (const { at, copies } of accesses) {
    const unrolled = at.terms.filter((t) => typeof t.of === 'string' && copies.has(t.of));
    const rest = at.terms.filter((t) => !unrolled.includes(t));
    // What a quotient or a remainder of an unrolled loop is, is not followed: copies of it may be anywhere.
    const hidden = [...copies].filter(([axis]) => rest.some((t) => axesOf(t.of).has(axis)));
    const step = hidden.length > 0 ? 1 : rest.reduce((g, t) => gcd(g, Math.abs(t.coeff)), banks);
    const key = rest.map((t) => `${t.coeff}*${factorKey(t.of)}`).join('+');
    const visit = (i: number, offset: number): void => {
      if (i < unrolled.length) {
        const [lo, hi] = copies.get(unrolled[i].of as string)!;
        for (let x = lo; x <= hi; x++) visit(i + 1, offset + unrolled[i].coeff * x);
        return;
      }
      if (seen.has(`${key} ${offset}`)) return;
      seen.add(`${key} ${offset}`);
      const times = hidden.reduce((m, [, [lo, hi]]) => m * (hi - lo + 1), 1);
      for (let bank = ((offset % step) + step) % step; bank < banks; bank += step) perBank[bank] += times;
    };
    visit(0, at.offset);
  }
  return Math.max(0, ...perBank);
}

const axesOf = (of: Factor): Set<string> => axesIn({ offset: 0, terms: [{ coeff: 1, of }] });

function accessesOf(body: readonly Stmt[], shapes: ReadonlyMap<string, readonly number[]>, program: Program, outer: Ranges, isWanted: (array: string) => boolean): Access[] {
  const found: Access[] = [];
  const visit = (list: readonly Stmt[], copies: ReadonlyMap<string, readonly [number, number]>): void => {
    const ranges: Ranges = new Map([...outer, ...copies]);
    const add = (array: string, at: readonly Index[], isWrite: boolean): void => {
      if (!isWanted(array)) return;
      const shape = shapes.get(array);
      const { layout } = program.tensors[array] ?? {};
      const flat = shape ? simplify(rowMajorIndex(shape, at), ranges) : address(layout, at, ranges);
      const bits = shape ? 1 : layout.elementBits;
      found.push({ array, at: { offset: flat.offset / bits, terms: flat.terms.map((t) => ({ coeff: t.coeff / bits, of: t.of })) }, isWrite, copies });
    };
    const read = (e: Expr): void => walkExpr(e, {
      expr: (x) => {
        if (x.op === 'load') add(x.tensor, x.at, false);
        if (x.op === 'local') add(x.name, x.at, false);
      },
    });
    for (const s of list) {
      if (s.kind === 'loop') visit(s.body, new Map(copies).set(s.axis, [s.start, s.start + s.extent - 1]));
      else if (s.kind === 'if') visit(s.body, copies);
      else {
        read(s.value);
        if (s.kind === 'set') add(s.name, s.at, true);
        if (s.kind === 'store') add(s.tensor, s.at, true);
      }
    }
  };
  visit(body, new Map());
  return found;
}
