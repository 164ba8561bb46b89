/** uvu's `throws` takes a text for its own message and compares nothing: this compares the whole text of a diagnostic. */
import * as assert from 'uvu/assert';

/** Asserts that `f` raises an error of exactly this text, or one that matches. */
export function refuses(f: () => unknown, text: string | RegExp): void {
  let message: string | undefined;
  try {
    f();
  } catch (error) {
    message = (error as Error).message;
  }
  if (typeof text === 'string') assert.is(message, text);
  else assert.match(message ?? 'no error', text);
}
