/**
 * What one step of a compiled network is and needs: which operators it came from, multiply-adds, operations, bytes. Read
 * off the scheduled Program; nothing is measured here.
 */
import { describe, smallestInteger, type DataType } from '../../codegen/ir/datatype.js';
import { exprType } from '../../codegen/ir/exprType.js';
import type { Graph, Node } from '../../codegen/ir/graph.js';
import type { Block, Expr, Kernel, Program } from '../../codegen/ir/program.js';
import { operandsOf, walkExpr, walkStmts } from '../../codegen/ir/walk.js';
import { touched } from './touched.js';

/** A tensor as a step uses it. */
export interface TensorUse {
  readonly name: string;
  /** Logical shape, batch included. */
  readonly shape: readonly number[];
  readonly dtype: string;
  /** Of the elements that the step touches, as they are stored: each counted once, activations once a repeat. */
  readonly bytes: number;
}

/** The data types that a step multiplies, so that the right rate is its limit. */
export interface Products {
  readonly kind: 'float' | 'integer' | 'bits';
  /** Bits of the wider operand, sign included; 0 where nothing is multiplied. */
  readonly bits: number;
  /** True where one operand lies in 0..127 and the other in -128..127: one relaxed dot product does. */
  readonly seven: boolean;
}

export interface StepFacts {
  /** The kernel's name. */
  readonly name: string;
  /** What it is: dense, convolution, depthwise, pool, halo (zeros around a tensor) ... */
  readonly op: string;
  /** The nodes of the graph (after the compiler's passes) that it computes, in order; none where it only moves data. */
  readonly nodes: readonly { readonly name: string; readonly op: string }[];
  /** How often it runs in a call: for batches, often image by image. */
  readonly repeats: number;
  /** Extents of the outputs' points (repeats first), and of the points summed over for each, without those of 1. */
  readonly space: readonly number[];
  readonly reduce: readonly number[];
  readonly weights: readonly TensorUse[];
  readonly reads: readonly TensorUse[];
  readonly writes: readonly TensorUse[];
  /** Products that are added up. */
  readonly multiplyAdds: number;
  /** All arithmetic: a multiply-add is two operations; comparing, converting and shifting are one each. */
  readonly operations: number;
  /** Bytes of weights, of activations read, and of activations written. */
  readonly bytes: { readonly weights: number; readonly read: number; readonly written: number };
  readonly products: Products;
}

/** The facts of every kernel of a Program, in order, those within repeats too. `graph` is the one that it was lowered from. */
export function stepFacts(program: Program, graph: Graph): StepFacts[] {
  const kernels = program.blocks.flatMap((b) => kernelsOf(b, graph));
  const origins = originsOf(kernels.map((k) => k.kernel), graph);
  return kernels.map(({ kernel, repeats }) => kernelFacts(kernel, repeats, program, origins.get(kernel)!));
}

/** The kernels of a block with how often each runs; where an input says that, by its default. */
function kernelsOf(block: Block, graph: Graph, repeats = 1): { kernel: Kernel; repeats: number }[] {
  if (block.kind === 'kernel') return [{ kernel: block, repeats }];
  const count = typeof block.count === 'number' ? block.count : (graph.values[block.count.input]?.control?.default[0] ?? block.count.max);
  return block.body.flatMap((b) => kernelsOf(b, graph, repeats * count));
}

function kernelFacts(kernel: Kernel, repeats: number, program: Program, nodes: readonly Node[]): StepFacts {
  const points = kernel.space.reduce((n, a) => n * a.extent, 1) * repeats;
  const reductions = points * kernel.reduce.reduce((n, a) => n * a.extent, 1);
  const inner = [...kernel.body.map((l) => l.value), ...kernel.accumulators.map((a) => a.update)];
  const outer = [...kernel.epilogue.map((l) => l.value), ...kernel.stores.map((s) => s.value)];
  const sums = kernel.accumulators.some((a) => a.update.op === 'add');
  const sum = (values: readonly number[]): number => values.reduce((a, b) => a + b, 0);

  const { loads, stores } = touched(kernel, program);
  const use = (times: number) => ([name, elements]: [string, number]): TensorUse => {
    const tensor = program.tensors[name];
    return { name, shape: tensor.shape, dtype: tensor.dtype, bytes: Math.ceil((elements * tensor.layout.elementBits) / 8) * times };
  };
  const constant = ([name]: [string, number]): boolean => program.buffers[program.tensors[name].buffer].role === 'constant';
  const weights = [...loads].filter(constant).map(use(1));
  const reads = [...loads].filter((l) => !constant(l)).map(use(repeats));
  const writes = [...stores].map(use(repeats));
  const total = (uses: readonly TensorUse[]): number => sum(uses.map((u) => u.bytes));
  return {
    name: kernel.name,
    op: kernel.op,
    nodes: nodes.map(({ name, op }) => ({ name, op })),
    repeats,
    space: [repeats, ...kernel.space.map((a) => a.extent)].filter((n) => n > 1),
    reduce: kernel.reduce.map((a) => a.extent).filter((n) => n > 1),
    weights, reads, writes,
    multiplyAdds: sums ? reductions * sum(inner.map(productsIn)) : 0,
    operations: reductions * sum(inner.map(operationsIn)) + points * sum(outer.map(operationsIn)),
    bytes: { weights: total(weights), read: total(reads), written: total(writes) },
    products: productsOf(kernel, program),
  };
}

// ---- Arithmetic ----

function productsIn(e: Expr): number {
  if (e.op === 'dot') return e.extent;
  return (e.op === 'mul' ? 1 : 0) + operandsOf(e).reduce((n, x) => n + productsIn(x), 0);
}

const free = new Set(['float', 'int', 'load', 'ref', 'local', 'index', 'bitcast']);

function operationsIn(e: Expr): number {
  if (e.op === 'dot') return 2 * e.extent;
  return (free.has(e.op) ? 0 : 1) + operandsOf(e).reduce((n, x) => n + operationsIn(x), 0);
}

/** The widest product that a kernel's sums add. */
function productsOf(kernel: Kernel, program: Program): Products {
  let bits = 0;
  let seven = true;
  let float = false;
  const lets = new Map([...kernel.body, ...kernel.epilogue].map((l) => [l.name, l]));
  const sums = new Map(kernel.accumulators.map((a) => [a.name, a]));
  const scope = {
    tensor: (name: string) => program.tensors[name].dtype,
    ref: (name: string) => (lets.get(name) ?? sums.get(name))!.type,
    local: (): DataType => 'int32',
  };
  const rangeOf = (e: Expr): readonly [number, number] => {
    const { min, max } = describe(exprType(e, scope));
    const own = e.op === 'load' ? program.tensors[e.tensor].range : e.op === 'int' ? ([e.value, e.value] as const) : undefined;
    return own ?? [min, max];
  };
  const signedBits = ([lo, hi]: readonly [number, number]): number => describe(smallestInteger(Math.min(lo, -1), hi)).bits;
  const seeProducts = (root: Expr): void =>
    walkExpr(root, {
      expr(e) {
        if (e.op !== 'mul' && e.op !== 'dot') return;
        if (exprType(e.a, scope) === 'float32') {
          float = true;
          bits = 32;
          return;
        }
        const ranges = [rangeOf(e.a), rangeOf(e.b)];
        bits = Math.max(bits, ...ranges.map(signedBits));
        seven &&= ranges.some(([lo, hi]) => lo >= 0 && hi <= 127) && ranges.every((r) => signedBits(r) <= 8);
      },
    });
  if (kernel.accumulators.some((a) => a.update.op === 'add')) [...kernel.body.map((l) => l.value), ...kernel.accumulators.map((a) => a.update)].forEach(seeProducts);
  let counted = false;
  walkStmts(kernel.scheduled?.body ?? [], { expr: (e) => { counted ||= e.op === 'popcount'; } });
  return { kind: float ? 'float' : counted ? 'bits' : 'integer', bits, seven: seven && !float && bits > 0 };
}

// ---- Origins ----

/**
 * The nodes of each kernel: from the values that it stores back to values that other kernels store. Buffers that the
 * schedule put between (`X.inner`) stand for the value that they hold.
 */
function originsOf(all: readonly Kernel[], graph: Graph): Map<Kernel, Node[]> {
  const producer = new Map(graph.nodes.flatMap((node) => node.outputs.map((o) => [o, node] as const)));
  const order = new Map(graph.nodes.map((node, i) => [node, i]));
  const valueOf = (tensor: string): string => (producer.has(tensor) ? tensor : tensor.replace(/\.inner\d*$/, ''));
  const moves = (kernel: Kernel): boolean => kernel.op === 'halo' || kernel.op === 'stage';
  const stored = new Set(all.filter((k) => !moves(k)).flatMap((k) => k.stores.map((s) => valueOf(s.tensor))));
  return new Map(all.map((kernel) => {
    const found = new Set<Node>();
    const visit = (value: string): void => {
      const node = producer.get(value);
      if (!node || found.has(node)) return;
      found.add(node);
      for (const input of node.inputs) if (!stored.has(input)) visit(input);
    };
    if (!moves(kernel)) kernel.stores.forEach((s) => visit(valueOf(s.tensor)));
    return [kernel, [...found].sort((a, b) => order.get(a)! - order.get(b)!)];
  }));
}
