/**
 * One process of a circuit as a C++ function: arrays, kernels as loops with their pragmas, streams read and written as words.
 * Everything was decided by the schedule; here it gets its text.
 */
import { describe } from '../../ir/datatype.js';
import { fail } from '../../ir/diagnostic.js';
import { elementCount } from '../../ir/graph.js';
import { indexKey, interval } from '../../ir/indexing.js';
import { coreNames, type Block, type ElementType, type Expr, type Kernel, type LoopStmt, type MemoryPort, type Program, type Stmt, type Stream } from '../../ir/program.js';
import type { ProcessBlocks } from '../../ir/verifyDataflow.js';
import { touched } from '../../ir/verifyDataflow.js';
import { kernelsOf } from '../../ir/walk.js';
import { moved, moves } from '../../ir/traffic.js';
import { elementText, exprText, guardText, localText, Names, Scope, typeText, type Arrays } from './expression.js';

/** An argument of a process's function. */
export interface Port {
  /** `fetched` and `kept`: words of a bus that a process of its own fetches from memory or keeps there. */
  readonly kind: 'in' | 'out' | 'fetched' | 'kept' | 'memory';
  /** As the function knows it. */
  readonly text: string;
  readonly type: string;
  /** Of a stream, where it goes. */
  readonly stream?: Stream;
  /** Of memory: the tensor of the interface. */
  readonly tensor?: string;
}

export interface ProcessText {
  readonly name: string;
  readonly ports: readonly Port[];
  readonly lines: readonly string[];
  /** Buffers of constants that it reads. */
  readonly constants: readonly string[];
}

/** What an element of the interface is in memory. */
export function memoryType(type: ElementType): string {
  if (type === 'float32') return 'float';
  const { bits, signed } = describe(type);
  return `${signed ? '' : 'u'}int${bits <= 8 ? 8 : bits <= 16 ? 16 : 32}_t`;
}

const wordText = (type: ElementType, lanes: number): string => `word<${typeText(type)}, ${lanes}>`;
const indented = (lines: readonly string[]): string[] => lines.map((l) => (l.startsWith('#') ? l : `  ${l}`));

/** A stream or memory as a kernel's statements see it: the variable of what it moves at once, and how that is read or written. */
interface Channel {
  readonly tensor: string;
  readonly lanes: number;
  readonly word: string;
  /** Ahead of `read`. */
  readonly before: readonly string[];
  readonly read: string;
  readonly write: readonly string[];
}

/** Elements of an array that lie in banks of their own, and all of them, by its text. */
type Banks = Map<string, { readonly n: number; readonly size: number; readonly isConstant: boolean }>;

/** Cycles between iterations of a loop: its own, or of the loops of one iteration that are all it holds. */
function intervalOf(loop: LoopStmt): number | undefined {
  if (loop.mode === 'pipeline') return loop.initiationInterval;
  const [inner] = loop.body;
  return loop.mode !== 'unrolled' && loop.body.length === 1 && inner.kind === 'loop' && inner.extent === 1 ? intervalOf(inner) : undefined;
}

class Writer implements Arrays {
  readonly program: Program;
  readonly ports: Port[] = [];
  readonly constants = new Set<string>();
  private readonly process: ProcessBlocks;
  private readonly names = new Names();
  private readonly arrays = new Map<string, string>();
  /** Of constants, by their arrays. */
  private readonly memories = new Map<string, 'lutram' | 'bram'>();
  /** By tensor. */
  private readonly incoming = new Map<string, Channel>();
  private readonly outgoing = new Map<string, Channel[]>();
  /** Where words of memory are taken apart and put together, and what writes the last that is not full. */
  private readonly parts: string[] = [];
  private readonly tails: string[] = [];
  private readonly constantName: (buffer: string) => string;

  constructor(program: Program, process: ProcessBlocks, constantName: (buffer: string) => string) {
    this.program = program;
    this.process = process;
    this.constantName = constantName;
    const { reads, writes } = touched(process.body);
    const seen = (tensor: string): boolean => reads.has(tensor) || writes.has(tensor);
    for (const stream of program.dataflow!.streams) {
      const { dtype } = program.tensors[stream.tensor];
      if (stream.to === process.name) {
        const port = this.names.of('in_', stream.tensor);
        this.incoming.set(stream.tensor, channel(stream, this.names.of('w_', stream.tensor), port));
        this.ports.push({ kind: 'in', text: port, type: `hls::stream<${wordText(dtype, stream.lanes)} >`, stream });
      } else if (writes.has(stream.tensor)) {
        const port = this.names.of('out_', `${stream.tensor} ${stream.to}`);
        this.outgoing.set(stream.tensor, [...(this.outgoing.get(stream.tensor) ?? []), channel(stream, this.names.of('w_', `${stream.tensor} ${stream.to}`), port)]);
        this.ports.push({ kind: 'out', text: port, type: `hls::stream<${wordText(dtype, stream.lanes)} >`, stream });
      }
    }
    for (const tensor of [...program.inputs, ...program.outputs]) {
      if (!seen(tensor)) continue;
      const isInput = program.inputs.includes(tensor);
      const text = this.names.of('m_', tensor);
      const memory = program.dataflow!.memory?.find((m) => m.tensor === tensor);
      if (memory) {
        this.wide(memory, text, isInput);
        continue;
      }
      this.arrays.set(program.tensors[tensor].buffer, text);
      this.ports.push({ kind: 'memory', text, type: `${isInput ? 'const ' : ''}${memoryType(program.tensors[tensor].dtype)}`, tensor });
    }
  }

  /** Words of a bus, which are taken apart or put together here. */
  private wide({ tensor, bits, lanes }: MemoryPort, port: string, isInput: boolean): void {
    const { dtype, layout: { elementBits }, shape } = this.program.tensors[tensor];
    const part = this.names.of(isInput ? 'u_' : 'p_', tensor);
    const word = this.names.of('w_', tensor);
    this.ports.push({ kind: isInput ? 'fetched' : 'kept', text: port, type: `hls::stream<ap_uint<${bits}> >`, tensor });
    this.parts.push(`${isInput ? 'unpacker' : 'packer'}<${typeText(dtype)}, ${lanes}, ${bits}, ${elementBits}> ${part};`);
    if (isInput) this.incoming.set(tensor, { tensor, lanes, word, before: [`if (${part}.isShort()) ${part}.take(${port}.read());`], read: `${part}.next()`, write: [] });
    else this.outgoing.set(tensor, [{ tensor, lanes, word, before: [], read: '', write: [`${part}.put(${word});`, `if (${part}.isFull()) ${port}.write(${part}.next());`] }]);
    if (!isInput && (elementCount(shape) * elementBits) % bits !== 0) this.tails.push(`${port}.write(${part}.next());`);
  }

  text(buffer: string): string {
    if (this.program.buffers[buffer].role === 'constant') {
      this.constants.add(buffer);
      return this.constantName(buffer);
    }
    return this.arrays.get(buffer) ?? fail('program/invalid', buffer, `the process ${this.process.name} has no array of this name`);
  }

  /** Arrays of the tensors that stay in the process. */
  private declarations(): string[] {
    const { reads, writes } = touched(this.process.body);
    const lines: string[] = [];
    for (const tensor of Object.values(this.program.tensors)) {
      if (!writes.has(tensor.name) && !reads.has(tensor.name)) continue;
      const buffer = this.program.buffers[tensor.buffer];
      if (buffer.role !== 'temporary' || this.arrays.has(buffer.name) || this.incoming.has(tensor.name) || this.outgoing.has(tensor.name)) continue;
      const shared = Object.values(this.program.tensors).filter((t) => t.buffer === buffer.name);
      if (shared.some((t) => t.dtype !== tensor.dtype || t.layout.elementBits !== tensor.layout.elementBits)) fail('program/invalid', buffer.name, 'an array in a circuit holds one type');
      const text = this.names.of('t_', tensor.name);
      this.arrays.set(buffer.name, text);
      lines.push(`${typeText(tensor.dtype)} ${text}[${(buffer.bytes * 8) / tensor.layout.elementBits}];`);
    }
    return lines;
  }

  write(name: string): ProcessText {
    const declared = this.declarations();
    const banks: Banks = new Map();
    const body = this.blockLines(this.process.body, new Map(), banks);
    const cut = [...banks].map(([array, b]) => {
      if (b.n >= b.size) return `#pragma HLS ARRAY_PARTITION variable=${array} complete`; // all at once: no memory
      // Constants are read word by word; what is written element by element has memories of its own.
      return `#pragma HLS ${b.isConstant ? 'ARRAY_RESHAPE' : 'ARRAY_PARTITION'} variable=${array} cyclic factor=${b.n} dim=1`;
    });
    const parameters = this.ports.map((p) => (p.kind === 'memory' ? `${p.type} *${p.text}` : `${p.type} &${p.text}`));
    const roms = [...this.memories].map(([array, kind]) => `#pragma HLS BIND_STORAGE variable=${array} type=rom_1p impl=${kind}`);
    const lines = [`static void ${name}(${parameters.join(', ')}) {`, '#pragma HLS INLINE off', ...this.coreLimits(), ...indented([...declared, ...this.parts]), ...cut, ...roms, ...indented([...body, ...this.tails]), '}'];
    return { name, ports: this.ports, lines, constants: [...this.constants] };
  }

  /** Float cores of the process, whose kernels run one after the other, where these share them. */
  private coreLimits(): string[] {
    const kernels = kernelsOf(this.process.body);
    return coreNames.flatMap((core) => {
      const limit = Math.max(0, ...kernels.map((k) => k.scheduled?.cores?.[core] ?? 0));
      if (limit === 0) return [];
      return core === 'product' ? [`#pragma HLS ALLOCATION function instances=wholeProduct limit=${limit}`] : [`#pragma HLS ALLOCATION operation instances=f${core} limit=${limit}`];
    });
  }

  private blockLines(blocks: readonly Block[], repeats: ReadonlyMap<string, number>, banks: Banks): string[] {
    return blocks.flatMap((b): string[] => {
      if (b.kind === 'kernel') return this.kernelLines(b, repeats, banks);
      const { count } = b;
      const scope = this.scopeOf(b.axis, repeats);
      const most = typeof count === 'number' ? count : count.max;
      const end = typeof count === 'number' ? String(count) : `clampIndex(ap_int<32>(${elementText(this.program.tensors[count.input], [], scope)}), 0, ${count.max})`;
      const i = scope.declareAxis(b.axis, 0, most);
      return [`for (int ${i} = 0, end_${i} = ${end}; ${i} < end_${i}; ++${i}) {`, `#pragma HLS LOOP_TRIPCOUNT max=${most}`, ...indented(this.blockLines(b.body, new Map(repeats).set(b.axis, most), banks)), '}'];
    });
  }

  private scopeOf(kernel: string, repeats: ReadonlyMap<string, number>, isShared = false): Scope {
    const scope = new Scope(this, kernel, isShared);
    for (const [axis, most] of repeats) scope.declareAxis(axis, 0, most);
    return scope;
  }

  private kernelLines(kernel: Kernel, repeats: ReadonlyMap<string, number>, banks: Banks): string[] {
    const { scheduled } = kernel;
    if (!scheduled) fail('program/invalid', kernel.name, 'a kernel without a schedule reached the emitter');
    const scope = this.scopeOf(kernel.name, repeats, scheduled.cores !== undefined);
    const locals = scheduled.locals.flatMap((l): string[] => {
      const text = scope.declareLocal(l.name, l.type, l.shape);
      const size = l.shape.reduce((a, b) => a * b, 1);
      const n = Math.min(size, scheduled.banks?.[l.name] ?? 1);
      const cut = size === 1 || n === 1 ? [] : n === size ? [`#pragma HLS ARRAY_PARTITION variable=${text} complete`] : [`#pragma HLS ARRAY_PARTITION variable=${text} cyclic factor=${n} dim=1`];
      return [`${typeText(l.type)} ${text}${size === 1 ? '' : `[${size}]`};`, ...cut];
    });
    for (const [array, n] of Object.entries(scheduled.banks ?? {})) {
      const { role } = this.program.buffers[this.program.tensors[array]?.buffer] ?? {};
      if (scheduled.locals.some((l) => l.name === array) || role === 'input' || role === 'output') continue; // memory outside has no banks
      const { buffer, layout } = this.program.tensors[array];
      const text = this.text(buffer);
      banks.set(text, { n: Math.max(banks.get(text)?.n ?? 1, n), size: (this.program.buffers[buffer].bytes * 8) / layout.elementBits, isConstant: role === 'constant' });
    }
    for (const [array, kind] of Object.entries(scheduled.memories ?? {})) {
      const text = this.text(this.program.tensors[array].buffer);
      // Two kernels that read one array differently share the larger memory.
      if (this.memories.get(text) !== 'bram') this.memories.set(text, kind);
    }
    const body = this.bodyLines(scheduled.body, scope, []);
    return [`{ // ${kernel.op} ${kernel.name.replace(/[^\x20-\x7e]|\\/g, '_')}`, ...indented([...scheduled.steps.map((s) => `// ${s.replace(/[^\x20-\x7e]|\\/g, '_')}`), ...locals, ...body]), '}'];
  }

  /** `unrolled`: the loops of the group that moves at once, with the number of its first iteration. */
  private bodyLines(body: readonly Stmt[], scope: Scope, unrolled: readonly LoopStmt[]): string[] {
    return body.flatMap((s, i): string[] => {
      switch (s.kind) {
        case 'loop': {
          const inner = scope.inner();
          const axis = inner.declareAxis(s.axis, s.start, s.extent);
          const isUnrolled = s.mode === 'unrolled';
          const words = isUnrolled && unrolled.length === 0 ? this.wordsOf(s.body) : [];
          const lines = this.bodyLines(s.body, inner, isUnrolled || unrolled.length > 0 ? [...unrolled, s] : []);
          // A loop of one iteration is none: the tool would unroll it and drop its pragma.
          if (s.extent === 1) return [...words, ...(s.body.length === 1 && s.body[0].kind === 'loop' ? lines : ['{', ...indented(lines), '}'])];
          const interval = intervalOf(s);
          const pragma = isUnrolled ? ['#pragma HLS UNROLL'] : interval === undefined ? [] : [`#pragma HLS PIPELINE II=${interval}`];
          return [...words, `for (int ${axis} = ${s.start}; ${axis} < ${s.start + s.extent}; ++${axis}) {`, ...pragma, ...indented(lines), '}'];
        }
        case 'if': {
          const guard = guardText(s.guard, scope);
          const inner = this.bodyLines(s.body, scope.inner(), unrolled);
          if (i > 0 && isOtherwise(body[i - 1], s, scope)) return ['else {', ...indented(inner), '}'];
          return guard === undefined ? inner : [`if (${guard}) {`, ...indented(inner), '}'];
        }
        case 'let': {
          const [before, value] = this.taken(s.value, s, scope, unrolled);
          return [...before, `const ${typeText(s.type)} ${scope.declare('let', s.name, s.type)} = ${value};`];
        }
        case 'set': {
          const [before, value] = this.taken(s.value, s, scope, unrolled);
          return [...before, `${localText(s.name, s.at, scope)} = ${value};`];
        }
        case 'store':
          return this.stored(s, scope, unrolled);
      }
    });
  }

  /** Declarations of the words that a group of unrolled loops moves. */
  private wordsOf(body: readonly Stmt[]): string[] {
    const all = [...[...this.incoming.values()].filter((c) => c.lanes > 1), ...[...this.outgoing.values()].flat()];
    return all.filter((c) => moves(body, new Set([c.tensor]))).map((c) => `${wordText(this.program.tensors[c.tensor].dtype, c.lanes)} ${c.word};`);
  }

  /** The number of an element within what is moved at once. */
  private ordinal(unrolled: readonly LoopStmt[], scope: Scope): string {
    let stride = 1;
    const parts: string[] = [];
    for (const l of [...unrolled].reverse()) {
      if (l.extent === 1) continue;
      const i = scope.text('axis', l.axis);
      const from = l.start === 0 ? i : `(${i} - ${l.start})`;
      parts.unshift(stride === 1 ? from : `${from} * ${stride}`);
      stride *= l.extent;
    }
    return parts.join(' + ') || '0';
  }

  /** A value, and what must be read from a stream before it. */
  private taken(e: Expr, s: Stmt, scope: Scope, unrolled: readonly LoopStmt[]): [string[], string] {
    const from = e.op === 'load' && moved(s) ? this.incoming.get(e.tensor) : undefined;
    if (!from) return [[], exprText(e, scope)];
    const { before, read, word, lanes } = from;
    if (unrolled.length === 0 || lanes === 1) return [[...before], `${read}.data[0]`];
    const at = this.ordinal(unrolled, scope);
    return [inTurn(at, lanes, 0, [...before, `${word} = ${read};`]), `${word}.data[(${at}) % ${lanes}]`];
  }

  private stored(s: Stmt & { kind: 'store' }, scope: Scope, unrolled: readonly LoopStmt[]): string[] {
    const tensor = this.program.tensors[s.tensor];
    const channels = this.outgoing.get(s.tensor);
    const guard = s.guard && guardText(s.guard, scope);
    const value = exprText(s.value, scope);
    const guarded = (lines: string[]): string[] => (guard ? [`if (${guard}) {`, ...indented(lines), '}'] : lines);
    if (!channels) {
      const isMemory = this.program.buffers[tensor.buffer].role === 'output';
      const plain = isMemory && tensor.dtype !== 'float32' ? `${memoryType(tensor.dtype)}((${value}).to_int())` : value;
      return guarded([`${elementText(tensor, s.at, scope)} = ${plain};`]);
    }
    const at = this.ordinal(unrolled, scope);
    return guarded(channels.flatMap(({ write, word, lanes }) => {
      if (unrolled.length === 0) return ['{', ...indented([`${wordText(tensor.dtype, lanes)} ${word};`, `${word}.data[0] = ${value};`, ...write]), '}'];
      return [`${word}.data[(${at}) % ${lanes}] = ${value};`, ...inTurn(at, lanes, lanes - 1, write)];
    }));
  }
}

/** True where a statement does what remains of the condition ahead of it: one index, below a number and from it on. */
function isOtherwise(before: Stmt, { guard }: Stmt & { readonly kind: 'if' }, scope: Scope): boolean {
  if (before.kind !== 'if' || before.guard.length !== 1 || guard.length !== 1) return false;
  const [[a], [b]] = [before.guard, guard];
  const [lo, hi] = interval(b.index, scope.ranges);
  return indexKey(a.index) === indexKey(b.index) && a.hi === b.lo && a.lo <= lo && lo < a.hi && a.hi <= hi && hi < b.hi;
}

/** What is done where the number of an element is `turn` in its word. */
function inTurn(at: string, lanes: number, turn: number, lines: readonly string[]): string[] {
  const guard = `if ((${at}) % ${lanes} == ${turn})`;
  return lines.length === 1 ? [`${guard} ${lines[0]}`] : [`${guard} {`, ...indented(lines), '}'];
}

const channel = ({ tensor, lanes }: Stream, word: string, port: string): Channel => ({ tensor, lanes, word, before: [], read: `${port}.read()`, write: [`${port}.write(${word});`] });

/** The function of a process. `constantName`: the array of a constant buffer. */
export function processText(program: Program, process: ProcessBlocks, name: string, constantName: (buffer: string) => string): ProcessText {
  return new Writer(program, process, constantName).write(name);
}
