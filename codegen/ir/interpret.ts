/**
 * The interpreter: the living definition of what a Program means. Slow, plain and exact; it runs in a page.
 *
 * float32 is rounded by Math.fround after every operation, integers are exact (BigInt beyond 53 bits), and every load and
 * store goes through the tensor's layout, so that layouts are part of what is defined. Each buffer has its own bytes:
 * whether planned offsets may overlap is the verifier's business.
 */
import { constant } from './build.js';
import { describe } from './datatype.js';
import { fail, suggest } from './diagnostic.js';
import { constantData, elementCount, formatShape, type ConstantData } from './graph.js';
import { compileKernel, type Action } from './interpretKernel.js';
import {
  allocate,
  compileElementLoad,
  compileElementStore,
  compileElementWritten,
  forget,
  type IndexScope,
  type Memory,
} from './interpretMemory.js';
import type { RepeatAxes } from './interpretScope.js';
import type { Block, Index, Program, ProgramUnit, Repeat, Tensor } from './program.js';

/** Logical elements in row-major order: float32 as Float32Array, uint32 as Uint32Array, other integers as Int32Array. */
export type NumericArray = ConstantData;

export interface InterpretOptions {
  /** False: always the declarative form. */
  readonly scheduled?: boolean;
  /** Bytes of state buffers by name, as they are before the call; zero where absent. */
  readonly state?: ReadonlyMap<string, Uint8Array>;
  /** Names of the tensors that are wanted; all that were written, where absent. */
  readonly tensors?: readonly string[];
}

export interface Interpreter {
  /** One call: inputs by tensor name, row-major; gives the tensors that are wanted. State is kept for the next call. */
  run(inputs: Readonly<Record<string, ArrayLike<number>>>): Map<string, NumericArray>;
}

/**
 * Runs a Program once. Inputs: row-major logical elements by tensor name. The result: the elements of every tensor but
 * constants; a tensor that was not wholly written is left out.
 */
export function interpret(
  unit: ProgramUnit,
  inputs: Readonly<Record<string, ArrayLike<number>>>,
  options: InterpretOptions = {},
): Map<string, NumericArray> {
  return createInterpreter(unit, options).run(inputs);
}

/** Compiles a Program to closures, for many calls. */
export function createInterpreter(unit: ProgramUnit, options: InterpretOptions = {}): Interpreter {
  const { program } = unit;
  const memory = allocate(program, unit.data, options.state);
  const run = compileBlocks(program.blocks, { program, memory, scheduled: options.scheduled !== false }, { names: [], values: new Int32Array(16) });
  const wanted = options.tensors ?? Object.keys(program.tensors).filter((t) => program.buffers[program.tensors[t].buffer].role !== 'constant');
  const readers = wanted.map((name) => ({ name, read: compileReader(program.tensors[name], memory) }));
  const writers = program.inputs.map((name) => ({ name, write: compileWriter(program.tensors[name], memory) }));
  let first = true;
  return {
    run(inputs) {
      for (const name of Object.keys(inputs)) {
        if (!program.inputs.includes(name)) fail('run/unknown-input', name, 'the Program has no such input', suggest(name, program.inputs, 'input'));
      }
      if (!first) forget(program, memory);
      first = false;
      for (const { name, write } of writers) {
        if (!Object.hasOwn(inputs, name)) fail('run/missing-input', name, 'the input was not given', `Give a value for "${name}".`);
        write(inputs[name]);
      }
      run();
      const result = new Map<string, NumericArray>();
      for (const { name, read } of readers) {
        const values = read();
        if (values) result.set(name, values);
      }
      return result;
    },
  };
}

// ---- Blocks ----

interface Setting {
  readonly program: Program;
  readonly memory: Memory;
  readonly scheduled: boolean;
}

function compileBlocks(blocks: readonly Block[], setting: Setting, repeats: RepeatAxes): Action {
  const actions = blocks.map((b) =>
    b.kind === 'repeat' ? compileRepeat(b, setting, repeats) : compileKernel(b, setting.program, setting.memory, repeats, setting.scheduled),
  );
  return () => {
    for (const action of actions) action();
  };
}

function compileRepeat(block: Repeat, setting: Setting, repeats: RepeatAxes): Action {
  const depth = repeats.names.length;
  if (depth >= repeats.values.length) fail('program/invalid', block.axis, `repeats are nested deeper than ${repeats.values.length}`);
  const body = compileBlocks(block.body, setting, { names: [...repeats.names, block.axis], values: repeats.values });
  const count = compileCount(block, setting);
  return () => {
    const end = count();
    for (let i = 0; i < end; i++) {
      repeats.values[depth] = i;
      body();
    }
  };
}

/** A count that comes from an input is clamped to 0 .. max. */
function compileCount(block: Repeat, { program, memory }: Setting): () => number {
  const { count } = block;
  if (typeof count === 'number') return () => count;
  const tensor = Object.hasOwn(program.tensors, count.input) ? program.tensors[count.input] : undefined;
  if (!tensor) fail('program/invalid', block.axis, `the repeat's count is the tensor "${count.input}", which does not exist`);
  const value = compileElementLoad(tensor, tensor.shape.map(() => constant(0)), memory, rowMajorScope(tensor.shape));
  return () => Math.min(Math.max(value(), 0), count.max);
}

// ---- The interface ----

/** A scope whose axes 0, 1, ... are the dimensions of a tensor. */
function rowMajorScope(shape: readonly number[]): IndexScope {
  return {
    axes: new Int32Array(Math.max(1, shape.length)),
    slot: (axis) => Number(axis),
    value: () => fail('program/invalid', undefined, 'a layout cannot depend on data'),
  };
}

/** Calls `visit` for every element in row-major order, with the scope's axes set. */
function forEachElement(shape: readonly number[], axes: Int32Array, visit: (flat: number) => void): void {
  const count = elementCount(shape);
  axes.fill(0);
  for (let flat = 0; flat < count; flat++) {
    visit(flat);
    for (let d = shape.length - 1; d >= 0 && ++axes[d] === shape[d]; d--) axes[d] = 0;
  }
}

function coordinates(shape: readonly number[]): Index[] {
  return shape.map((_, d) => ({ offset: 0, terms: [{ coeff: 1, of: String(d) }] }));
}

function compileWriter(tensor: Tensor, memory: Memory): (values: ArrayLike<number>) => void {
  const scope = rowMajorScope(tensor.shape);
  const store = compileElementStore(tensor, coordinates(tensor.shape), memory, scope);
  const { min, max, integer } = describe(tensor.dtype);
  const [lo, hi] = tensor.range ?? [min, max];
  return (values) => {
    const count = elementCount(tensor.shape);
    if (values.length !== count) {
      fail('run/shape', tensor.name, `${formatShape(tensor.shape)} takes ${count} elements, and ${values.length} were given`, 'Give the elements in row-major order.');
    }
    forEachElement(tensor.shape, scope.axes, (i) => {
      const v = values[i];
      if (integer && !(Number.isInteger(v) && v >= lo && v <= hi)) {
        fail('run/data-type', tensor.name, `element ${i} is ${v}, and ${tensor.dtype} takes integers from ${lo} to ${hi}`, 'Quantize the input first.');
      }
      store(v);
    });
  };
}

function compileReader(tensor: Tensor, memory: Memory): () => NumericArray | undefined {
  const scope = rowMajorScope(tensor.shape);
  const at = coordinates(tensor.shape);
  const load = compileElementLoad(tensor, at, memory, scope);
  const written = compileElementWritten(tensor, at, memory, scope);
  return () => {
    const result = constantData(tensor.dtype, elementCount(tensor.shape));
    let all = true;
    forEachElement(tensor.shape, scope.axes, (i) => {
      all &&= written();
      result[i] = load();
    });
    return all ? result : undefined;
  };
}
