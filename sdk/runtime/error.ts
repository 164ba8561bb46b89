/**
 * The one error of the runtime. It reads as the compiler's diagnostics do, and shares nothing with them, so that the
 * runtime stays alone.
 */

export type ModelErrorCode =
  | 'module/not-a-module' | 'module/version' | 'module/features'
  | 'run/missing-input' | 'run/unknown-input' | 'run/shape' | 'run/data-type' | 'run/status' | 'run/disposed'
  | 'pool/threads' | 'pool/worker' | 'pool/worker-lost' | 'pool/closed';

/** Raised for a module that cannot be loaded and for inputs that do not fit the model. */
export class ModelError extends Error {
  readonly code: ModelErrorCode;
  /** The parts of the message: what was expected and found, the tensor or module, and the one thing to do. */
  readonly diagnostic: { readonly code: ModelErrorCode; readonly message: string; readonly at: string; readonly notes: readonly string[] };
  constructor(code: ModelErrorCode, at: string, message: string, ...notes: string[]) {
    super(`error [${code}] ${at}: ${message}${notes.map((note) => `\n  ${note}`).join('')}`);
    this.name = 'ModelError';
    this.code = code;
    this.diagnostic = { code, message, at, notes };
  }
}

/** `Did you mean "x"?` for a near miss, else the valid names. */
export function suggest(given: string, valid: readonly string[]): string {
  let best = '';
  let least = Math.min(3, Math.ceil(given.length / 3) + 1);
  for (const name of valid) {
    const d = editDistance(given.toLowerCase(), name.toLowerCase());
    if (d < least) [best, least] = [name, d];
  }
  return best ? `Did you mean "${best}"?` : `Valid: ${valid.slice(0, 12).join(', ')}${valid.length > 12 ? `, and ${valid.length - 12} more` : ''}.`;
}

function editDistance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) next[j] = Math.min(row[j] + 1, next[j - 1] + 1, row[j - 1] + +(a[i - 1] !== b[j - 1]));
    row = next;
  }
  return row[b.length];
}
