/**
 * The entry file of a tuning command for WASI hosts: it times the functions `run0`, `run1`, ... of all.ts in their groups.
 * The loop is in assembly/trial.ts.
 */

export interface TrialGroups {
  /** Identifies what was measured, so that times find their way back. */
  readonly plan: string;
  /** Functions a group, in order: those of one group are timed beside one another. */
  readonly sizes: readonly number[];
  readonly rounds: number;
  readonly milliseconds: number;
}

/** AssemblyScript text that exports `_start` alone. */
export function trialEntry({ plan, sizes, rounds, milliseconds }: TrialGroups): string {
  const count = sizes.reduce((a, b) => a + b, 0);
  let first = 0;
  const groups = sizes.map((size) => {
    const line = `  timeGroup(${first}, ${first + size}, ${rounds}, ${Math.round(milliseconds * 1e6)}, call);`;
    first += size;
    return line;
  });
  return [
    `import { ${Array.from({ length: count }, (_, i) => `run${i}`).join(', ')} } from './all';`,
    "import { beginTimes, endTimes, timeGroup } from './trial';",
    '',
    'function call(i: i32): i32 {',
    '  switch (i) {',
    ...Array.from({ length: count }, (_, i) => `    case ${i}: return run${i}();`),
    '  }',
    '  return 1;',
    '}',
    '',
    'export function _start(): void {',
    `  beginTimes('${plan}', ${count});`,
    ...groups,
    '  endTimes();',
    '}',
    '',
  ].join('\n');
}
