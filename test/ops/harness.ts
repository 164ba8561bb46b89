/**
 * The harness of the operators: every sample of a record as a graph of one node, through every form that it takes.
 *
 *   reference (float64)  ~  interpreter of the lowered Program     within the sample's tolerance; integers equal
 *   lowered              =  scheduled for each target, interpreted  bit for bit
 *   interpreter          =  the compiled module                     bit for bit (many samples share one assembler call)
 */
import { describe, isInteger } from '../../codegen/ir/datatype.js';
import { elementCount, makeConstant, type Constant, type Graph, type Value } from '../../codegen/ir/graph.js';
import { createInterpreter, type NumericArray } from '../../codegen/ir/interpret.js';
import type { ProgramUnit, Tensor } from '../../codegen/ir/program.js';
import { verify } from '../../codegen/ir/verify.js';
import { compileMany, type Toolchain } from '../../codegen/compile.js';
import type { OperatorRecord, Sample, SampleInput } from '../../codegen/ops/record.js';
import { verifyGraph } from '../../codegen/ir/verifyGraph.js';
import { evaluate } from '../../codegen/passes/evaluate.js';
import { expand } from '../../codegen/passes/expand.js';
import { infer } from '../../codegen/passes/infer.js';
import { lower } from '../../codegen/schedule/lower.js';
import { schedule } from '../../codegen/schedule/schedule.js';
import type { Target } from '../../codegen/targets/target.js';
import type { ModuleHost, Write } from '../support/hosts.js';
import { Random } from '../support/random.js';

export type Inputs = Readonly<Record<string, ArrayLike<number>>>;

/** A graph with inputs for it, and, once lowered, the Program and its results by the interpreter. */
export interface Case {
  readonly name: string;
  readonly graph: Graph;
  readonly inputs: Inputs;
}

export interface Lowered extends Case {
  /** Of which every node has kernels. */
  readonly expanded: Graph;
  readonly unit: ProgramUnit;
  /** By output of the Program. */
  readonly results: ReadonlyMap<string, NumericArray>;
}

/** A difference, said in words; tests collect them. */
export class Difference extends Error {}

// ---- Samples -------------------------------------------------------------------------------------------------------

function values(input: SampleInput, random: Random): number[] {
  const count = elementCount(input.shape);
  const dtype = input.dtype ?? 'float32';
  if (input.values) {
    if (input.values.length !== count) throw new Difference(`a sample gives ${input.values.length} values for ${count} elements`);
    return dtype === 'float32' ? input.values.map(Math.fround) : [...input.values];
  }
  if (dtype === 'bipolar') return Array.from({ length: count }, () => (random.chance(0.5) ? 1 : -1));
  const { min, max } = describe(dtype);
  const [lo, hi] = input.range ?? (isInteger(dtype) ? [min, max] : [-2, 2]);
  return Array.from({ length: count }, () => (isInteger(dtype) ? random.integer(lo, hi) : random.float(lo, hi)));
}

/** The graph of a sample: node `node`, inputs `x0`, `x1`, ... (constants where the sample says so), outputs `y0`, ... */
export function sampleCase(record: OperatorRecord, sample: Sample): Case {
  const random = new Random(sample.seed);
  const graphValues: Record<string, Value> = {};
  const constants: Record<string, Constant> = {};
  const inputs: Record<string, number[]> = {};
  const names = sample.inputs.map((input, i) => {
    if (input.absent) return '';
    const name = `x${i}`;
    const dtype = input.dtype ?? 'float32';
    const data = values(input, random);
    const range = isInteger(dtype) && input.range ? { range: input.range } : {};
    graphValues[name] = { name, shape: input.shape, dtype, ...(input.constant ? {} : range) };
    if (input.constant) constants[name] = makeConstant(dtype, input.shape, data);
    else inputs[name] = data;
    return name;
  });
  while (names[names.length - 1] === '') names.pop();
  const outputs = Array.from({ length: sample.outputs ?? 1 }, (_, i) => `y${i}`);
  for (const name of outputs) graphValues[name] = { name };
  if (record.carries || record.name === 'LoopIndex') return loopCase(record, sample, { values: graphValues, inputs: inputs.x0, outputs });
  const graph: Graph = {
    name: 'sample',
    inputs: Object.keys(inputs),
    outputs,
    values: graphValues,
    constants,
    nodes: [{ name: 'node', op: record.name, inputs: names, outputs, attributes: sample.attributes ?? {} }],
  };
  return { name: `${record.name}: ${sample.name}`, graph, inputs };
}

/** The same where the record belongs to a loop: its input in iteration s is s times the sample's. What LoopIndex gives shows by the factor. */
function loopCase(record: OperatorRecord, sample: Sample, { values, inputs, outputs }: { values: Record<string, Value>; inputs: number[]; outputs: string[] }): Case {
  const most = 16;
  for (const name of ['count', 'index', 'factor', 'x']) values[name] = name === 'count' ? { name, shape: [], dtype: 'int32' } : { name };
  values.one = { name: 'one', shape: [], dtype: 'float32' };
  const node = (op: string, names: readonly string[], results: readonly string[], attributes: Sample['attributes'] = {}) => ({ name: op === record.name ? 'node' : op, op, inputs: names, outputs: results, attributes });
  const nodes = [
    node('LoopIndex', [], ['index'], { max: most }),
    node('Dequantize', ['index', 'one'], ['factor']),
    node('Mul', ['x0', 'factor'], ['x']),
    record.carries ? node(record.name, ['x', 'index'], outputs, sample.attributes) : node('SampleCollect', ['x', 'index'], outputs, { max: most }),
  ];
  const graph: Graph = { name: 'sample', inputs: ['x0', 'count'], outputs, values, constants: { one: makeConstant('float32', [], [1]) }, loop: { index: 'index', count: 'count', max: most }, nodes };
  verifyGraph(graph);
  return { name: `${record.name}: ${sample.name}`, graph, inputs: { x0: inputs, count: [1 + (sample.seed % 7)] } };
}

// ---- Reference against interpreter ---------------------------------------------------------------------------------

/** Infers, expands, lowers, verifies and interprets a case. */
export function lowerCase(c: Case): Lowered {
  const expanded = expand(infer(c.graph));
  const unit = lower(expanded);
  verify(unit);
  return { ...c, expanded, unit, results: createInterpreter(unit, { tensors: unit.program.outputs }).run(c.inputs) };
}

/** Raises a Difference where the interpreter strays from the records' references; integers must be equal. */
export function compareWithReference(lowered: Lowered, tolerance: number): void {
  const inferred = infer(lowered.graph);
  const arrays = Object.fromEntries(
    lowered.graph.inputs.map((name) => [name, { shape: inferred.values[name].shape as readonly number[], data: Float64Array.from(lowered.inputs[name]) }]),
  );
  const reference = evaluate(lowered.graph, arrays);
  lowered.graph.outputs.forEach((name, i) => {
    const expected = reference[name].data;
    const found = lowered.results.get(lowered.unit.program.outputs[i]);
    if (!found) throw new Difference(`${lowered.name}: output ${name} was not wholly written`);
    const shape = inferred.values[name].shape!.join();
    if (shape !== reference[name].shape.join()) throw new Difference(`${lowered.name}: infer says [${shape}], and the reference gives [${reference[name].shape.join()}]`);
    const scale = expected.reduce((most, v) => (Number.isFinite(v) ? Math.max(most, Math.abs(v)) : most), 0);
    const exact = inferred.values[name].dtype !== 'float32';
    for (let at = 0; at < expected.length; at++) {
      const [e, f] = [expected[at], found[at]];
      if (Object.is(e, f) || e === f || (exact ? false : Math.abs(e - f) <= tolerance * scale)) continue;
      throw new Difference(`${lowered.name}: ${name}[${at}] is ${f}, and the reference is ${e} (tolerance ${exact ? 0 : tolerance} of ${scale})`);
    }
  });
}

// ---- Bits ----------------------------------------------------------------------------------------------------------

/** Bits of elements, all NaN alike. */
export function bits(values: NumericArray): Uint32Array {
  if (!(values instanceof Float32Array)) return new Uint32Array(values.buffer, values.byteOffset, values.length).slice();
  const canonical = values.slice();
  const result = new Uint32Array(canonical.buffer);
  canonical.forEach((v, i) => { if (Number.isNaN(v)) result[i] = 0x7fc00000; });
  return result;
}

/** Raises a Difference at the first element whose bits differ. */
export function compareBits(name: string, what: string, expected: NumericArray, found: NumericArray | undefined): void {
  if (!found) throw new Difference(`${name}: ${what} was not wholly written`);
  const [a, b] = [bits(expected), bits(found)];
  if (a.length !== b.length) throw new Difference(`${name}: ${what} has ${b.length} elements, and ${a.length} are expected`);
  const at = a.findIndex((x, i) => x !== b[i]);
  if (at >= 0) throw new Difference(`${name}: ${what}[${at}] is ${found[at]} (${b[at].toString(16)}), and ${expected[at]} (${a[at].toString(16)}) is expected`);
}

/** Schedules a lowered case for a target, verifies it, and raises a Difference where its interpretation has other bits. */
export function compareScheduled(lowered: Lowered, target: Target): void {
  const unit = schedule(lowered.unit, target);
  verify(unit);
  for (const scheduled of [false, true]) {
    const found = createInterpreter(unit, { scheduled, tensors: unit.program.outputs }).run(lowered.inputs);
    lowered.unit.program.outputs.forEach((name, i) => {
      const form = `output ${name} on ${target.name}, ${scheduled ? 'scheduled' : 'declarative'} form,`;
      compareBits(lowered.name, form, lowered.results.get(name)!, found.get(unit.program.outputs[i]));
    });
  }
}

// ---- The compiled module -------------------------------------------------------------------------------------------

/** A view of an interface tensor, which is dense and row-major, in the memory of a module. */
function interfaceView(memory: ArrayBuffer, unit: ProgramUnit, t: Tensor): NumericArray | Int8Array | Uint8Array | Int16Array | Uint16Array {
  const offset = unit.program.buffers[t.buffer].offset! + t.layout.offset / 8;
  const count = elementCount(t.shape);
  if (t.dtype === 'float32') return new Float32Array(memory, offset, count);
  const { signed } = describe(t.dtype);
  const { elementBits } = t.layout;
  if (elementBits === 8) return signed ? new Int8Array(memory, offset, count) : new Uint8Array(memory, offset, count);
  if (elementBits === 16) return signed ? new Int16Array(memory, offset, count) : new Uint16Array(memory, offset, count);
  return signed ? new Int32Array(memory, offset, count) : new Uint32Array(memory, offset, count);
}

/** How many cases share one assembler call. */
const casesPerCall = 60;

/** Compiles the cases in few assembler calls, runs them on a host, and gives a message for every one that fails or whose bits differ. */
export async function runOnEmitters(cases: readonly Lowered[], target: Target, toolchain: Toolchain, host: ModuleHost): Promise<string[]> {
  const failures: string[] = [];
  for (let from = 0; from < cases.length; from += casesPerCall) {
    failures.push(...(await runGroup(cases.slice(from, from + casesPerCall), target, toolchain, host)));
  }
  return failures;
}

/** Cases of one assembler call; where that fails, halves find the case at fault. */
async function runGroup(group: readonly Lowered[], target: Target, toolchain: Toolchain, host: ModuleHost): Promise<string[]> {
  let compiled: Awaited<ReturnType<typeof compileMany>>;
  try {
    compiled = await compileMany(group.map((c) => c.expanded), target, toolchain);
  } catch (error) {
    if (group.length === 1) return [failureOf(group[0], error)];
    const half = group.length >> 1;
    return [...(await runGroup(group.slice(0, half), target, toolchain, host)), ...(await runGroup(group.slice(half), target, toolchain, host))];
  }
  const writes = group.flatMap((c, i) => inputBytes(c, compiled.units[i]));
  const { statuses, memory } = host.run(compiled.wasm, writes, compiled.entries);
  return group.flatMap((c, i) => {
    try {
      if (statuses[i] !== 0) throw new Difference(`${c.name}: the module on ${target.name} gave status ${statuses[i]}`);
      compareOutputs(c, compiled.units[i], memory, `the module on ${target.name} in ${host.name}`);
      return [];
    } catch (error) {
      return [failureOf(c, error)];
    }
  });
}

function failureOf(c: Lowered, error: unknown): string {
  if (!(error instanceof Error)) throw error;
  return error instanceof Difference ? error.message : `${c.name}: ${error.message}`;
}

/** A case's inputs, where a scheduled Program has them in its memory. */
function inputBytes(c: Case, unit: ProgramUnit): Write[] {
  const memory = new ArrayBuffer(unit.program.arenaBytes!);
  writeInputs(c, unit, memory);
  return unit.program.inputs.map((name) => {
    const { offset, bytes } = unit.program.buffers[unit.program.tensors[name].buffer];
    return { offset: offset!, bytes: new Uint8Array(memory, offset!, bytes) };
  });
}

/** Puts a case's inputs where a scheduled Program has them in its memory. */
export function writeInputs(c: Case, unit: ProgramUnit, memory: ArrayBuffer): void {
  for (const name of unit.program.inputs) interfaceView(memory, unit, unit.program.tensors[name]).set(Array.from(c.inputs[name]));
}

/** Raises a Difference where the outputs that an engine left in a Program's memory are not the interpreter's, bit for bit. */
export function compareOutputs(c: Lowered, unit: ProgramUnit, memory: ArrayBuffer, engine: string): void {
  unit.program.outputs.forEach((name, i) => {
    const expected = c.results.get(c.unit.program.outputs[i])!;
    const view = interfaceView(memory, unit, unit.program.tensors[name]);
    const found = expected instanceof Float32Array ? Float32Array.from(view) : expected instanceof Uint32Array ? Uint32Array.from(view) : Int32Array.from(view);
    compareBits(c.name, `output ${name} of ${engine}`, expected, found);
  });
}
