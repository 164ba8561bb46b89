/**
 * The verifier: the nine invariants of a Program, checked after every stage in tests and before every emit.
 *
 *   1 plain data, constants by hash      verifyData        6 order is meaning     verifyKernel, verifyOrder
 *   2 integer constants                  verifyData        7 the memory plan      verifyPlan
 *   3 accesses in bounds                 verifyBounds      8 random values        none in the language yet: verifyData
 *   4 written before read, and once      verifyCoverage    9 moments              refuses unknown operations
 *   5 types, widths proved               verifyExpr, verifyReduction
 *
 * A Program that fails is a fault of the compiler, or was written by hand: program/invalid names the kernel or tensor.
 */
import { describe } from './datatype.js';
import { fail } from './diagnostic.js';
import { allocate, compileElementLoad, type IndexScope, type Memory } from './interpretMemory.js';
import type { Block, Index, Program, ProgramData, ProgramUnit, Tensor } from './program.js';
import type { Interval } from './verifyBounds.js';
import { verifyCoverage } from './verifyCoverage.js';
import { verifyDataflow } from './verifyDataflow.js';
import { storedRange, verifyPlain, verifyTensors, verifyWords } from './verifyData.js';
import { verifyKernel } from './verifyKernel.js';
import { verifyPlan } from './verifyPlan.js';

/** Raises program/invalid for the first invariant that does not hold. */
export function verify(unit: ProgramUnit): void {
  const { program, data } = unit;
  verifyPlain(program, program.name);
  verifyTensors(program, data);
  verifyWords(program);
  const constants = constantMemory(program, data);
  for (const t of Object.values(program.tensors)) {
    if (program.buffers[t.buffer].role === 'constant') verifyConstant(t, constants);
  }
  verifyBlocks(program.blocks, program, constants, new Map());
  verifyCoverage(program, false);
  if (hasSchedule(program.blocks)) verifyCoverage(program, true);
  verifyPlan(program);
  verifyDataflow(program);
}

function hasSchedule(blocks: readonly Block[]): boolean {
  return blocks.some((b) => (b.kind === 'kernel' ? b.scheduled !== undefined : hasSchedule(b.body)));
}

function verifyBlocks(blocks: readonly Block[], program: Program, constants: Memory, outer: ReadonlyMap<string, Interval>): void {
  for (const b of blocks) {
    if (b.kind === 'kernel') {
      verifyKernel(b, program, constants, outer);
      continue;
    }
    if (outer.has(b.axis)) fail('program/invalid', b.axis, 'a repeat of this axis is inside another');
    const count = typeof b.count === 'number' ? b.count : b.count.max;
    verifyBlocks(b.body, program, constants, new Map(outer).set(b.axis, [0, count - 1]));
  }
}

/** The bytes of the constants alone. */
function constantMemory(program: Program, data: ProgramData): Memory {
  const buffers = Object.fromEntries(Object.entries(program.buffers).filter(([, b]) => b.role === 'constant'));
  return allocate({ ...program, buffers }, data);
}

/** Every element of a constant lies in the range that is stated of it. */
function verifyConstant(t: Tensor, memory: Memory): void {
  if (t.dtype === 'float32' && !t.range) return;
  const [lo, hi] = storedRange(t);
  // what fills its storage cannot be outside
  if (t.range === undefined && describe(t.dtype).bits === t.layout.elementBits) return;
  const axes = new Int32Array(Math.max(1, t.shape.length));
  const scope: IndexScope = { axes, slot: Number, value: () => () => 0 };
  const at = t.shape.map((_, d): Index => ({ offset: 0, terms: [{ coeff: 1, of: String(d) }] }));
  const load = compileElementLoad({ ...t, range: undefined, layout: { ...t.layout, pad: undefined } }, at, memory, scope);
  for (;;) {
    const v = load();
    if (!(v >= lo && v <= hi)) fail('program/invalid', t.name, `its element [${[...axes.subarray(0, t.shape.length)].join(', ')}] is ${v}, outside ${lo} .. ${hi}`);
    if (t.step !== undefined && (v - lo) % t.step !== 0) fail('program/invalid', t.name, `its element [${[...axes.subarray(0, t.shape.length)].join(', ')}] is ${v}, and its values are ${lo} plus multiples of ${t.step}`);
    let d = t.shape.length - 1;
    while (d >= 0 && ++axes[d] === t.shape[d]) axes[d--] = 0;
    if (d < 0) return;
  }
}
