/** The manifest of a compiled model: interface, memory, hashes. The format is the runtime's (sdk/runtime/manifest.ts). */
import type { Graph, Value } from '../ir/graph.js';
import { describe } from '../ir/datatype.js';
import type { Block, Program, ProgramUnit, Tensor } from '../ir/program.js';
import { walkStmts } from '../ir/walk.js';
import type { Target } from '../targets/target.js';
import { manifestVersion, type Manifest, type ManifestInner, type ManifestTensor, type StorageType } from '../../sdk/runtime/manifest.js';

export interface ManifestOptions {
  readonly target: Target;
  readonly debug?: boolean;
  readonly sourceHash?: string;
  readonly preprocessing?: string;
  readonly programHash: string;
  /** Interface tensors of which the first dimension is the batch. */
  readonly batched: ReadonlySet<string>;
}

/** The version of the compiler, as modules state it. */
const compilerVersion = 'sigmaflow 0.1.0';

export function makeManifest(graph: Graph, unit: ProgramUnit, options: ManifestOptions): Manifest {
  const { program } = unit;
  const bytesOf = (role: string): number => Object.values(program.buffers).filter((b) => b.role === role).reduce((sum, b) => sum + b.bytes, 0);
  const offset = (t: Tensor): number => program.buffers[t.buffer].offset! + t.layout.offset / 8;
  const batch = graph.batch ?? 1;
  const fastMath = options.target.fastMath ?? false;
  const describeTensor = (name: string, tensor: Tensor): ManifestTensor => ({
    name,
    shape: tensor.shape,
    dtype: graph.values[name]?.dtype ?? tensor.dtype,
    storage: storageType(tensor),
    offset: offset(tensor),
    batched: options.batched.has(name),
    ...controlOf(graph.values[name]),
  });
  return {
    version: manifestVersion,
    name: graph.name,
    batch,
    target: options.target.name as Manifest['target'],
    features: ['sign-extension', 'nontrapping-f2i', ...(options.target.lanes > 1 ? ['simd128'] : []), ...(fastMath || usesRelaxed(program, options.target) ? ['relaxed-simd'] : [])],
    inputs: graph.inputs.map((name) => describeTensor(name, program.tensors[name])),
    outputs: graph.outputs.map((name, i) => describeTensor(name, program.tensors[program.outputs[i]])),
    ...(fastMath ? { fastMath } : {}),
    ...(options.preprocessing === undefined ? {} : { preprocessing: options.preprocessing }),
    arenaBytes: program.arenaBytes!,
    constantBytes: bytesOf('constant'),
    temporaryBytes: spanOf(program, 'temporary'),
    sourceHash: options.sourceHash,
    programHash: options.programHash,
    statuses: { 0: 'success' },
    entries: ['run'],
    ...(options.debug ? { inner: innerTensors(unit) } : {}),
    compiler: compilerVersion,
  };
}

function controlOf(value: Value | undefined): Pick<ManifestTensor, 'control'> {
  if (!value?.control) return {};
  const { min, max } = describe(value.dtype!);
  return { control: { ...value.control, range: value.range ?? [min, max] } };
}

/** Whether any kernel uses an instruction that only relaxed SIMD has: a dot product of bytes, a lookup. */
function usesRelaxed(program: Program, target: Target): boolean {
  if (!target.features.includes('relaxed-simd')) return false;
  let found = false;
  const visit = (b: Block): void => {
    if (b.kind === 'repeat') b.body.forEach(visit);
    else walkStmts(b.scheduled?.body ?? [], { expr: (e) => { if (e.op === 'dot' && (e.bytes || e.table !== undefined)) found = true; } });
  };
  program.blocks.forEach(visit);
  return found;
}

/** From the first byte to the last: temporaries share bytes. */
function spanOf(program: Program, role: string): number {
  const own = Object.values(program.buffers).filter((b) => b.role === role);
  return own.length === 0 ? 0 : Math.max(...own.map((b) => b.offset! + b.bytes)) - Math.min(...own.map((b) => b.offset!));
}

function storageType(t: Tensor): StorageType {
  if (t.dtype === 'float32') return 'float32';
  return `${describe(t.dtype).signed ? 'int' : 'uint'}${t.layout.elementBits}` as StorageType;
}

/** Every tensor of whole elements that keeps its value to the end of a run. */
function innerTensors(unit: ProgramUnit): ManifestInner[] {
  const { program } = unit;
  return Object.values(program.tensors)
    .filter((t) => program.buffers[t.buffer].role !== 'constant' && t.layout.elementBits === t.layout.containerBits)
    .map((t) => ({
      name: t.name, shape: t.shape, dtype: t.dtype, storage: storageType(t),
      offset: program.buffers[t.buffer].offset! + t.layout.offset / 8,
      dims: t.layout.dims.map((digits) => digits.map((d) => ({ stride: d.stride / 8, divisor: d.divisor, modulus: d.modulus }))),
    }));
}
