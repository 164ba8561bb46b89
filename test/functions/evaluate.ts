/** A function of codegen/functions as the interpreter computes it, for tests. */
import { axis, load, rowMajor } from '../../codegen/ir/build.js';
import { interpret } from '../../codegen/ir/interpret.js';
import type { Expr, ProgramUnit } from '../../codegen/ir/program.js';
import { Scope } from '../../codegen/functions/scope.js';
import { makeKernel } from '../../codegen/ops/operands.js';

/** f of many float32 numbers, by the interpreter. */
export function evaluateFunction(f: (scope: Scope, x: Expr) => Expr, xs: Float32Array): Float32Array {
  const scope = new Scope(['i']);
  const value = f(scope, scope.float('x', load('x', ['i'])));
  const tensor = (name: string) => ({ name, dtype: 'float32' as const, shape: [xs.length], buffer: name, layout: rowMajor([xs.length], 32) });
  const unit: ProgramUnit = {
    program: {
      name: 'f',
      buffers: { x: { name: 'x', role: 'input', bytes: 4 * xs.length }, y: { name: 'y', role: 'output', bytes: 4 * xs.length } },
      tensors: { x: tensor('x'), y: tensor('y') },
      inputs: ['x'],
      outputs: ['y'],
      blocks: [makeKernel({ name: 'f', op: 'elementwise', space: [{ name: 'i', extent: xs.length }], epilogue: scope.lets, stores: [{ tensor: 'y', at: [axis('i')], value }] })],
    },
    data: new Map(),
  };
  return interpret(unit, { x: xs }).get('y') as Float32Array;
}
