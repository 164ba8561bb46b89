/**
 * Diagnostics: the one way in which bad input is reported.
 *
 * A diagnostic says what was expected and found (`message`), where (`at`: the tensor's, node's or file's name), why and
 * the one thing to do (`notes`). Codes live in one table, so that each can be tested on its whole text.
 */

/** One table of codes. The text is the kind of failure, for `doctor` and the documentation. */
export const diagnosticCodes = {
  'file/unreadable': 'a file that cannot be read',
  'file/unwritable': 'a file that cannot be written',
  'file/not-safetensors': 'a file that is not safetensors',
  'file/not-npy': 'a file that is not .npy or .npz',
  'onnx/not-a-model': 'bytes that are not an ONNX model',
  'onnx/truncated': 'a tensor whose bytes do not fit its shape',
  'onnx/external-data': 'external data that cannot or must not be read',
  'onnx/opset': 'an opset outside the supported range',
  'onnx/data-type': 'a tensor element type that is not supported',
  'graph/unknown-operator': 'an operator that has no record',
  'graph/unknown-attribute': 'an attribute that the operator does not have',
  'graph/attribute-type': 'an attribute of the wrong type or value',
  'graph/missing-attribute': 'a required attribute that is absent',
  'graph/missing-tensor': 'a tensor that nothing defines',
  'graph/doubly-defined': 'a tensor that two nodes define',
  'graph/cycle': 'nodes that depend on one another in a circle',
  'graph/arity': 'a node with too few or too many inputs or outputs',
  'graph/dynamic-shape': 'a dimension that is neither fixed nor the batch',
  'graph/shape': 'shapes that do not fit one another',
  'graph/data-type': 'a data type that the operator does not take',
  'graph/not-constant': 'an input that must be known at compile time',
  'graph/unsupported': 'a form of an operator that is not supported',
  'graph/loop': 'nodes that cannot be cut at the graph\'s loop',
  'graph/posterior': 'a posterior that does not fit its weight',
  'graph/no-moments': 'an operator whose moments are not known',
  'graph/too-large': 'a tensor or a model beyond the limits',
  'program/invalid': 'a Program that breaks an invariant (a fault of the compiler, or of a hand-written Program)',
  'schedule/illegal': 'a schedule step that is not legal here',
  'target/unsupported': 'something that the target cannot do',
  'target/board': 'a board that is not known, or a board file with a wrong field',
  'hls/clock': 'a clock that a board does not have',
  'hls/folding': 'a folding that does not fit the model',
  'hls/simulation': 'a C simulation that cannot run',
  'fabric/does-not-fit': 'a circuit that is larger than the part',
  'fabric/goal': 'a latency or interval that no folding meets',
  'tuning/record': 'a tuning file that is damaged or was made for something else',
  'compile/assembler': 'text that the assembler refused (a fault of the compiler)',
  'module/not-a-module': 'bytes that are not a sigmaflow module',
  'module/version': 'a module of a newer format',
  'module/features': 'a module that this WebAssembly engine refuses',
  'quantize/model': 'a model that cannot be quantized',
  'quantize/calibration': 'calibration data that cannot be used',
  'quantize/options': 'options of a quantization that cannot be met',
  'run/missing-input': 'an input that was not given',
  'run/unknown-input': 'an input that the model does not have',
  'run/shape': 'an input of the wrong shape',
  'run/data-type': 'an input of the wrong element type',
  'run/status': 'a run that the module did not finish',
  'run/disposed': 'a session that was used after it was disposed',
  'pool/threads': 'a number of threads that no pool has',
  'pool/worker': 'a worker that did not start',
  'pool/worker-lost': 'a run that ended with its worker',
  'pool/closed': 'a pool that was used after it was closed',
  'cli/usage': 'a command line that cannot be understood',
  'internal/fault': 'a fault of sigmaflow itself',
} as const;

export type DiagnosticCode = keyof typeof diagnosticCodes;

export interface Diagnostic {
  readonly code: DiagnosticCode;
  /** What was expected and what was found, in one sentence. */
  readonly message: string;
  /** The tensor, node, option or file that it is about. */
  readonly at?: string;
  /** Why, and last the one thing to do. */
  readonly notes: readonly string[];
}

/** The only error that sigmaflow throws for bad input. */
export class DiagnosticError extends Error {
  readonly diagnostic: Diagnostic;
  constructor(diagnostic: Diagnostic) {
    super(formatDiagnostic(diagnostic));
    this.name = 'DiagnosticError';
    this.diagnostic = diagnostic;
  }
}

/** Raises a diagnostic. */
export function fail(code: DiagnosticCode, at: string | undefined, message: string, ...notes: string[]): never {
  throw new DiagnosticError({ code, message, at, notes });
}

/** The text that a user reads: `error [code] at: message`, one note a line below. */
export function formatDiagnostic(d: Diagnostic): string {
  return `error [${d.code}]${d.at === undefined ? '' : ` ${d.at}`}: ${d.message}${d.notes.map((n) => `\n  ${n}`).join('')}`;
}

/** `Did you mean "x"?` for a near miss (at most two edits, fewer for short names), else the list of valid names. */
export function suggest(given: string, valid: readonly string[], what = 'name'): string {
  let best: string | undefined;
  let bestDistance = Math.min(3, Math.ceil(given.length / 3) + 1);
  const wanted = given.toLowerCase();
  for (const name of valid) {
    const d = editDistance(wanted, name.toLowerCase(), bestDistance);
    if (d < bestDistance) [best, bestDistance] = [name, d];
  }
  if (best !== undefined) return `Did you mean "${best}"?`;
  if (valid.length === 0) return `There is no valid ${what}.`;
  const shown = valid.slice(0, 12).join(', ');
  return `Valid: ${shown}${valid.length > 12 ? `, and ${valid.length - 12} more` : ''}.`;
}

/** Edits between two texts, or `limit` where there are that many; only the diagonal band is looked at, since names may be hostile. */
function editDistance(a: string, b: string, limit: number): number {
  if (Math.abs(a.length - b.length) >= limit) return limit;
  let row = Array.from({ length: b.length + 1 }, (_, j) => Math.min(j, limit));
  let next = [...row];
  for (let i = 1; i <= a.length; i++) {
    const [first, last] = [Math.max(1, i - limit), Math.min(b.length, i + limit)];
    next[first - 1] = first === 1 ? Math.min(i, limit) : limit;
    for (let j = first; j <= last; j++) {
      next[j] = Math.min(limit, row[j] + 1, next[j - 1] + 1, row[j - 1] + (a[i - 1] === b[j - 1] ? 0 : 1));
    }
    if (last < b.length) next[last + 1] = limit;
    [row, next] = [next, row];
  }
  return row[b.length];
}
