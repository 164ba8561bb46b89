/**
 * Invariants 1 and 2 of a Program, and its vocabulary: plain JSON data, integer constants, names that exist, layouts that
 * stay inside their buffers, constants that have their bytes, and no operation outside the closed language.
 *
 * Random numbers are integer arithmetic on counters (functions/random.ts) and moments are tensors like any other, so invariants 8 and 9
 * hold where no unknown operation occurs.
 */
import { describe, parseDataType } from './datatype.js';
import { fail } from './diagnostic.js';
import { elementCount } from './graph.js';
import { sha256 } from './hash.js';
import { addressAt } from './indexing.js';
import { verifyCarried } from './verifyRepeat.js';
import type { Block, ElementType, Expr, Index, Kernel, Layout, Program, ProgramData, Repeat, Role, Stmt, Tensor } from './program.js';
import { walkKernel, walkStmts } from './walk.js';

const operations = new Set<string>([
  'float', 'int', 'load', 'index', 'ref', 'local',
  'add', 'sub', 'mul', 'mulLow', 'mulHigh', 'div', 'min', 'max', 'and', 'or', 'xor', 'shl', 'shr',
  'neg', 'abs', 'sqrt', 'floor', 'nearest', 'popcount',
  'lt', 'le', 'eq', 'ne', 'ge', 'gt', 'select', 'convert', 'bitcast', 'dot',
]);
const statements = new Set<string>(['loop', 'let', 'set', 'store', 'if']);
const modes = new Set<string>(['serial', 'unrolled', 'vector', 'pipeline', 'dataflow']);

/** Invariant 1: nothing that JSON would drop or change. */
export function verifyPlain(value: unknown, path: string): void {
  if (value === null || typeof value === 'string' || typeof value === 'boolean') return;
  if (typeof value === 'number') {
    // -0 becomes 0 in JSON, and means the same: numbers of a Program are integers
    if (!Number.isFinite(value)) fail('program/invalid', path, `the number ${value} has no JSON text`);
    return;
  }
  if (typeof value !== 'object') fail('program/invalid', path, `${value === undefined ? 'undefined' : `a ${typeof value}`} is no plain data`);
  if (Array.isArray(value)) {
    for (let i = 0; i < value.length; i++) verifyPlain(value[i], `${path}[${i}]`);
    return;
  }
  const prototype = Object.getPrototypeOf(value) as unknown;
  if (prototype !== Object.prototype && prototype !== null) fail('program/invalid', path, 'an object of a class is no plain data');
  for (const [key, x] of Object.entries(value)) verifyPlain(x, `${path}.${key}`);
}

function integer(value: number, at: string, what: string, least = -Number.MAX_SAFE_INTEGER): void {
  if (!Number.isSafeInteger(value) || value < least) {
    fail('program/invalid', at, `${what} is ${value}, and an integer${least === -Number.MAX_SAFE_INTEGER ? '' : ` of at least ${least}`} is needed`);
  }
}

/** float32, intN and uintN; up to 64 bits for values, 32 for stored elements. */
export function verifyType(type: ElementType, at: string, what: string, widest = 64): void {
  if (type === 'float32') return;
  if (!/^u?int\d+$/.test(type)) fail('program/invalid', at, `${what} has the type ${type}, and a Program has float32, intN and uintN`);
  const info = parseDataType(type);
  if (!info || info.bits > widest) fail('program/invalid', at, `${what} has the type ${type}, and at most ${widest} bits are possible`);
}

// ---- Buffers, tensors, interface -----------------------------------------------------------------------------------

/** Names, roles, layouts, bytes. */
export function verifyTensors(program: Program, data: ProgramData): void {
  for (const [key, b] of Object.entries(program.buffers)) {
    if (b.name !== key) fail('program/invalid', key, `this buffer calls itself "${b.name}"`);
    integer(b.bytes, key, 'the size in bytes', 1);
    if (b.role !== 'constant') continue;
    const bytes = data.get(b.hash ?? '');
    if (b.hash === undefined || !bytes) fail('program/invalid', key, `the constant buffer's bytes (hash ${b.hash ?? 'none'}) are not in the Program's data`);
    if (bytes.length !== b.bytes) fail('program/invalid', key, `the constant buffer has ${b.bytes} bytes, and its data ${bytes.length}`);
    if (!sha256(bytes).startsWith(b.hash)) fail('program/invalid', key, `the constant buffer's hash ${b.hash} is not that of its bytes`);
  }
  for (const [key, t] of Object.entries(program.tensors)) {
    if (t.name !== key) fail('program/invalid', key, `this tensor calls itself "${t.name}"`);
    verifyTensor(t, program);
  }
  for (const [what, names, role] of [['input', program.inputs, 'input'], ['output', program.outputs, 'output']] as const) {
    if (new Set(names).size !== names.length) fail('program/invalid', program.name, `an ${what} is listed twice`);
    for (const name of names) {
      const t = Object.hasOwn(program.tensors, name) ? program.tensors[name] : undefined;
      if (!t) fail('program/invalid', name, `this ${what} of the Program is no tensor`);
      const found = program.buffers[t.buffer].role;
      if (found !== role) fail('program/invalid', name, `this ${what} of the Program lies in a buffer of role ${found}`);
    }
  }
}

/** The coordinates of a dimension that have an address: halo and padding included. */
export function addressable(t: Tensor, d: number): readonly [number, number] {
  const [before, after] = t.layout.halo?.[d] ?? [0, 0];
  return [-before, t.shape[d] + Math.max(after, t.layout.pad?.[d] ?? 0)];
}

function verifyTensor(t: Tensor, program: Program): void {
  const at = t.name;
  verifyType(t.dtype, at, 'the tensor', 32);
  t.shape.forEach((extent, d) => integer(extent, at, `extent ${d}`, 1));
  const buffer = Object.hasOwn(program.buffers, t.buffer) ? program.buffers[t.buffer] : undefined;
  if (!buffer) fail('program/invalid', at, `its buffer "${t.buffer}" does not exist`);
  const { layout } = t;
  verifyLayoutNumbers(t, layout);
  verifyFields(t, buffer.role);
  if (t.range) {
    const { min, max } = describe(t.dtype);
    if (t.dtype !== 'float32') t.range.forEach((v) => integer(v, at, 'a bound of its range'));
    else if (buffer.role !== 'constant') fail('program/invalid', at, 'only constants of float32 have a range');
    if (t.range[0] > t.range[1] || t.range[0] < min || t.range[1] > max) fail('program/invalid', at, `its range ${t.range.join(' .. ')} is no part of ${t.dtype}`);
  }
  const [lo, hi] = storedRange(t);
  if (t.dtype !== 'float32') {
    const { code } = layout;
    const signed = !code && describe(t.dtype).signed;
    const bits = layout.elementBits;
    const fits = code ? lo >= code.base && hi <= code.base + code.step * (2 ** bits - 1) : signed ? lo >= -(2 ** (bits - 1)) && hi < 2 ** (bits - 1) : hi < 2 ** bits;
    if (!fits) fail('program/invalid', at, `values ${lo} .. ${hi} of ${t.dtype} do not fit ${bits} bits`);
  }
  let [least, greatest] = [layout.offset, layout.offset];
  t.shape.forEach((_, d) => {
    const [from, to] = addressable(t, d);
    let [dimLeast, dimGreatest] = [Infinity, -Infinity];
    for (let i = from; i < to; i++) {
      let part = 0;
      for (const { stride, divisor, modulus } of layout.dims[d]) {
        const q = Math.floor(i / divisor);
        part += stride * (modulus === 0 ? q : ((q % modulus) + modulus) % modulus);
      }
      dimLeast = Math.min(dimLeast, part);
      dimGreatest = Math.max(dimGreatest, part);
    }
    least += dimLeast;
    greatest += dimGreatest;
  });
  if (least < 0 || greatest + layout.elementBits > buffer.bytes * 8) {
    fail('program/invalid', at, `its elements lie in bits ${least} to ${greatest + layout.elementBits - 1} of a buffer of ${buffer.bytes * 8} bits`);
  }
}

/**
 * Elements do not cross their containers. Where they fill them and all strides are whole elements, that is plain; else
 * (fields of 3 bits in bytes) the tensor must be a constant, and every address is looked at.
 */
function verifyFields(t: Tensor, role: Role): void {
  const { layout } = t;
  const { elementBits, containerBits } = layout;
  const irregular = [layout.offset, containerBits, ...layout.dims.flat().map((g) => g.stride)].find((bits) => bits % elementBits !== 0);
  if (irregular === undefined) return;
  if (role !== 'constant') fail('program/invalid', t.name, `its layout has ${irregular} bits, no multiple of its elements of ${elementBits} bits; only constants may`);
  const at = t.shape.map(() => 0);
  for (;;) {
    const inside = addressAt(layout, at) % containerBits;
    if (inside + elementBits > containerBits) fail('program/invalid', t.name, `its element [${at.join(', ')}] of ${elementBits} bits crosses its container of ${containerBits} bits`);
    let d = t.shape.length - 1;
    while (d >= 0 && ++at[d] === t.shape[d]) at[d--] = 0;
    if (d < 0) return;
  }
}

/** Least and greatest stored value: the range where one is stated, else the type's. */
export function storedRange(t: Tensor): readonly [number, number] {
  const { min, max } = describe(t.dtype);
  return t.range ?? [min, max];
}

function verifyLayoutNumbers(t: Tensor, layout: Layout): void {
  const at = t.name;
  const { elementBits, containerBits } = layout;
  if (layout.dims.length !== t.shape.length) fail('program/invalid', at, `its layout has ${layout.dims.length} dimensions, and its shape ${t.shape.length}`);
  if (![8, 16, 32].includes(containerBits)) fail('program/invalid', at, `its containers have ${containerBits} bits, and 8, 16 or 32 are possible`);
  if (!Number.isInteger(elementBits) || elementBits < 1 || elementBits > containerBits) {
    fail('program/invalid', at, `elements of ${elementBits} bits do not fit containers of ${containerBits} bits`);
  }
  if (t.dtype === 'float32' && elementBits !== 32) fail('program/invalid', at, `float32 is stored in ${elementBits} bits`);
  if (layout.code) {
    integer(layout.code.base, at, 'the least value of its codes');
    integer(layout.code.step, at, 'the step of its codes', 1);
    if (t.dtype === 'float32' || elementBits === containerBits) fail('program/invalid', at, 'codes are for integers in fields');
  }
  integer(layout.offset, at, 'the layout\'s offset');
  for (const { stride, divisor, modulus } of layout.dims.flat()) {
    integer(stride, at, 'a stride');
    integer(divisor, at, 'a divisor', 1);
    integer(modulus, at, 'a modulus', 0);
  }
  for (const extra of [...(layout.pad ?? []), ...(layout.halo ?? []).flat()]) integer(extra, at, 'a halo or padding', 0);
  if (layout.pad && layout.pad.length !== t.shape.length) fail('program/invalid', at, 'its padding has another number of dimensions than its shape');
  if (layout.halo) {
    if (layout.halo.length !== t.shape.length) fail('program/invalid', at, 'its halo has another number of dimensions than its shape');
    if (layout.haloValue === undefined) fail('program/invalid', at, 'it has a halo without a value');
  }
}

// ---- Blocks --------------------------------------------------------------------------------------------------------

/** Numbers and words of every kernel; names are unique. */
export function verifyWords(program: Program): void {
  const names = new Set<string>();
  const visit = (blocks: readonly Block[], outer: readonly string[]): void => {
    for (const b of blocks) {
      if (b.kind === 'repeat') {
        verifyRepeat(b, program);
        visit(b.body, [...outer, b.axis]);
        continue;
      }
      if (b.kind !== 'kernel') fail('program/invalid', program.name, `a block of unknown kind "${(b as { kind: string }).kind}"`);
      if (names.has(b.name)) fail('program/invalid', b.name, 'two kernels have this name');
      names.add(b.name);
      verifyKernelWords(b, outer);
    }
  };
  visit(program.blocks, []);
}

function verifyRepeat(b: Repeat, program: Program): void {
  verifyCarried(b, program);
  if (typeof b.count === 'number') return integer(b.count, b.axis, 'the count of the repeat', 1);
  integer(b.count.max, b.axis, 'the greatest count of the repeat', 1);
  const input = Object.hasOwn(program.tensors, b.count.input) ? program.tensors[b.count.input] : undefined;
  if (!input || !program.inputs.includes(b.count.input)) fail('program/invalid', b.axis, `the repeat's count "${b.count.input}" is no input`);
  if (elementCount(input.shape) !== 1 || input.dtype === 'float32') fail('program/invalid', b.axis, `the repeat's count "${b.count.input}" is no single integer`);
}

function verifyKernelWords(k: Kernel, outer: readonly string[]): void {
  const axes = [...outer, ...k.space.map((a) => a.name), ...k.reduce.map((a) => a.name)];
  const twice = axes.find((a, i) => axes.indexOf(a) !== i);
  if (twice !== undefined) fail('program/invalid', k.name, `the axis ${twice} occurs twice`);
  for (const a of [...k.space, ...k.reduce]) integer(a.extent, k.name, `the extent of ${a.name}`, 1);
  integer(k.partials, k.name, 'the number of partial sums', 1);
  if (k.accumulators.length === 0 && (k.reduce.length > 0 || k.body.length > 0)) fail('program/invalid', k.name, 'it has a reduction and no accumulator');
  if (k.stores.length === 0) fail('program/invalid', k.name, 'it stores nothing');
  const visitor = {
    expr: (e: Expr) => verifyNode(e, k.name),
    index: (i: Index) => verifyIndex(i, k.name),
    stmt: (s: Stmt) => verifyStmt(s, k.name),
  };
  walkKernel(k, visitor);
  if (k.scheduled) {
    for (const l of k.scheduled.locals) l.shape.forEach((extent) => integer(extent, k.name, `an extent of local ${l.name}`, 1));
    walkStmts(k.scheduled.body, visitor);
  }
}

function verifyStmt(s: Stmt, kernel: string): void {
  if (!statements.has(s.kind)) fail('program/invalid', kernel, `there is no statement "${s.kind}"`);
  if (s.kind === 'loop') {
    integer(s.start, kernel, `the start of loop ${s.axis}`);
    integer(s.extent, kernel, `the extent of loop ${s.axis}`, 1);
    if (!modes.has(s.mode)) fail('program/invalid', kernel, `loop ${s.axis} has the unknown mode "${s.mode}"`);
  }
  const guard = s.kind === 'if' || s.kind === 'store' ? (s.guard ?? []) : [];
  for (const c of guard) [c.lo, c.hi].forEach((v) => integer(v, kernel, 'a bound of a condition'));
}

function verifyNode(e: Expr, kernel: string): void {
  if (!operations.has(e.op)) fail('program/invalid', kernel, `there is no operation "${e.op}"`);
  if ('type' in e) verifyType(e.type, kernel, `the result of ${e.op}`);
  if (e.op === 'int') integer(e.value, kernel, 'an integer constant');
  if (e.op === 'dot') {
    integer(e.extent, kernel, `the extent of dot ${e.axis}`, 1);
    if (e.bytes !== undefined && e.bytes !== true) fail('program/invalid', kernel, `dot ${e.axis} has bytes = ${String(e.bytes)}, and true or nothing is possible`);
  }
  if (e.op === 'float' && !/^[0-9a-f]{8}$/.test(e.bits)) fail('program/invalid', kernel, `"${e.bits}" is no binary32 in 8 hex digits`);
  if (e.op === 'load') for (const c of e.guard ?? []) [c.lo, c.hi].forEach((v) => integer(v, kernel, 'a bound of a condition'));
}

function verifyIndex(i: Index, kernel: string): void {
  integer(i.offset, kernel, 'the offset of an index');
  for (const { coeff, of } of i.terms) {
    integer(coeff, kernel, 'a coefficient of an index');
    if (typeof of === 'string') continue;
    if ('value' in of) {
      integer(of.lo, kernel, 'the lower bound of a data-dependent index');
      integer(of.hi, kernel, 'the upper bound of a data-dependent index', of.lo);
    } else {
      integer(of.by, kernel, 'the divisor of an index', 1);
    }
  }
}
