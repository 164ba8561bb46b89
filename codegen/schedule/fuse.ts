/**
 * Fusing: an elementwise kernel moves into the epilogue of the kernel that makes its operand. Legal where both run over
 * the same points and nothing else reads the tensor between them; no bit changes, since no order does.
 */
import { axis, ref } from '../ir/build.js';
import { describe } from '../ir/datatype.js';
import { indexKey, mapExpr, substitute } from '../ir/indexing.js';
import type { Expr, Index, Kernel, Let, Program, ProgramUnit } from '../ir/program.js';
import { carriedTensors, walkExpr, walkKernel } from '../ir/walk.js';
import { withoutUnused } from './lower.js';

/**
 * Fuses as long as anything can be, within each list of blocks: nothing leaves a repeat. `apart` says which legal pairs a
 * target is better off without.
 */
export function fuseAll(unit: ProgramUnit, steps: string[] = [], apart: (producer: Kernel, consumer: Kernel) => boolean = () => false): ProgramUnit {
  return withoutUnused({ program: fuseBlocks(unit.program, carriedTensors(unit.program.blocks), steps, apart), data: unit.data });
}

/** `carried`: what outlives an iteration. */
function fuseBlocks(whole: Program, carried: ReadonlySet<string>, steps: string[], apart: (producer: Kernel, consumer: Kernel) => boolean): Program {
  let program: Program = { ...whole, blocks: whole.blocks.map((b) => (b.kind === 'repeat' ? { ...b, body: fuseBlocks({ ...whole, blocks: b.body }, carried, steps, apart).blocks } : b)) };
  for (let changed = true; changed; ) {
    changed = false;
    for (let b = 0; b < program.blocks.length && !changed; b++) {
      const consumer = program.blocks[b];
      if (consumer.kind !== 'kernel' || consumer.reduce.length + consumer.accumulators.length + consumer.body.length > 0) continue;
      // Elementwise producers first: once it is part of a reduction, nothing more moves into this one.
      const before = program.blocks.slice(0, b).map((_, i) => b - 1 - i);
      const reduces = (a: number): boolean => (program.blocks[a] as Kernel).reduce?.length > 0;
      for (const a of [...before.filter((x) => !reduces(x)), ...before.filter(reduces)]) {
        const producer = program.blocks[a];
        if (producer.kind !== 'kernel') continue;
        const fused = tryFuse(program, carried, producer, consumer);
        if (!fused || apart(producer, consumer) || (reduces(a) && belongsDownstream(program, carried, producer, consumer))) continue;
        steps.push(`fuse ${consumer.name} into ${producer.name}`);
        // At the consumer's place, unless what stays is read before.
        const early = readBetween(program, producer, consumer, fused);
        program = { ...program, blocks: program.blocks.flatMap((k, i) => (i === (early ? a : b) ? [fused] : i === a || i === b ? [] : [k])) };
        changed = true;
        break;
      }
    }
  }
  return program;
}

/** True where the consumer makes wide elements of narrow ones for one elementwise kernel: memory then holds the narrow ones. */
function belongsDownstream(program: Program, carried: ReadonlySet<string>, producer: Kernel, consumer: Kernel): boolean {
  const bits = (k: Kernel): number => describe(program.tensors[k.stores[0].tensor].dtype).bits;
  if (consumer.stores.length !== 1 || bits(consumer) <= bits(producer)) return false;
  const reader = program.blocks.find((k) => readsTensor(k, consumer.stores[0].tensor));
  return reader?.kind === 'kernel' && reader.reduce.length === 0 && tryFuse(program, carried, consumer, reader) !== undefined;
}

/**
 * The two kernels as one; undefined where that is not legal. Of several tensors that the producer writes,
 * those that others read stay; a single one that others read too keeps the kernels apart.
 */
function tryFuse(program: Program, carried: ReadonlySet<string>, producer: Kernel, consumer: Kernel): Kernel | undefined {
  // A copy moves data and is better left to become a view; nothing fuses into a copy.
  if (consumer.op === 'copy' || producer.op === 'copy') return undefined;
  const written = new Map(producer.stores.map((s) => [s.tensor, s]));
  const loads = loadsOf(consumer).filter((l) => written.has(l.tensor));
  if (loads.length === 0 || loads.some((l) => l.guard) || loadsInIndices(consumer).some((l) => written.has(l.tensor))) return undefined;
  const [{ at }] = producer.stores;
  // an axis of extent 1 is 0
  const place = (i: Index): string => {
    const plain = plainAxis(i);
    return plain === 0 || (plain !== undefined && extentOf(producer, plain) === 1) ? '' : indexKey(i);
  };
  if (producer.stores.some((s) => s.at.length !== at.length || s.at.some((i, d) => place(i) !== place(at[d])))) return undefined;
  const kept = producer.stores.filter(({ tensor }) => {
    return program.buffers[program.tensors[tensor].buffer].role !== 'temporary' || carried.has(tensor) || program.blocks.some((k) => k !== consumer && readsTensor(k, tensor));
  });
  if (kept.length > 0) {
    if (producer.stores.length === 1) return undefined;
    const between = program.blocks.slice(program.blocks.indexOf(producer) + 1, program.blocks.indexOf(consumer));
    const needed = new Set(loadsOf(consumer).map((l) => l.tensor));
    if (readBetween(program, producer, consumer, producer) && between.some((k) => writesAny(k, needed))) return undefined;
  }
  const map = matchSpace(producer, consumer, at, loads.map((l) => l.at));
  if (!map) return undefined;

  // Rename what the consumer binds, so that both fit one kernel.
  const taken = new Set([...producer.body, ...producer.epilogue].map((l) => l.name).concat(producer.accumulators.map((a) => a.name)));
  const renamed = new Map<string, string>();
  const fresh = (name: string): string => {
    let unique = name;
    for (let i = 2; taken.has(unique); i++) unique = `${name}_${i}`;
    taken.add(unique);
    return unique;
  };
  const values = new Map([...new Set(loads.map((l) => l.tensor))].map((tensor) => [tensor, fresh('value')]));
  const bind = (i: Index): Index => substitute(i, map);
  const rewrite = (e: Expr): Expr =>
    mapExpr(e, bind, (x) => {
      if (x.op === 'load' && values.has(x.tensor)) return ref(values.get(x.tensor)!);
      if (x.op === 'ref') return ref(renamed.get(x.name) ?? x.name);
      return undefined;
    });
  const lets: Let[] = [...values].map(([tensor, name]) => ({ name, type: program.tensors[tensor].dtype, value: written.get(tensor)!.value }));
  for (const l of consumer.epilogue) {
    const own = rewrite(l.value);
    renamed.set(l.name, fresh(l.name));
    lets.push({ name: renamed.get(l.name)!, type: l.type, value: own });
  }
  return {
    ...producer,
    epilogue: [...producer.epilogue, ...lets],
    stores: [
      ...kept.map((s) => (values.has(s.tensor) ? { ...s, value: ref(values.get(s.tensor)!) } : s)),
      ...consumer.stores.map((s) => ({ tensor: s.tensor, at: s.at.map(bind), value: rewrite(s.value) })),
    ],
  };
}

/** True where a block between two kernels reads what `writer` writes. */
function readBetween(program: Program, producer: Kernel, consumer: Kernel, writer: Kernel): boolean {
  const between = program.blocks.slice(program.blocks.indexOf(producer) + 1, program.blocks.indexOf(consumer));
  return between.some((k) => writer.stores.some(({ tensor }) => readsTensor(k, tensor)));
}

function writesAny(block: Program['blocks'][number], tensors: ReadonlySet<string>): boolean {
  return block.kind === 'repeat' ? block.body.some((b) => writesAny(b, tensors)) : block.stores.some((s) => tensors.has(s.tensor));
}

function readsTensor(block: Program['blocks'][number], tensor: string): boolean {
  if (block.kind === 'repeat') return block.body.some((b) => readsTensor(b, tensor));
  return loadsOf(block).some((l) => l.tensor === tensor);
}

type Load = Extract<Expr, { op: 'load' }>;

/** Kernels do not change, and fusing asks each of them once for every other. */
const knownLoads = new WeakMap<Kernel, readonly Load[]>();

/** Every load of a kernel's declarative form, also those that indices depend on. */
export function loadsOf(kernel: Kernel): readonly Load[] {
  const known = knownLoads.get(kernel);
  if (known) return known;
  const found: Load[] = [];
  walkKernel(kernel, { expr: (e) => { if (e.op === 'load') found.push(e); } });
  knownLoads.set(kernel, found);
  return found;
}

/** The loads that decide where a kernel loads or stores. */
export function loadsInIndices(kernel: Kernel): readonly Load[] {
  const found: Load[] = [];
  const seen = (e: Expr): void => { if (e.op === 'load') found.push(e); };
  walkKernel(kernel, { index: (i) => { for (const { of } of i.terms) if (typeof of !== 'string' && 'value' in of) walkExpr(of.value, { expr: seen }); } });
  return found;
}

/** The consumer's axes as indices of the producer, where both walk the same points. */
function matchSpace(producer: Kernel, consumer: Kernel, written: readonly Index[], reads: readonly (readonly Index[])[]): Map<string, Index> | undefined {
  const map = new Map<string, Index>();
  const reached = new Set<string>();
  for (const read of reads) {
    for (let d = 0; d < written.length; d++) {
      const from = plainAxis(written[d]);
      const to = plainAxis(read[d]);
      if (from === undefined || to === undefined) return undefined;
      if (to === 0 && from === 0) continue;
      if (to === 0) {
        // The consumer reads one place of a dimension of extent 1.
        if (extentOf(producer, from as string) !== 1) return undefined;
        reached.add(from as string);
        continue;
      }
      if (from === 0) {
        if (extentOf(consumer, to as string) !== 1) return undefined;
        map.set(to as string, { offset: 0, terms: [] });
        continue;
      }
      if (extentOf(consumer, to as string) !== extentOf(producer, from as string)) return undefined;
      const old = map.get(to as string);
      if (old && (old.terms.length !== 1 || old.terms[0].of !== from)) return undefined;
      map.set(to as string, axis(from as string));
      reached.add(from as string);
    }
  }
  for (const a of consumer.space) {
    if (map.has(a.name)) continue;
    if (a.extent !== 1) return undefined;
    map.set(a.name, { offset: 0, terms: [] });
  }
  if (producer.space.some((a) => a.extent !== 1 && !reached.has(a.name))) return undefined;
  return map;
}

/** The name of the axis that an index is, 0 for the index zero, undefined for all else. */
function plainAxis(i: Index): string | 0 | undefined {
  if (i.offset !== 0) return undefined;
  if (i.terms.length === 0) return 0;
  const [t] = i.terms;
  return i.terms.length === 1 && t.coeff === 1 && typeof t.of === 'string' ? t.of : undefined;
}

function extentOf(kernel: Kernel, name: string): number {
  return kernel.space.find((a) => a.name === name)?.extent ?? -1;
}
