/**
 * Where functions bind the values that they use more than once: expressions are trees, so sharing needs a name.
 * Not an evaluator: it collects lets, in order.
 */
import { ref } from '../ir/build.js';
import type { DataType } from '../ir/datatype.js';
import type { Expr, Let } from '../ir/program.js';

export class Scope {
  /** What was bound, in order. */
  readonly lets: Let[] = [];
  private readonly taken: Set<string>;

  /** `taken`: names that may not be used again (axes, accumulators). */
  constructor(taken: Iterable<string> = []) {
    this.taken = new Set(taken);
  }

  /** Binds a value under a name made of `hint` and returns a reference to it. */
  bind(hint: string, type: DataType, value: Expr): Expr {
    if (value.op === 'ref') return value;
    let name = hint;
    for (let i = 1; this.taken.has(name); i++) name = `${hint}${i}`;
    this.taken.add(name);
    this.lets.push({ name, type, value });
    return ref(name);
  }

  /** Binds a float32 value. */
  float(hint: string, value: Expr): Expr {
    return this.bind(hint, 'float32', value);
  }
}
