/**
 * Programs of whole networks with every tensor in sight: compiled without buffer reuse, and read back through the layouts.
 * Not how users run a model: that is sdk/runtime.
 */
import { compileMany } from '../../codegen/compile.js';
import { describe } from '../../codegen/ir/datatype.js';
import { constantData, elementCount, type Graph } from '../../codegen/ir/graph.js';
import type { NumericArray } from '../../codegen/ir/interpret.js';
import type { ProgramUnit, Tensor } from '../../codegen/ir/program.js';
import { targets } from '../../codegen/targets/target.js';
import { toolchain } from '../../sdk/host/assembler.js';
import { bits } from '../ops/harness.js';
import { hostFor, type Write } from '../support/hosts.js';
import type { Inputs } from './networks.js';

export interface CompiledProgram {
  /** Scheduled, each tensor with bytes of its own. */
  readonly unit: ProgramUnit;
  /** One call: every tensor but constants; undefined where no host for the target is here (said aloud). */
  run(inputs: Inputs): Map<string, NumericArray> | undefined;
}

/** Compiles a graph that has been through the passes, for a target. */
export async function makeProgram(graph: Graph, target: string): Promise<CompiledProgram> {
  const { wasm, units: [unit], entries } = await compileMany([graph], targets[target], toolchain(), { keepAll: true });
  const { program } = unit;
  const offset = (t: Tensor): number => program.buffers[t.buffer].offset!;
  const kept = Object.values(program.tensors).filter((t) => program.buffers[t.buffer].role !== 'constant');
  return {
    unit,
    run(inputs) {
      const host = hostFor(target);
      if (!host) return undefined;
      const writes: Write[] = program.inputs.map((input) => ({ offset: offset(program.tensors[input]), bytes: new Uint8Array(inputs[input].slice().buffer) }));
      const { statuses: [status], memory } = host.run(wasm, writes, entries);
      if (status !== 0) throw new Error(`${graph.name} on ${target}: status ${status}`);
      return new Map(kept.map((t) => [t.name, readTensor(t, new Uint8Array(memory, offset(t), program.buffers[t.buffer].bytes))]));
    },
  };
}

/** The logical elements, row-major, of a tensor of whole elements in the bytes of its buffer. */
function readTensor(tensor: Tensor, bytes: Uint8Array): NumericArray {
  const { name, shape, layout, dtype } = tensor;
  if (layout.elementBits !== layout.containerBits) throw new Error(`${name} has several elements in one unit`);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const type = dtype === 'float32' ? 'Float32' : (`${describe(dtype).signed ? 'Int' : 'Uint'}${layout.elementBits as 8 | 16 | 32}` as const);
  const at = shape.map(() => 0);
  return constantData(dtype, elementCount(shape)).map(() => {
    let bits = layout.offset;
    layout.dims.forEach((digits, d) => {
      for (const { stride, divisor, modulus } of digits) bits += stride * (modulus === 0 ? Math.floor(at[d] / divisor) : Math.floor(at[d] / divisor) % modulus);
    });
    for (let d = shape.length - 1; d >= 0 && ++at[d] === shape[d]; d--) at[d] = 0;
    return view[`get${type}`](bits / 8, true);
  });
}

type Values = ReadonlyMap<string, NumericArray>;

/**
 * The first tensor and element with other bits (every NaN being one NaN), among the tensors that both have; undefined where
 * there is none. What is required must be there.
 */
export function firstDifference(expected: Values, found: Values, required: Iterable<string> = expected.keys()): string | undefined {
  for (const name of required) if (!expected.has(name) || !found.has(name)) return `there is no ${name}`;
  for (const [name, values] of expected) {
    const other = found.get(name);
    if (!other) continue;
    if (other.length !== values.length) return `${name} has ${other.length} elements, should have ${values.length}`;
    const [a, b] = [bits(values), bits(other)];
    const i = a.findIndex((word, k) => word !== b[k]);
    if (i >= 0) return `${name}[${i}] is ${other[i]} (${b[i].toString(16)}), should be ${values[i]} (${a[i].toString(16)}); ${a.filter((word, k) => word !== b[k]).length} of ${a.length} differ`;
  }
  return undefined;
}
