/**
 * What a scheduled kernel costs, before anything runs: cycles, bytes of code, bytes of constants. An estimate that ranks
 * schedules of one kernel; the search measures those that it ranks first.
 *
 * A loop that stays a loop is a region of straight-line text. In each, instructions are counted with unrolled loops written
 * out and equal loads and values shared, as the emitter does; a region takes as long as the busiest of its limits: loads,
 * arithmetic, issue, the chain of an accumulator's own updates, and registers that do not suffice.
 */
import { describe } from '../ir/datatype.js';
import { exprType, type TypeScope } from '../ir/exprType.js';
import type { Expr, Index, Kernel, Program, Stmt } from '../ir/program.js';
import { sumBits } from '../ir/sharedLanes.js';
import { dependsOn, operandsOf, walkExpr } from '../ir/walk.js';
import type { Processor } from '../targets/processor.js';
import type { Target } from '../targets/target.js';

export interface Cost {
  readonly cycles: number;
  /** Estimated bytes of the function's machine-independent code. */
  readonly codeBytes: number;
}

/** Instructions that take longer, and what a loop and an instruction cost. */
const divide = 8;
const spill = 1.5;
/** A tile that does not fit the registers, over one that does: operands are spilled, of quads sums. */
const spilled = { float: 1.25, integer: 1.25, quad: 1.8 };
const loopOverhead = 1.5;
const bytesPerInstruction = 9;

/** What one vector of sums takes in a step of its reduction. */
export interface TileProducts {
  /** Float32 sums, integer sums of which each product is added by an instruction of its own, or quads that add themselves. */
  readonly kind: 'float' | 'integer' | 'quad';
  /** Accumulators of the kernel. */
  readonly accumulators: number;
  /** Instructions that a vector of weights takes before it can be multiplied. */
  readonly unpack: number;
  /** Every sum has data of its own, interleaved from as many vectors; 0 where the sums of a row share a datum. */
  readonly interleaved: number;
  /** Steps of the reduction, on which a tile's own cost is spread. */
  readonly steps: number;
}

/** Instructions of a product and its sum. A quad is one, which occupies the machine like the two. */
const productAndSum = 2;
/** Of interleaving four vectors, a vector that comes of it. */
const interleaving = 6.7;
/** Cycles of a tile beside its steps: loop, addresses, first sums. */
const tileStart = 7.5;

/**
 * Cycles of one step of a reduction for a tile of `rows` by `columns` vectors of sums: each sum takes a product and an add,
 * each row a datum in all lanes, each column a vector of weights.
 *
 * On V8 and x86-64 this gives the rates of float32 tiles that were measured (one to six rows of one to eight vectors) within 6 %
 * where nothing spills, and orders those that spill behind them: 4 x 2 28.8, 2 x 4 28.6, 2 x 3 28, 1 x 6 26.5, 4 x 1 23.5, but 3 x 3
 * and 5 x 2 23, 1 x 8 20 GMAC/s. Quads (3x3, 64 channels, 8-bit by 7-bit): 4 x 2 and 2 x 4 104, 8 x 1 99, 5 x 2 96, 2 x 2 61, 1 x 4 61,
 * but 4 x 3 and 3 x 4 70, 7 x 2 57; of short reductions 6 x 2 is the best. Interleaved (depthwise 3x3): 6 x 2 20, 4 x 2 19.4, 4 x 1 17.9,
 * 1 x 1 13.2, but 7 x 2 17.
 */
export function tileCycles(rows: number, columns: number, products: TileProducts, processor: Processor): number {
  const { kind, accumulators, unpack, interleaved, steps } = products;
  const sums = rows * columns * accumulators;
  const loads = columns * accumulators + (interleaved > 0 ? sums * interleaved : rows);
  const arithmetic = (productAndSum + (interleaved > 0 ? interleaving : 0)) * sums + unpack * columns;
  // Engines load all operands of a step before its first product, which takes a register before it is added. Those that have
  // quads keep the order of the text: one row at a time, columns that serve a single row come from memory, and sums are added in place.
  const held = kind === 'quad' ? 1 + (rows > 1 ? columns : 0) : loads + 1;
  const spills = sums + held > processor.registers - processor.reserved;
  const busiest = Math.max(arithmetic / processor.arithmeticPerCycle, loads / processor.loadsPerCycle, (arithmetic + loads) / processor.issuePerCycle, processor.chain[kind]);
  return (busiest + 0.3 + loads / 8) * (spills ? spilled[kind] : 1) + tileStart / steps;
}

interface Unrolled {
  readonly axis: string;
  readonly extent: number;
  /** Copies of a statement that one iteration makes: lanes are one. */
  readonly copies: number;
}

interface Region {
  loads: number;
  arithmetic: number;
  /** Loops inside: cycles and code bytes. */
  inner: Cost;
  chain: number;
  registers: number;
}

export function costOf(kernel: Kernel, program: Program, target: Target): Cost {
  const locals = new Map(kernel.scheduled!.locals.map((l) => [l.name, l]));
  const types: TypeScope = {
    tensor: (name) => program.tensors[name].dtype,
    ref: (name) => [...kernel.body, ...kernel.epilogue, ...kernel.accumulators].find((l) => name.endsWith(l.name))?.type ?? 'int32',
    local: (name) => locals.get(name)?.type ?? 'int32',
  };
  const visitRegion = (body: readonly Stmt[]): Cost => {
    const region: Region = { loads: 0, arithmetic: 0, inner: { cycles: 0, codeBytes: 0 }, chain: 0, registers: 0 };
    const seen = new Set<string>();
    const visit = (s: Stmt, unrolled: readonly Unrolled[]): void => {
      if (s.kind === 'loop') {
        const vectors = s.mode === 'vector' && target.lanes > 1 && s.extent % target.lanes === 0 ? s.extent / target.lanes : undefined;
        if (s.extent === 1 || s.mode === 'unrolled' || s.mode === 'vector') {
          const next = [...unrolled, { axis: s.axis, extent: s.extent, copies: vectors ?? s.extent }];
          for (const inner of s.body) visit(inner, next);
          return;
        }
        const once = visitRegion(s.body);
        const copies = product(unrolled);
        region.inner = { cycles: region.inner.cycles + copies * s.extent * (once.cycles + loopOverhead), codeBytes: region.inner.codeBytes + copies * (once.codeBytes + 24) };
        return;
      }
      if (s.kind === 'if') {
        for (const inner of s.body) visit(inner, unrolled);
        return;
      }
      count(s.value, unrolled, region, seen);
      if (s.kind === 'store') region.loads += copiesOf(s.at, unrolled);
      if (s.kind === 'set') {
        const own = reads(s.value, s.name);
        const registers = copiesOf(s.at, unrolled);
        region.registers = Math.max(region.registers, registers);
        if (own) {
          const type = exprType(s.value, types);
          region.chain = Math.max(region.chain, (product(unrolled) / registers) * (type === 'float32' ? target.processor.chain.float : target.processor.chain.integer));
        }
      }
    };
    for (const s of body) visit(s, []);
    const issue = region.loads + region.arithmetic;
    const tooMany = Math.max(0, region.registers + 3 - target.processor.registers);
    const straight = Math.max(region.loads / target.processor.loadsPerCycle, region.arithmetic / target.processor.arithmeticPerCycle, issue / target.processor.issuePerCycle, region.chain) + tooMany * spill;
    return { cycles: straight + region.inner.cycles, codeBytes: issue * bytesPerInstruction + region.inner.codeBytes };
  };
  return visitRegion(kernel.scheduled!.body);
}

const product = (unrolled: readonly Unrolled[]): number => unrolled.reduce((n, u) => n * u.copies, 1);

/** Copies of something with these indices that differ from one another. */
function copiesOf(at: readonly Index[], unrolled: readonly Unrolled[]): number {
  return unrolled.reduce((n, u) => (at.some((i) => dependsOn(i, u.axis)) ? n * u.copies : n), 1);
}

/** Adds the instructions of an expression; returns the unrolled loops that its value depends on. */
function count(e: Expr, unrolled: readonly Unrolled[], region: Region, seen: Set<string>): ReadonlySet<string> {
  const depends = new Set<string>();
  const note = (at: readonly Index[]): void => {
    for (const u of unrolled) if (at.some((i) => dependsOn(i, u.axis))) depends.add(u.axis);
  };
  const copies = (): number => unrolled.reduce((n, u) => (depends.has(u.axis) ? n * u.copies : n), 1);
  if (e.op === 'load') {
    note(e.at);
    const key = JSON.stringify([e.tensor, e.at]);
    if (!seen.has(key)) region.loads += copies() * (e.guard ? 2 : 1);
    seen.add(key);
    return depends;
  }
  if (e.op === 'local') {
    note(e.at);
    return depends;
  }
  if (e.op === 'index') note([e.index]);
  for (const x of operandsOf(e)) for (const axis of count(x, unrolled, region, seen)) depends.add(axis);
  if (e.op === 'ref') for (const u of unrolled) depends.add(u.axis);
  if (e.op === 'float' || e.op === 'int' || e.op === 'ref' || e.op === 'index') return depends;
  const wide = 'type' in e && e.type !== 'float32' && describe(e.type).bits > 32 ? 3 : 1;
  // A lookup (index, clamp, swizzle, addition) gives two to four products of 16 lanes, and a copy here is of four.
  // Where two outputs share a lane, a pair of members takes a product and a sum for both, and the outputs part once a group.
  const lookups = e.op !== 'dot' ? 1 : e.table !== undefined ? e.extent / 2 : e.type === `int${sumBits}` ? e.extent / 2 + 3 : 1;
  region.arithmetic += copies() * wide * lookups * (e.op === 'div' || e.op === 'sqrt' ? divide : 1);
  return depends;
}

function reads(e: Expr, local: string): boolean {
  let found = false;
  walkExpr(e, { expr: (x) => { found ||= x.op === 'local' && x.name === local; } });
  return found;
}
