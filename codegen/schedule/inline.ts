/**
 * Inlining: what an elementwise kernel makes of constants alone is computed where it is read, at every read, so that neither the
 * module nor the memory holds it: squares of weights, weights that are stored as codes. Few that are read often, such as a
 * small convolution's, are made once a run instead, in memory that activations share; and what is made of few floats, such as its
 * squares, becomes a constant of its own.
 */
import { sha256 } from '../ir/hash.js';
import { mapExpr, substitute } from '../ir/indexing.js';
import { interpret } from '../ir/interpret.js';
import type { Block, Expr, Index, Kernel, Program, ProgramUnit } from '../ir/program.js';
import { dependsOn, walkExpr } from '../ir/walk.js';
import { loadsOf } from './fuse.js';
import { withoutUnused } from './lower.js';

/** Inlines every such kernel that all of its readers can take. Appends what was done to `steps`. */
export function inlineConstants(unit: ProgramUnit, steps: string[]): ProgramUnit {
  let { program } = unit;
  const data = new Map(unit.data);
  const kept = new Set<string>();
  // What is inlined may make the next one a kernel of constants alone.
  for (let i = 0; i < program.blocks.length; i++) {
    const block = program.blocks[i];
    const made = block.kind === 'kernel' ? madeOfConstants(program, block, kept) : undefined;
    if (made && isWorthBytes(program, made)) {
      steps.push(`fold ${(block as Kernel).name}`);
      program = folded(program, data, block as Kernel, made.tensor);
      i--;
      continue;
    }
    if (!made || !readers(program.blocks, made.tensor).every((k) => loadsOf(k).every((l) => l.tensor !== made.tensor || !l.guard))) continue;
    if (isMadeOnce(program, block as Kernel, made)) {
      kept.add(made.tensor);
      continue;
    }
    steps.push(`inline ${(block as Kernel).name}`);
    program = { ...program, blocks: program.blocks.flatMap((b) => (b === block ? [] : [inlined(b, made)])) };
    i--;
  }
  return program === unit.program ? unit : withoutUnused({ program, data });
}

/** Moves what is made of constants next to what reads it, so that no memory is held for it before. */
export function makeLate(program: Program): Program {
  const role = (tensor: string): string => program.buffers[program.tensors[tensor].buffer].role;
  const isFree = (b: Block): b is Kernel => b.kind === 'kernel' && b.stores.every((s) => role(s.tensor) === 'temporary') && loadsOf(b).length > 0 && loadsOf(b).every((l) => role(l.tensor) === 'constant');
  const blocks: Block[] = [];
  for (const block of [...program.blocks].reverse()) {
    const at = isFree(block) ? blocks.findIndex((b) => block.stores.some((s) => readers([b], s.tensor).length > 0)) : 0;
    blocks.splice(Math.max(at, 0), 0, block);
  }
  return blocks.every((b, i) => b === program.blocks[i]) ? program : { ...program, blocks };
}

interface Made {
  readonly tensor: string;
  readonly axes: readonly string[];
  /** Of loads and axes alone. */
  readonly value: Expr;
}

/** What a kernel makes, where it is elementwise, of constants, for other kernels, and stores at its own point. */
function madeOfConstants(program: Program, kernel: Kernel, kept: ReadonlySet<string>): Made | undefined {
  if (kernel.reduce.length + kernel.accumulators.length + kernel.body.length > 0 || kernel.stores.length !== 1) return undefined;
  const [store] = kernel.stores;
  const role = (tensor: string): string => program.buffers[program.tensors[tensor].buffer].role;
  const loads = loadsOf(kernel);
  if (role(store.tensor) !== 'temporary' || loads.length === 0 || loads.some((l) => role(l.tensor) !== 'constant' && !kept.has(l.tensor))) return undefined;
  const axes = store.at.map(plainAxis);
  if (axes.some((a) => a === undefined)) return undefined;
  const lets = new Map<string, Expr>();
  const whole = (e: Expr): Expr => mapExpr(e, (i) => i, (x) => (x.op === 'ref' ? lets.get(x.name) : undefined));
  for (const l of kernel.epilogue) lets.set(l.name, whole(l.value));
  const value = whole(store.value);
  // A copy of constants is a view, or done when the module is made.
  if (kernel.op === 'copy' && value.op === 'load') return undefined;
  let size = 0;
  walkExpr(value, { expr: () => { size++; } });
  return size <= mostNodes ? { tensor: store.tensor, axes: axes as string[], value } : undefined;
}

/** Elements that are made once, or are a constant more, and how often they are read then: a tile of outputs shares what it computes. */
const mostMade = 4096;
const leastReads = 16;

/** True where elements are few, and a sum reads each of them at many places. */
function isReadOften(program: Program, tensor: string): boolean {
  const { shape } = program.tensors[tensor];
  if (shape.reduce((n, d) => n * d, 1) > mostMade) return false;
  return readers(program.blocks, tensor).some((k) => k.reduce.length > 0 && loadsOf(k).some((l) => {
    const places = k.space.filter((a) => !l.at.some((i) => dependsOn(i, a.name)));
    return l.tensor === tensor && places.reduce((n, a) => n * a.extent, 1) >= leastReads;
  }));
}

const isMadeOnce = (program: Program, kernel: Kernel, { tensor }: Made): boolean => kernel.op === 'dequantize' && isReadOften(program, tensor);

/**
 * True where what is made of float constants is better a constant itself: the squares of LeNet-5's second convolution are 9,600 bytes
 * and used at 100 places, and to compute them there took a tenth of its time.
 */
function isWorthBytes(program: Program, { tensor, value }: Made): boolean {
  let plain = program.tensors[tensor].dtype === 'float32';
  walkExpr(value, { expr: (e) => { if (e.op === 'load') plain &&= program.tensors[e.tensor].dtype === 'float32' && program.buffers[program.tensors[e.tensor].buffer].role === 'constant'; } });
  return plain && isReadOften(program, tensor);
}

/** The Program with what a kernel makes as a constant; adds its bytes to `data`. */
function folded(program: Program, data: Map<string, Uint8Array>, kernel: Kernel, tensor: string): Program {
  const { program: alone } = withoutUnused({ program: { ...program, inputs: [], outputs: [], blocks: [kernel] }, data });
  const values = interpret({ program: alone, data }, {}).get(tensor)!;
  const bytes = new Uint8Array(Float32Array.from(values).buffer);
  const hash = sha256(bytes).slice(0, 32);
  data.set(hash, bytes);
  const { buffer } = program.tensors[tensor];
  return { ...program, buffers: { ...program.buffers, [buffer]: { ...program.buffers[buffer], role: 'constant', hash } }, blocks: program.blocks.filter((b) => b !== kernel) };
}

/** A larger expression would be computed too often. */
const mostNodes = 40;

function plainAxis(i: Index): string | undefined {
  const [t] = i.terms;
  return i.offset === 0 && i.terms.length === 1 && t.coeff === 1 && typeof t.of === 'string' ? t.of : undefined;
}

function readers(blocks: readonly Block[], tensor: string): Kernel[] {
  return blocks.flatMap((b) => (b.kind === 'repeat' ? readers(b.body, tensor) : loadsOf(b).some((l) => l.tensor === tensor) ? [b] : []));
}

function inlined(block: Block, made: Made): Block {
  if (block.kind === 'repeat') return { ...block, body: block.body.map((b) => inlined(b, made)) };
  if (!loadsOf(block).some((l) => l.tensor === made.tensor)) return block;
  const rewrite = (e: Expr): Expr =>
    mapExpr(e, (i) => i, (x) => {
      if (x.op !== 'load' || x.tensor !== made.tensor) return undefined;
      const at = new Map(made.axes.map((name, d) => [name, x.at[d]]));
      return mapExpr(made.value, (i) => substitute(i, at));
    });
  return {
    ...block,
    accumulators: block.accumulators.map((a) => ({ ...a, init: rewrite(a.init), update: rewrite(a.update) })),
    body: block.body.map((l) => ({ ...l, value: rewrite(l.value) })),
    epilogue: block.epilogue.map((l) => ({ ...l, value: rewrite(l.value) })),
    stores: block.stores.map((s) => ({ ...s, value: rewrite(s.value) })),
  };
}
