/**
 * The texts of a Graph and a Program: deterministic, complete (what differs in meaning differs in print) and readable. The
 * hash of a Program's print is its identity. Floats are the hex digits of their binary32, constants their content's hash.
 *
 * Not a syntax to be read back: models are stored as ONNX, Programs as JSON.
 */
import { floatBits } from './build.js';
import { isConstantAttribute, type Attribute, type Constant, type Graph, type Node, type Value } from './graph.js';
import { sha256 } from './hash.js';
import type { Block, Buffer, Condition, Dataflow, Digit, Expr, Index, Kernel, Layout, Let, Program, Scheduled, Stmt, Tensor } from './program.js';

// ---- Names and numbers ----

/** Plain where it cannot be mistaken, else quoted. */
function printName(name: string): string {
  return /^[A-Za-z_][A-Za-z0-9_.]*$/.test(name) ? name : JSON.stringify(name);
}

function printNumber(x: number): string {
  return Object.is(x, -0) ? '-0' : String(x);
}

function byName<T>(record: Readonly<Record<string, T>>): [string, T][] {
  return Object.entries(record).sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0));
}

function indent(lines: readonly string[]): string[] {
  return lines.map((line) => `  ${line}`);
}

// ---- Indices ----

/** An index: `2*y + ky - 1`, `(n div 4)`, `(n rem 4)`, `clamp(value, 0, 9)`. */
export function printIndex(index: Index): string {
  let text = '';
  for (const { coeff, of } of index.terms) {
    const factor =
      typeof of === 'string' ? printName(of)
      : 'div' in of ? `(${printIndex(of.div)} div ${of.by})`
      : 'rem' in of ? `(${printIndex(of.rem)} rem ${of.by})`
      : `clamp(${printExpr(of.value)}, ${of.lo}, ${of.hi})`;
    const size = Math.abs(coeff) === 1 ? factor : `${Math.abs(coeff)}*${factor}`;
    text += text === '' ? (coeff < 0 ? `-${size}` : size) : `${coeff < 0 ? ' - ' : ' + '}${size}`;
  }
  if (text === '') return String(index.offset);
  if (index.offset === 0) return text;
  return `${text} ${index.offset < 0 ? '-' : '+'} ${Math.abs(index.offset)}`;
}

/** `0 <= y + ky - 1 < 28` */
export function printCondition(c: Condition): string {
  return `${c.lo} <= ${printIndex(c.index)} < ${c.hi}`;
}

function printAt(at: readonly Index[]): string {
  return `[${at.map(printIndex).join(', ')}]`;
}

// ---- Expressions ----

const infix: Readonly<Record<string, string>> = {
  add: '+', sub: '-', mul: '*', div: '/', and: '&', or: '|', xor: '^', shl: '<<', shr: '>>',
  lt: '<', le: '<=', eq: '==', ne: '!=', ge: '>=', gt: '>',
};

/** An expression; integer nodes end with their type, float32 ones do not. */
export function printExpr(e: Expr): string {
  const type = 'type' in e && e.type !== 'float32' ? `:${e.type}` : '';
  switch (e.op) {
    case 'float':
      return `f32:${e.bits}`;
    case 'int':
      return `${e.value}${type}`;
    case 'load': {
      const guard = (e.guard ?? []).map(printCondition).join(', ');
      const otherwise = e.otherwise ? ` else ${printExpr(e.otherwise)}` : '';
      const what = `${printName(e.tensor)}${printAt(e.at)}`;
      return guard === '' && otherwise === '' ? what : `(${what} if ${guard}${otherwise})`;
    }
    case 'index':
      return `index(${printIndex(e.index)})${type}`;
    case 'ref':
      return printName(e.name);
    case 'local':
      return `${printName(e.name)}{${e.at.map(printIndex).join(', ')}}`;
    case 'select':
      return `select(${printExpr(e.cond)}, ${printExpr(e.a)}, ${printExpr(e.b)})${type}`;
    case 'convert':
      return `${e.saturate ? 'saturate' : 'convert'}(${printExpr(e.a)}):${e.type}`;
    case 'bitcast':
      return `bitcast(${printExpr(e.a)}):${e.type}`;
    case 'dot':
      return `dot${e.bytes ? '8' : ''}(${printName(e.axis)}<${e.extent}: ${printExpr(e.a)} * ${printExpr(e.b)}${e.table === undefined ? '' : ` by ${printName(e.table)}`})${type}`;
    default:
      if (!('b' in e)) return `${e.op}(${printExpr(e.a)})${type}`;
      if (infix[e.op]) return `(${printExpr(e.a)} ${infix[e.op]} ${printExpr(e.b)})${type}`;
      return `${e.op}(${printExpr(e.a)}, ${printExpr(e.b)})${type}`;
  }
}

function printLet(l: Let): string {
  return `let ${printName(l.name)}: ${l.type} = ${printExpr(l.value)}`;
}

// ---- Statements and kernels ----

/** A statement, one line an entry. */
export function printStmt(s: Stmt): string[] {
  switch (s.kind) {
    case 'loop': {
      const range = s.start === 0 ? `${printName(s.axis)}<${s.extent}` : `${s.start}<=${printName(s.axis)}<${s.start + s.extent}`;
      const interval = s.initiationInterval === undefined ? '' : `(${s.initiationInterval})`;
      return [`loop ${range}${s.mode === 'serial' ? '' : ` ${s.mode}${interval}`}`, ...indent(s.body.flatMap(printStmt))];
    }
    case 'let':
      return [printLet(s)];
    case 'set':
      return [`${printName(s.name)}{${s.at.map(printIndex).join(', ')}} := ${printExpr(s.value)}`];
    case 'store': {
      const guard = s.guard && s.guard.length > 0 ? ` if ${s.guard.map(printCondition).join(', ')}` : '';
      return [`${printName(s.tensor)}${printAt(s.at)} = ${printExpr(s.value)}${guard}`];
    }
    case 'if':
      return [`if ${s.guard.map(printCondition).join(', ')}`, ...indent(s.body.flatMap(printStmt))];
  }
}

function printAxes(word: string, axes: Kernel['space']): string[] {
  return axes.length === 0 ? [] : [`${word.padEnd(8)}${axes.map((a) => `${printName(a.name)}<${a.extent}`).join(' ')}`];
}

function printScheduled(s: Scheduled): string[] {
  return [
    'scheduled',
    ...indent([
      ...s.steps.map((step) => `step    ${step}`),
      ...byName(s.banks ?? {}).map(([name, banks]) => `banks   ${printName(name)} ${banks}`),
      ...byName(s.memories ?? {}).map(([name, memory]) => `memory  ${printName(name)} ${memory}`),
      ...byName(s.cores ?? {}).map(([name, n]) => `cores   ${name} ${n}`),
      ...s.locals.map((l) => `local   ${printName(l.name)}: ${l.type} [${l.shape.join(', ')}]${printRange({ range: l.range, dtype: l.type })}`),
      ...s.body.flatMap(printStmt),
    ]),
  ];
}

/** A kernel: first what it means, then, where it is scheduled, the steps and the statements. */
export function printKernel(k: Kernel): string[] {
  return [
    `kernel ${printName(k.name)}: ${k.op}`,
    ...indent([
      ...printAxes('space', k.space),
      ...printAxes('reduce', k.reduce).map((line) => (k.partials === 1 ? line : `${line}, partials ${k.partials}`)),
      ...k.accumulators.map((a) => `acc     ${printName(a.name)}: ${a.type} = ${printExpr(a.init)}`),
      ...k.body.map((l) => `each    ${printLet(l)}`),
      ...k.accumulators.map((a) => `each    ${printName(a.name)} := ${printExpr(a.update)}`),
      ...k.epilogue.map((l) => `out     ${printLet(l)}`),
      ...k.stores.map((s) => `out     ${printName(s.tensor)}${printAt(s.at)} = ${printExpr(s.value)}`),
      ...(k.scheduled ? printScheduled(k.scheduled) : []),
    ]),
  ];
}

function printBlock(block: Block): string[] {
  if (block.kind === 'kernel') return printKernel(block);
  const { count } = block;
  const times = typeof count === 'number' ? String(count) : `${printName(count.input)} (at most ${count.max})`;
  const carried = (block.carried ?? []).map((c) => `carried ${printName(c.before)} -> ${printName(c.after)}`);
  return [`repeat ${printName(block.axis)}<${times}`, ...indent([...carried, ...block.body.flatMap(printBlock)])];
}

// ---- Tensors and buffers ----

function printDigit(d: Digit): string {
  const by = d.divisor === 1 ? '' : ` div ${d.divisor}`;
  const modulus = d.modulus === 0 ? '' : ` rem ${d.modulus}`;
  return `${d.stride}*(i${by}${modulus})`;
}

/** Strides in bits, one entry a dimension; digits of a split dimension are joined by +. */
function printLayout(layout: Layout): string {
  const digits = layout.dims.map((dim) =>
    dim.length === 0 ? '-' : dim.length === 1 && dim[0].divisor === 1 && dim[0].modulus === 0 ? String(dim[0].stride) : dim.map(printDigit).join(' + '),
  );
  const bits = layout.elementBits === layout.containerBits ? `${layout.elementBits} bits` : `${layout.elementBits} of ${layout.containerBits} bits`;
  const code = layout.code ? `, codes from ${printNumber(layout.code.base)} by ${printNumber(layout.code.step)}` : '';
  const halo = layout.halo ? `, halo ${layout.halo.map(([a, b]) => `${a}:${b}`).join(' ')}${layout.haloValue === undefined ? '' : ` of ${printNumber(layout.haloValue)}`}` : '';
  const pad = layout.pad ? `, pad ${layout.pad.join(' ')}` : '';
  return `${bits}${code}, strides [${digits.join(', ')}]${layout.offset === 0 ? '' : ` from ${layout.offset}`}${halo}${pad}`;
}

function printRange({ range, dtype, step }: { readonly range?: readonly [number, number]; readonly dtype?: string; readonly step?: number }): string {
  const text = dtype === 'float32' ? floatBits : printNumber;
  return range ? ` in ${text(range[0])}..${text(range[1])}${step === undefined ? '' : ` by ${printNumber(step)}`}` : '';
}

function printBuffer(b: Buffer): string {
  const at = b.offset === undefined ? '' : ` at ${b.offset}`;
  return `buffer ${printName(b.name)}: ${b.role}, ${b.bytes} bytes${at}${b.hash === undefined ? '' : `, sha256 ${b.hash}`}`;
}

function printTensor(t: Tensor): string {
  return `tensor ${printName(t.name)}: ${t.dtype} [${t.shape.join(', ')}]${printRange(t)} in ${printName(t.buffer)}, ${printLayout(t.layout)}`;
}

/** The text of a Program; it ends with a line break. */
export function printProgram(p: Program): string {
  const lines = [
    `program ${printName(p.name)}${p.target === undefined ? '' : ` for ${p.target}`}`,
    `inputs ${p.inputs.map(printName).join(', ')}`,
    `outputs ${p.outputs.map(printName).join(', ')}`,
    ...(p.arenaBytes === undefined ? [] : [`arena ${p.arenaBytes} bytes`]),
    ...byName(p.buffers).map(([, b]) => printBuffer(b)),
    ...byName(p.tensors).map(([, t]) => printTensor(t)),
    ...(p.steps ?? []).map((step) => `step ${step}`),
    ...(p.dataflow ? printDataflow(p, p.dataflow) : p.blocks.flatMap(printBlock)),
  ];
  return `${lines.join('\n')}\n`;
}

function printDataflow(p: Program, { processes, streams, memory = [] }: Dataflow): string[] {
  let next = 0;
  return [
    ...memory.map((m) => `memory ${printName(m.tensor)}, words of ${m.bits} bits, ${m.lanes} at once`),
    ...streams.map((s) => `stream ${printName(s.tensor)} to ${printName(s.to)}, words of ${s.lanes}, depth ${s.depth}`),
    ...processes.flatMap((x) => [`process ${printName(x.name)}`, ...indent(p.blocks.slice(next, (next += x.blocks)).flatMap(printBlock))]),
  ];
}

// ---- Graphs ----

/** The first 16 hex digits of the SHA-256 of a constant's elements as they lie in memory. */
export function contentHash(c: Constant): string {
  const { buffer, byteOffset, byteLength } = c.data;
  return sha256(new Uint8Array(buffer, byteOffset, byteLength)).slice(0, 16);
}

function printAttribute(a: Attribute): string {
  if (isConstantAttribute(a)) return `${a.dtype} [${a.shape.join(', ')}] sha256 ${contentHash(a)}`;
  if (typeof a === 'number') return printNumber(a);
  if (typeof a === 'string') return JSON.stringify(a);
  return `[${a.map((x) => (typeof x === 'number' ? printNumber(x) : JSON.stringify(x))).join(', ')}]`;
}

function printValue(name: string, v: Value | undefined): string {
  if (name === '') return '-';
  const parts = [
    ...(v?.dtype === undefined ? [] : [v.dtype]),
    ...(v?.shape === undefined ? [] : [`[${v.shape.join(', ')}]`]),
  ];
  const annotation = v?.annotation === undefined ? '' : ` as ${v.annotation}`;
  const control = v?.control === undefined ? '' : `, ${v.control.meaning} by default ${v.control.default.join(' ')}`;
  const tail = `${parts.join(' ')}${printRange({ range: v?.range })}${annotation}${control}`;
  return tail === '' ? printName(name) : `${printName(name)}: ${tail.trimStart()}`;
}

function printNode(n: Node, g: Graph): string {
  const attributes = byName(n.attributes).map(([name, a]) => `${name}=${printAttribute(a)}`).join(' ');
  const results = n.outputs.map((o) => printValue(o, lookUp(g.values, o))).join('; ');
  const operands = n.inputs.map((i) => (i === '' ? '-' : printName(i))).join(', ');
  return `node ${printName(n.name)}: ${n.op}(${operands})${attributes === '' ? '' : ` {${attributes}}`} -> ${results}`;
}

function lookUp<T>(record: Readonly<Record<string, T>>, name: string): T | undefined {
  return Object.hasOwn(record, name) ? record[name] : undefined;
}

/** The text of a Graph: interface, constants by name with their hashes, nodes in order; it ends with a line break. */
export function printGraph(g: Graph): string {
  const lines = [
    `graph ${printName(g.name)}${g.batch === undefined ? '' : ` batch ${g.batch}`}`,
    ...g.inputs.map((i) => `input ${printValue(i, lookUp(g.values, i))}`),
    ...(g.loop === undefined ? [] : [`loop ${printName(g.loop.index)}<${printName(g.loop.count)} (at most ${g.loop.max})`]),
    ...byName(g.constants).map(([name, c]) => {
      const v = lookUp(g.values, name);
      const facts = printValue(name, { name, dtype: c.dtype, shape: c.shape, range: v?.range, annotation: v?.annotation });
      const random = g.posteriors && Object.hasOwn(g.posteriors, name) ? ` deviation sha256 ${contentHash(g.posteriors[name].deviation)}` : '';
      return `constant ${facts} sha256 ${contentHash(c)}${random}`;
    }),
    ...g.nodes.map((n) => printNode(n, g)),
    ...g.outputs.map((o) => `output ${printName(o)}`),
  ];
  return `${lines.join('\n')}\n`;
}
