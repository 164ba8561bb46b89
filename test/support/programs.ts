/** Small hand-written Programs for tests of the interpreter, the printer and the verifier. */
import { axis, load, rowMajor } from '../../codegen/ir/build.js';
import { describe } from '../../codegen/ir/datatype.js';
import { sha256 } from '../../codegen/ir/hash.js';
import type { Block, Buffer, ElementType, Expr, Kernel, Layout, Program, ProgramUnit, Role, Tensor } from '../../codegen/ir/program.js';

export interface TensorSpec {
  readonly dtype?: ElementType;
  readonly shape: readonly number[];
  readonly role?: Role;
  readonly layout?: Layout;
  readonly range?: readonly [number, number];
  /** A buffer of another tensor, for views. */
  readonly buffer?: string;
  /** Bytes of the buffer, where the shape does not say. */
  readonly bytes?: number;
  readonly offset?: number;
  /** For constants: their bytes. */
  readonly data?: ArrayBufferView;
}

/** A Program of these tensors and blocks; inputs and outputs by role, in the order given. */
export function makeUnit(tensors: Readonly<Record<string, TensorSpec>>, blocks: readonly Block[], arenaBytes?: number): ProgramUnit {
  const program = { tensors: {} as Record<string, Tensor>, buffers: {} as Record<string, Buffer> };
  const data = new Map<string, Uint8Array>();
  const names = (role: Role): string[] => Object.keys(tensors).filter((n) => tensors[n].role === role && tensors[n].buffer === undefined);
  for (const [name, t] of Object.entries(tensors)) {
    const dtype = t.dtype ?? 'float32';
    const bits = dtype === 'float32' ? 32 : describe(dtype).bits;
    const layout = t.layout ?? rowMajor(t.shape, bits <= 8 ? 8 : bits <= 16 ? 16 : 32);
    const buffer = t.buffer ?? name;
    program.tensors[name] = { name, dtype, shape: t.shape, buffer, layout, ...(t.range && { range: t.range }) };
    if (t.buffer !== undefined) continue;
    const bytes = t.data ? new Uint8Array(t.data.buffer, t.data.byteOffset, t.data.byteLength) : undefined;
    const size = t.bytes ?? bytes?.length ?? Math.ceil((t.shape.reduce((a, b) => a * b, 1) * layout.elementBits) / 8);
    const hash = bytes && sha256(bytes).slice(0, 32);
    if (bytes && hash) data.set(hash, bytes);
    program.buffers[name] = { name, role: t.role ?? 'temporary', bytes: size, ...(hash && { hash }), ...(t.offset !== undefined && { offset: t.offset }) };
  }
  const whole: Program = { name: 'test', ...program, inputs: names('input'), outputs: names('output'), blocks, ...(arenaBytes !== undefined && { arenaBytes }) };
  return { program: whole, data };
}

/** A kernel with the defaults that most have. */
export function makeKernel(fields: Pick<Kernel, 'stores'> & Partial<Kernel>): Kernel {
  return { kind: 'kernel', name: 'k', op: 'elementwise', space: [], reduce: [], partials: 1, accumulators: [], body: [], epilogue: [], ...fields };
}

/** to[i] = value(from[i]) over one axis. */
export function mapKernel(from: string, to: string, extent: number, value: (x: Expr) => Expr, name = 'k'): Kernel {
  return makeKernel({ name, space: [{ name: 'i', extent }], stores: [{ tensor: to, at: [axis('i')], value: value(load(from, ['i'])) }] });
}
