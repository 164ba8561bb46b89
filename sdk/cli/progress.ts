/** How long commands tell how far they are: on standard error, so that what they print can be read by a program. */

/** One line that is written over on a terminal, a line each elsewhere. `end` before anything else is printed. */
export function progressLine(): { show(text: string): void; end(): void } {
  const { stderr } = process;
  let open = false;
  return {
    show(text) {
      if (!stderr.isTTY) return void stderr.write(`${text}\n`);
      const columns = (stderr.columns ?? 100) - 1;
      stderr.write(`\r${text.slice(0, columns).padEnd(columns)}`);
      open = true;
    },
    end() {
      if (open) stderr.write('\n');
      open = false;
    },
  };
}
