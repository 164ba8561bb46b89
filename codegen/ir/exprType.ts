/**
 * The element type of an expression, read off its nodes. Nothing is inferred beyond that: every node that could be
 * ambiguous carries its type, and `verify` checks that operands and types agree.
 */
import type { ElementType, Expr } from './program.js';

/** What the names in an expression stand for. Each function raises program/invalid for a name that is not there. */
export interface TypeScope {
  tensor(name: string): ElementType;
  /** lets and accumulators */
  ref(name: string): ElementType;
  /** register buffers */
  local(name: string): ElementType;
}

export function exprType(e: Expr, scope: TypeScope): ElementType {
  switch (e.op) {
    case 'float':
      return 'float32';
    case 'load':
      return scope.tensor(e.tensor);
    case 'ref':
      return scope.ref(e.name);
    case 'local':
      return scope.local(e.name);
    case 'lt':
    case 'le':
    case 'eq':
    case 'ne':
    case 'ge':
    case 'gt':
      return 'uint1';
    default:
      return e.type;
  }
}
