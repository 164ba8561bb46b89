/**
 * One kernel as a circuit: loops folded by PE (outputs at once) and SIMD (products of an output at once), line buffers, one loop
 * pipelined. Data and steps as for processors; only the list of steps is another.
 *
 * Sums of integers run output by output, all products of a step as one tree. Sums of floats keep their order: a step adds one
 * product to each of many outputs, so that the next sum of the same output starts when the adder is done.
 */
import { isInteger } from '../../ir/datatype.js';
import { fail } from '../../ir/diagnostic.js';
import { mapExpr } from '../../ir/indexing.js';
import type { Condition, Expr, Kernel, LoopStmt, Program, Stmt } from '../../ir/program.js';
import { findLoad } from '../../ir/walk.js';
import { mostCopies } from '../../targets/fpga.js';
import { loadsOf } from '../fuse.js';
import { materialize, nestOf, type Loop, type Nest } from '../nest.js';
import { applySteps, printStep, type Step } from '../steps.js';
import { filledAhead } from './ahead.js';
import { isRolled } from './pipeline.js';
import { gathered, heldWord } from './gather.js';
import { readsInOrder } from './prepare.js';
import { spaceOrder } from './order.js';
import { withVectors } from './vector.js';
import { windowOf, withWindows, type Filled } from './window.js';

/** How much of a kernel is a circuit of its own: FINN's PE and SIMD. */
export interface Folding {
  /** Outputs (channels) at once. */
  readonly pe: number;
  /** Products of one output at once. */
  readonly simd: number;
  /** Float cores of a kind for each output at once, which all its operations share; where nothing is said, as many as start at once. */
  readonly cores?: number;
  /** The kernel in whose process it runs, one after the other; where nothing is said, a process of its own. */
  readonly process?: string;
}

/** The kernels that a folding puts into one process, a list for each. */
export function togetherIn(folding: Readonly<Record<string, Folding>> = {}): string[][] {
  const lists = new Map<string, string[]>();
  for (const [name, { process }] of Object.entries(folding)) if (process !== undefined) lists.set(process, [...(lists.get(process) ?? [process]), name]);
  return [...lists.values()];
}

/** The loops that a folding divides; none where there is nothing to divide, or the order of a float sum forbids it. */
export interface FoldableLoops {
  readonly outputs?: { readonly name: string; readonly extent: number };
  readonly products?: { readonly name: string; readonly extent: number };
}

/** The nest before it is folded: space loops as the stream runs, then the reduction. */
export function circuitNest(kernel: Kernel): Nest {
  const nest = nestOf(kernel);
  const order = kernel.op === 'load' || kernel.op === 'store' ? undefined : spaceOrder(kernel);
  if (!order) return nest;
  const wanted = [...order, ...nest.loops.filter((l) => l.kind !== 'space').map((l) => l.name)];
  return wanted.join(' ') === nest.loops.map((l) => l.name).join(' ') ? nest : applySteps(nest, [{ step: 'reorder', order: wanted }]);
}

export function foldableLoops(kernel: Kernel, program: Program): FoldableLoops {
  const { loops } = circuitNest(kernel);
  const space = loops.filter((l) => l.kind === 'space' && l.extent > 1);
  const innermost = space[space.length - 1];
  // A window's own loops follow the stream, place by place.
  const last = innermost && isOfWindow(innermost.name, kernel, program) ? undefined : innermost;
  const products = hasFreeOrder(kernel) ? [...loops].reverse().find((l) => l.kind === 'reduce' && l.extent > 1) : undefined;
  return { ...(last ? { outputs: { name: last.name, extent: last.extent } } : {}), ...(products ? { products: { name: products.name, extent: products.extent } } : {}) };
}

function isOfWindow(axis: string, kernel: Kernel, program: Program): boolean {
  const tensors = new Set(loadsOf(kernel).map((l) => l.tensor));
  return [...tensors].some((t) => {
    if (program.buffers[program.tensors[t].buffer].role === 'constant') return false;
    const window = readsInOrder(kernel, t, program) ? undefined : windowOf(kernel, t, program);
    return window !== undefined && (window.images === axis || window.sides.some((s) => s.axis === axis));
  });
}

/** True where sums may be taken in any order: of integers. */
export function hasFreeOrder(kernel: Kernel): boolean {
  return kernel.reduce.length > 0 && kernel.partials === 1 && kernel.accumulators.every((a) => isInteger(a.type) && ['add', 'min', 'max'].includes(a.update.op));
}

/** Outputs and products that go through a stream as one word and are several steps: such words have loops of their own. */
export interface WordSteps {
  readonly outputs: readonly number[];
  readonly products: readonly number[];
}

/** The nest of a folded kernel. Raises schedule/illegal where a folding does not divide its loop. */
export function foldedNest(kernel: Kernel, program: Program, folding: Folding, words: WordSteps = { outputs: [], products: [] }): Nest {
  const { outputs, products } = foldableLoops(kernel, program);
  const copies = (outputs ? folding.pe : 1) * (products ? folding.simd : 1);
  if (copies > mostCopies) fail('schedule/illegal', kernel.name, `PE ${folding.pe} and SIMD ${folding.simd} do ${copies} products at once, and synthesis unrolls a loop into ${mostCopies} copies at most`, 'Fold it more: a smaller PE or SIMD.');
  const steps: Step[] = [];
  const fold = (whole: { name: string; extent: number } | undefined, by: number, wider: readonly number[]): string | undefined => {
    if (!whole) return undefined;
    let { name, extent } = whole;
    for (const factor of [...wider.filter((n) => n > by && n % by === 0).sort((a, b) => b - a), by]) {
      if (factor === extent || factor <= 1) continue;
      steps.push({ step: 'split', loop: name, factor });
      [name, extent] = [`${name}.i`, factor];
    }
    return by > 1 ? name : undefined;
  };
  const tile = fold(outputs, folding.pe, words.outputs);
  const tree = fold(products, folding.simd, words.products);
  let nest = applySteps(circuitNest(kernel), steps);
  if (kernel.reduce.length > 0) {
    const rest = nest.loops.filter((l) => l.name !== tile && l.name !== tree);
    const space = rest.filter((l) => l.kind === 'space');
    const named = (list: readonly Loop[]): string[] => list.map((l) => l.name);
    // Floats: the loop over outputs runs inside the reduction.
    const inner = !hasFreeOrder(kernel) && kernel.partials === 1 && outputs ? space.filter((l) => l.name === outputs.name || l.name === `${outputs.name}.o`) : [];
    const order = [...named(space.filter((l) => !inner.includes(l))), ...named(rest.filter((l) => l.kind !== 'space')), ...(tree ? [tree] : []), ...named(inner), ...(tile ? [tile] : [])];
    nest = applySteps(nest, [{ step: 'reorder', order }]);
  } else if (tile && nest.loops[nest.loops.length - 1].name !== tile) {
    // Loops of one iteration are no loops inside what is done at once.
    nest = applySteps(nest, [{ step: 'reorder', order: [...nest.loops.map((l) => l.name).filter((name) => name !== tile), tile] }]);
  }
  return applySteps(nest, [tile, tree].flatMap((loop): Step[] => (loop === undefined ? [] : [{ step: 'unroll', loop }])), mostCopies);
}

/**
 * The statements of a folded kernel: reductions in one loop, streams read where they are needed, windows in line buffers. `lanes`:
 * elements that it takes of a stream at once, or sends where these are more than it makes; `memory`: what it reads in order besides.
 */
export function circuit(nest: Nest, program: Program, streamed: ReadonlySet<string>, lanes: ReadonlyMap<string, number>, memory?: string): Kernel {
  const { kernel } = nest;
  const made = materialize(nest);
  let body = inOneLoop(made.body, kernel);
  let { locals } = made;
  const steps = nest.steps.map(printStep);
  const own = loadsOf(kernel).map((l) => l.tensor).filter((t, i, all) => streamed.has(t) && all.indexOf(t) === i);
  for (const t of own.filter((x) => readsInOrder(kernel, x, program))) {
    const held = heldWord(body, t, lanes.get(t) ?? 1, program);
    body = held?.body ?? bindLoad(body, t, program);
    if (!held) continue;
    locals = [...locals, held.local];
    steps.push(`hold ${t} by ${lanes.get(t)!}`);
  }
  if (memory !== undefined) body = bindLoad(body, memory, program);
  const windows = own.flatMap((t) => (readsInOrder(kernel, t, program) ? [] : [windowOf(kernel, t, program)!]));
  if (windows.length > 0) {
    const vectors = withVectors(kernel, body, windows, lanes, program);
    const filled = vectors ? undefined : fastest(withWindows(kernel, body, windows, lanes, program), filledAhead(kernel, body, windows, lanes, program));
    const buffered = vectors ?? filled!;
    body = buffered.body;
    locals = [...locals, ...buffered.locals];
    steps.push(...(vectors?.isAlong ? windows.map((w) => `takeAlong ${w.tensor} by ${lanes.get(w.tensor) ?? 1}`) : buffered.locals.map((l) => `lineBuffer ${l.name} [${l.shape.join(', ')}]${filled ? ` filled ${filled.filled}` : ''}`)));
  }
  for (const { tensor } of kernel.stores) {
    const together = lanes.get(tensor);
    if (together === undefined) continue;
    const made = gathered(body, tensor, together, program);
    body = made.body;
    locals = [...locals, made.local];
    steps.push(`gather ${tensor} by ${together}`);
  }
  return { ...kernel, scheduled: { steps, locals, body } };
}

const fastest = (a: Filled, b: Filled | undefined): Filled => (b && b.cycles < a.cycles ? b : a);

/**
 * A reduction as one loop nest without a beginning and an end of its own: what starts a sum is done in its first step, what ends
 * it in the last. So all of it is one pipeline.
 */
function inOneLoop(body: readonly Stmt[], kernel: Kernel): Stmt[] {
  if (!hasFreeOrder(kernel)) return [...body];
  const visit = (list: readonly Stmt[]): Stmt[] => {
    const at = list.findIndex(isRolled);
    if (at < 0) return [...list];
    const loop = list[at] as LoopStmt;
    if (list.length === 1 && !kernel.reduce.some((a) => a.name === loop.axis.split('.')[0])) return [{ ...loop, body: visit(loop.body) }];
    if (list.filter(isRolled).length > 1) return [...list];
    const first: Condition[] = [];
    const last: Condition[] = [];
    const enter = (l: LoopStmt): Stmt => {
      const index = { offset: 0, terms: [{ coeff: 1, of: l.axis }] };
      first.push({ index, lo: 0, hi: 1 });
      last.push({ index, lo: l.extent - 1, hi: l.extent });
      const [only] = l.body;
      if (l.body.length === 1 && isRolled(only)) return { ...l, body: [enter(only)] };
      const guarded = (guard: readonly Condition[], part: readonly Stmt[]): Stmt[] => (part.length === 0 ? [] : [{ kind: 'if', guard, body: part }]);
      return { ...l, body: [...guarded(first, list.slice(0, at)), ...l.body, ...guarded(last, list.slice(at + 1))] };
    };
    return [enter(loop)];
  };
  return visit(body);
}

/** A stream is read into a value before the statements that need it. */
function bindLoad(body: readonly Stmt[], tensor: string, program: Program): Stmt[] {
  const name = `${tensor}.taken`;
  let load: Expr | undefined;
  const replace = (e: Expr): Expr => mapExpr(e, (i) => i, (x) => (x.op === 'load' && x.tensor === tensor ? { op: 'ref', name } : undefined));
  const visit = (list: readonly Stmt[]): Stmt[] => {
    let bound = false;
    return list.flatMap((s): Stmt[] => {
      if (s.kind === 'loop' || s.kind === 'if') return [{ ...s, body: visit(s.body) }];
      const own = findLoad(s.value, tensor);
      if (!own) return [s];
      load ??= own;
      const read: Stmt[] = bound ? [] : [{ kind: 'let', name, type: program.tensors[tensor].dtype, value: load }];
      bound = true;
      return [...read, { ...s, value: replace(s.value) }];
    });
  };
  return visit(body);
}
