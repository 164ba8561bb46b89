/**
 * Runs graphs over a calibration set: compiled once for a batch that bounds memory, then batch after batch. What is looked
 * for in the results is quantize.ts's.
 */
import { DiagnosticError, fail, suggest } from '../codegen/ir/diagnostic.js';
import { elementCount, formatShape, type Graph, type Shape } from '../codegen/ir/graph.js';
import { batchOf, infer } from '../codegen/passes/infer.js';
import { compile } from './compile.js';
import { loadSync, type Session, type TensorData } from './runtime/index.js';

/** Elements of one input, row-major, for any number of inferences; a shape, where given, is checked. */
export type CalibrationTensor = ArrayLike<number> | { readonly data: ArrayLike<number>; readonly shape?: readonly number[] };
/** Inputs by name; where the model has one input, also that input alone. */
export type CalibrationInputs = CalibrationTensor | { readonly [name: string]: CalibrationTensor };

/** Inputs of a calibration set, checked. */
export interface CalibrationSet {
  /** Inferences. */
  readonly count: number;
  /** The model's own interface allows other batches than its own. */
  readonly rebatches: boolean;
  readonly inputs: readonly { readonly name: string; readonly data: Float32Array; /** Elements of one inference. */ readonly size: number; readonly batched: boolean }[];
}

const isTensor = (x: CalibrationInputs): x is CalibrationTensor => Array.isArray(x) || ArrayBuffer.isView(x) || 'data' in x;

/**
 * Checks calibration data against a graph's inputs.
 * @throws quantize/calibration where an input is missing, empty, of another shape, or not finite.
 */
export function checkCalibration(graph: Graph, given: CalibrationInputs): CalibrationSet {
  const inferred = infer(graph);
  const batched = new Set(batchOf(graph).inputs);
  const isAlone = isTensor(given) && !graph.inputs.includes('data');
  const table = (isAlone ? { [graph.inputs[0]]: given } : given) as Readonly<Record<string, CalibrationTensor>>;
  if (isAlone && graph.inputs.length !== 1) refuse(graph.inputs[1], `the model has ${graph.inputs.length} inputs, found one array`, `Give them by name: ${graph.inputs.join(', ')}.`);
  for (const name of Object.keys(table)) if (!graph.inputs.includes(name)) refuse(name, 'the model has no such input', suggest(name, graph.inputs, 'input'));
  let count: number | undefined;
  const inputs = graph.inputs.map((name) => {
    const shape = inferred.values[name].shape as Shape;
    const item = batched.has(name) ? shape.slice(1) : shape;
    const size = elementCount(item);
    const wanted = formatShape(batched.has(name) ? ['N', ...item] : item);
    if (inferred.values[name].dtype !== 'float32') refuse(name, `this input is ${inferred.values[name].dtype}; only float32 inputs can be calibrated`, 'Quantize a model with float32 inputs.');
    if (!Object.hasOwn(table, name)) refuse(name, `this input was not given (float32 of shape ${wanted})`, 'Give calibration data for every input.');
    const tensor = table[name];
    const values = 'data' in tensor ? tensor.data : tensor;
    const found = 'data' in tensor ? tensor.shape : undefined;
    const data = values instanceof Float32Array ? values : Float32Array.from(values);
    const n = data.length / size;
    const rest = found && (batched.has(name) ? found.slice(1) : found);
    if (data.length === 0 || !Number.isInteger(n) || (!batched.has(name) && n !== 1) || (found && (elementCount(found) !== data.length || String(rest) !== String(item)))) {
      refuse(name, `expected shape ${wanted}, found ${found ? formatShape(found) : `${data.length} elements`}`, 'Give at least one inference, and only whole ones.');
    }
    const bad = data.findIndex((x) => !Number.isFinite(x));
    if (bad >= 0) refuse(name, `element ${bad} of the calibration data is ${data[bad]}`, 'Calibrate with finite numbers.');
    if (batched.has(name)) {
      if (count !== undefined && n !== count) refuse(name, `expected ${count} inferences as in the inputs before, found ${n}`, 'Give every input for the same number of inferences.');
      count = n;
    }
    return { name, data, size, batched: batched.has(name) };
  });
  return { count: count ?? 1, rebatches: rebatches(graph), inputs };
}

function refuse(at: string, message: string, advice: string): never {
  return fail('quantize/calibration', at, message, advice);
}

/** Whether a model's own interface allows other batches than its own. */
export function rebatches(graph: Graph): boolean {
  try {
    infer(graph, { batch: 2 * (infer(graph).batch ?? 1) + 1 });
    return batchOf(graph).inputs.length > 0;
  } catch (error) {
    if (error instanceof DiagnosticError) return false;
    throw error;
  }
}

/** Bytes of activations that one call may have. */
const bytesOfCall = 2 ** 21;
const largestBatch = 256;

/** Inferences in one call: as many as memory allows, in calls of nearly equal size. */
export function batchFor(graph: Graph, set: Pick<CalibrationSet, 'count' | 'rebatches'>): number {
  const inferred = infer(graph);
  const own = inferred.batch ?? 1;
  if (!set.rebatches) return own;
  const bytes = Object.values(inferred.values).reduce((sum, v) => sum + (Object.hasOwn(inferred.constants, v.name) ? 0 : 4 * elementCount(v.shape as Shape)), 0) / own;
  const most = Math.max(1, Math.min(largestBatch, Math.floor(bytesOfCall / bytes), set.count));
  return Math.ceil(set.count / Math.ceil(set.count / most));
}

/** A graph that is compiled and ready to run. */
export interface Runner {
  readonly session: Session;
  readonly wasmBytes: number;
  /**
   * Runs the whole set. The last call is filled up with the first inferences again; `each` gets the results of one call, and
   * how many inferences of it are new.
   */
  run(each: (outputs: Readonly<Record<string, TensorData>>, fresh: number, batch: number) => void): void;
}

/** Compiles a graph for a batch. `constants` of its inputs are set through `session.inputs`. */
export async function prepareRunner(graph: Graph, set: CalibrationSet, batch: number): Promise<Runner> {
  const { wasm } = await compile(graph, set.rebatches ? { batch } : {});
  const session = loadSync(wasm as Uint8Array<ArrayBuffer>).session();
  return {
    session,
    wasmBytes: wasm.length,
    run(each) {
      for (let first = 0; first < set.count; first += batch) {
        for (const { name, data, size, batched } of set.inputs) {
          const view = session.inputs[name].data;
          if (!batched) view.set(data);
          else for (let i = 0; i < batch; i++) view.set(data.subarray(((first + i) % set.count) * size, ((first + i) % set.count) * size + size), i * size);
        }
        session.run();
        each(Object.fromEntries(Object.values(session.outputs).map((t) => [t.name, t.data])), Math.min(batch, set.count - first), batch);
      }
    },
  };
}
