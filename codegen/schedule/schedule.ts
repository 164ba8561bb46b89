/**
 * Program -> scheduled Program for a target: fuse, stage, layouts, views, then each kernel's nests, packed constants and
 * the memory plan. The order of the stages is here and nowhere else.
 */
import { rowMajor } from '../ir/build.js';
import { fail } from '../ir/diagnostic.js';
import { sha256 } from '../ir/hash.js';
import { columns as tableColumns, lookupTable } from '../ir/lookup.js';
import { indexKey, interval, mapLoads, simplify, substitute } from '../ir/indexing.js';
import type { Index, Kernel, Program, ProgramUnit, Repeat, Stmt, Tensor } from '../ir/program.js';
import { byteDigits, laneDigits } from '../ir/sharedLanes.js';
import { factorDependsOn } from '../ir/walk.js';
import type { Target } from '../targets/target.js';
import { accesses, type Access } from './access.js';
import type { KernelSchedule, Pack } from './choice.js';
import { joinLoops } from './defaults/elementwise.js';
import { defaultSchedule } from './defaults/index.js';
import { usesWideIntegers } from './defaults/lanes.js';
import { fuseAll, loadsOf } from './fuse.js';
import { imageByImage } from './images.js';
import { inlineConstants, makeLate } from './inline.js';
import { interleaveSums } from './interleave.js';
import { joinReductions } from './join.js';
import { assignLayouts, dropCoveredGuards, makeViews, stageInputs, stageOutputs } from './layout.js';
import { unusedName, withoutUnused } from './lower.js';
import { rangesOf, scheduleKernel, type Loop, type Nest } from './nest.js';
import { productOperands } from './products.js';
import { packedLayout, repack, type Packing } from './pack.js';
import { planMemory } from './plan.js';
import { reassociate } from './reassociate.js';
import { startAtBias } from './start.js';

export interface ScheduleOptions {
  /** Every tensor keeps its bytes, of all images, to the end of a run, so that a debug build can show them. */
  readonly keepAll?: boolean;
  /** First byte of the arena, where several Programs share a memory. */
  readonly start?: number;
  /** Another schedule than the default for a kernel; undefined keeps the default. */
  readonly choose?: (kernel: Kernel, program: Program) => KernelSchedule | undefined;
}

/** Schedules a lowered Program. The result has the same bits for every target without fast math. */
export function schedule(unit: ProgramUnit, target: Target, options: ScheduleOptions = {}): ProgramUnit {
  const steps: string[] = [];
  const u = withoutUnused(scheduleKernels(prepare(unit, target, steps, options.keepAll), target, options.choose));
  return { ...u, program: { ...planMemory(u.program, { reuse: !options.keepAll, start: options.start }), target: target.name, ...(steps.length > 0 ? { steps } : {}) } };
}

/** All that comes before the kernels' own schedules: which kernels there are, and where tensors lie. Appends what was done to `steps`. */
export function prepare(unit: ProgramUnit, target: Target, steps: string[], keepAll = false): ProgramUnit {
  // Integers wider than lanes would make the whole kernel scalar.
  const scalarOnly = (kernel: Kernel): boolean => usesWideIntegers(kernel, unit.program, target);
  let u = joinReductions(inlineConstants(unit, steps), steps);
  u = fuseAll(u, steps, (producer, consumer) => target.lanes > 1 && scalarOnly(consumer) && !scalarOnly(producer));
  u = { ...u, program: startAtBias(makeLate(u.program), steps) };
  // Outputs first: one that windows read again has its halo in the temporary that it gets here.
  u = stageOutputs(u, target, steps, keepAll);
  u = stageInputs(u, steps);
  u = assignLayouts(u, target, steps, keepAll);
  u = dropCoveredGuards(u);
  u = makeViews(u, steps);
  u = interleaveSums(u, target, steps);
  if (target.fastMath) u = { ...u, program: reassociate(u.program, target, steps) };
  return keepAll ? u : imageByImage(u, steps);
}

/** A kernel, and the repeat that it is in. */
export interface Alone {
  readonly kernel: Kernel;
  readonly repeat?: Repeat;
}

/**
 * One kernel of a prepared unit, scheduled, as a Program of its own: what it reads are inputs, what it writes temporaries.
 * Undefined where it reads and writes the same bytes.
 */
export function isolate(prepared: ProgramUnit, { kernel, repeat }: Alone, target: Target, chosen: KernelSchedule, start?: number): ProgramUnit | undefined {
  const { program } = prepared;
  const inputs = [...new Set(loadsOf(kernel).map((l) => l.tensor))].filter((t) => program.buffers[program.tensors[t].buffer].role !== 'constant');
  const written = new Set(kernel.stores.map((s) => program.tensors[s.tensor].buffer));
  const read = new Set(inputs.map((t) => program.tensors[t].buffer));
  if ([...read].some((b) => written.has(b))) return undefined;
  const buffers = Object.fromEntries(Object.values(program.buffers).map((b) => [b.name, { ...b, role: b.role === 'constant' ? b.role : read.has(b.name) ? ('input' as const) : ('temporary' as const) }]));
  const alone: Program = { name: kernel.name, buffers, tensors: program.tensors, inputs, outputs: [], blocks: [repeat ? { ...repeat, body: [kernel] } : kernel] };
  const u = withoutUnused(scheduleKernels(withoutUnused({ ...prepared, program: alone }), target, () => chosen));
  return { ...u, program: { ...planMemory(u.program, { reuse: false, start }), target: target.name } };
}

function scheduleKernels(unit: ProgramUnit, target: Target, choose: ScheduleOptions['choose']): ProgramUnit {
  let program = unit.program;
  const data = new Map(unit.data);
  const map = (block: Program['blocks'][number]): Program['blocks'][number] => {
    if (block.kind === 'repeat') return { ...block, body: block.body.map(map) };
    const plan = choose?.(block, program) ?? defaultSchedule(block, program, target);
    const packed = packConstants(block, plan, program, data);
    program = packed.program;
    const nests = plan.nests.map((n) => joinLoops({ ...n, kernel: packed.kernel }, program, true));
    const tabled = nests.map((n) => {
      if (!n.lookup) return n;
      const added = addTable(n, program, data);
      program = added.program;
      return { ...n, lookup: { table: added.name } };
    });
    return dropPaddedGuards(scheduleKernel(packed.kernel, tabled), tabled, program);
  };
  const blocks = program.blocks.map(map);
  return { program: { ...program, blocks }, data };
}

/** The table of a nest's lookups as a constant; kernels with the same operand types share it. */
function addTable(nest: Nest, program: Program, data: Map<string, Uint8Array>): { name: string; program: Program } {
  const operands = productOperands(nest.kernel, program);
  const entries = operands && lookupTable(program.tensors[operands.data], program.tensors[operands.weight]);
  if (!entries) fail('schedule/illegal', nest.kernel.name, 'its products have no table', 'Pack the weights as fields of 1 or 2 bits.');
  const bytes = new Uint8Array(entries.buffer);
  const hash = sha256(bytes).slice(0, 32);
  const name = `lookup.${hash.slice(0, 8)}`;
  if (program.tensors[name]) return { name, program };
  data.set(hash, bytes);
  const shape = [entries.length / tableColumns, tableColumns];
  const tensor: Tensor = { name, dtype: 'int8', shape, buffer: name, layout: rowMajor(shape, 8) };
  return { name, program: { ...program, tensors: { ...program.tensors, [name]: tensor }, buffers: { ...program.buffers, [name]: { name, role: 'constant', bytes: bytes.length, hash } } } };
}

/**
 * Gives every constant of a kernel the layout in which its loops read it. `atOnce`: what is read at fixed places is read in one step,
 * so that it lies together, also where one output is computed at a time.
 */
export function packConstants(kernel: Kernel, plan: KernelSchedule, start: Program, data: Map<string, Uint8Array>, atOnce = false): { kernel: Kernel; program: Program } {
  let program = start;
  const renamed = new Map<string, string>();
  const [first] = plan.nests;
  for (const a of accesses(first, program)) {
    if (!a.constant || renamed.has(a.tensor)) continue;
    const tensor = program.tensors[a.tensor];
    const { at, loops } = readingOrder(first, a, tensor, atOnce);
    const same = plan.nests.every((n) => sameReading(n, at, tensor, loops));
    const gains = loops.some((l) => l.mode === 'vector') || loops.length > 1;
    if (!same || !gains) continue;
    const packing = packingOf(tensor, loops, plan.packs[a.tensor]);
    const result = packedLayout(tensor.shape, at, packing);
    if (!result) continue;
    const name = unusedName(program.tensors, `${a.tensor}@${kernel.name}`);
    const packed = repack(tensor, data.get(program.buffers[tensor.buffer].hash!)!, name, result.layout, result.bits);
    data.set(packed.buffer.hash!, packed.bytes);
    program = { ...program, tensors: { ...program.tensors, [name]: packed.tensor }, buffers: { ...program.buffers, [name]: packed.buffer } };
    renamed.set(a.tensor, name);
  }
  return { kernel: renamed.size === 0 ? kernel : renameLoads(kernel, renamed), program };
}

function packingOf(tensor: Tensor, loops: readonly Loop[], pack: Pack | undefined): Packing {
  const { elementBits } = tensor.layout;
  const grouped = loops.find((l) => l.name === pack?.grouped);
  if (pack && grouped) {
    const count = pack.containerBits / pack.elementBits;
    const others = loops.filter((l) => l !== grouped);
    const tile = others.findIndex((l) => l.mode !== 'serial');
    const outer = { name: grouped.name, extent: grouped.extent / count, by: count };
    return { ...pack, order: [...others.slice(0, tile), outer, ...others.slice(tile), { name: grouped.name, extent: count }] };
  }
  if (pack?.shared) return sharedPacking(pack, pack.shared, loops);
  if (!pack) return { order: loops, elementBits, containerBits: elementBits };
  const innermost = loops.filter((l) => l.name === pack.innermost);
  return { ...pack, order: [...loops.filter((l) => !innermost.includes(l)), ...innermost] };
}

/** Blocks of weights of eight outputs, those of a group outside the tile. */
function sharedPacking({ elementBits, containerBits, code }: Pack, { lane, group }: NonNullable<Pack['shared']>, loops: readonly Loop[]): Packing {
  const { outputs, members, bits, tail: past } = containerBits === 8 ? byteDigits : laneDigits(elementBits);
  const count = members.reduce((n, d) => n * d.extent, 1);
  const others = loops.filter((l) => l.name !== lane && l.name !== group);
  const tile = others.findIndex((l) => l.mode !== 'serial');
  const outer = { name: group, extent: loops.find((l) => l.name === group)!.extent / count, by: count };
  const at = tile < 0 ? others.length : tile;
  const inner = [...outputs.map((d) => ({ name: lane, ...d })), ...members.map((d) => ({ name: group, ...d }))];
  return { order: [...others.slice(0, at), outer, ...others.slice(at), ...inner], elementBits, containerBits, ...(code ? { code } : {}), block: { bits, tail: past } };
}

/**
 * Loops that a constant's coordinates depend on, in the order in which the nest runs. A dimension that is read at fixed
 * places (the steps of a threshold) counts as a loop outside the innermost; with `atOnce` inside it, if it is serial.
 */
function readingOrder(nest: Nest, a: Access, tensor: Tensor, atOnce: boolean): { at: readonly Index[]; loops: Loop[] } {
  const loops = nest.loops.filter((l) => a.depends(l.name));
  const fixed = a.at.flatMap((i, d): Loop[] => (i.terms.length === 0 && tensor.shape[d] > 1 ? [{ name: fixedAxis(d), extent: tensor.shape[d], kind: 'space', mode: 'unrolled' }] : []));
  const isLast = atOnce && loops[loops.length - 1]?.mode === 'serial';
  loops.splice(isLast ? loops.length : Math.max(0, loops.length - 1), 0, ...fixed);
  return { at: a.at.map((i, d) => freeFixed(i, d, tensor)), loops };
}

const fixedAxis = (d: number): string => `#${d}`;

function freeFixed(i: Index, d: number, tensor: Tensor): Index {
  return i.terms.length === 0 && tensor.shape[d] > 1 ? { offset: 0, terms: [{ coeff: 1, of: fixedAxis(d) }] } : i;
}

/** All loads of the constant, also in other parts of the space, must read it by the same loops. */
function sameReading(nest: Nest, at: readonly Index[], tensor: Tensor, loops: readonly Loop[]): boolean {
  const ranges = rangesOf(nest);
  const keys = (indices: readonly Index[]): string => indices.map(indexKey).join(', ');
  const wanted = keys(at);
  const same = loadsOf(nest.kernel).every((l) => {
    if (l.tensor !== tensor.name) return true;
    return keys(l.at.map((i, d) => freeFixed(simplify(substitute(i, nest.axes), ranges), d, tensor))) === wanted;
  });
  return same && loops.every((l) => l.name.startsWith('#') || nest.loops.some((m) => m.name === l.name && m.extent === l.extent));
}

function renameLoads(kernel: Kernel, names: ReadonlyMap<string, string>): Kernel {
  return mapLoads(kernel, (l) => (names.has(l.tensor) ? { ...l, tensor: names.get(l.tensor)! } : l));
}

/** Stores past an axis need no guard where the tensor has room for junk lanes. */
function dropPaddedGuards(kernel: Kernel, nests: readonly Nest[], program: Program): Kernel {
  const overrun = new Map<string, number>();
  for (const n of nests) {
    const ranges = rangesOf(n);
    for (const name of n.overrun) {
      const reach = interval(n.axes.get(name)!, ranges)[1] + 1;
      overrun.set(name, Math.max(overrun.get(name) ?? 0, reach - kernel.space.find((a) => a.name === name)!.extent));
    }
  }
  if (overrun.size === 0) return kernel;
  const roomy = kernel.stores.every((s) => {
    const { pad } = program.tensors[s.tensor].layout;
    const passes = (name: string, by: number, d: number): boolean => by * (overrun.get(name) ?? 0) > (pad?.[d] ?? 0);
    // Digits of an axis have no end that room could be past.
    return s.at.every((i, d) => i.terms.every(({ coeff, of }) => (typeof of === 'string' ? !passes(of, coeff, d) : [...overrun.keys()].every((name) => !factorDependsOn(of, name)))));
  });
  if (!roomy) return kernel;
  const strip = (body: readonly Stmt[]): Stmt[] =>
    body.map((s) => {
      if (s.kind === 'loop' || s.kind === 'if') return { ...s, body: strip(s.body) };
      if (s.kind !== 'store' || !s.guard) return s;
      const { guard: _, ...rest } = s;
      return rest;
    });
  return { ...kernel, scheduled: { ...kernel.scheduled!, body: strip(kernel.scheduled!.body) } };
}

