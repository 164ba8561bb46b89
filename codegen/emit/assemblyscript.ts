/**
 * A scheduled Program as AssemblyScript: one function a kernel, one entry that calls them in order.
 *
 * Text only: memory, data and the manifest are spliced into the binary afterwards (module.ts).
 */
import { describe } from '../ir/datatype.js';
import { fail } from '../ir/diagnostic.js';
import type { Block, Program } from '../ir/program.js';
import type { Target } from '../targets/target.js';
import { identifier } from './context.js';
import { emitKernel } from './kernel.js';
import { counterName } from './scope.js';

export interface EmitOptions {
  /**
   * Exports every block of the Program too: `stepN(times)` runs block N so many times, and the functions of its kernels
   * are `kernelN_0`, `kernelN_1` ...
   */
  readonly steps?: boolean;
}

/** The source of one module; `entry` is the exported function, which returns a status (0 is success). */
export function emitAssemblyScript(program: Program, target: Target, entry = 'run', options: EmitOptions = {}): string {
  const names = new Set<string>([entry, ...(options.steps ? program.blocks.map((_, i) => `step${i}`) : [])]);
  const functions: string[] = [];
  const prefix = entry === 'run' ? '' : `${entry}_`;
  const unique = (name: string): string => {
    const base = `${prefix}${identifier(name)}`;
    let result = base;
    for (let i = 2; names.has(result); i++) result = `${base}_${i}`;
    names.add(result);
    return result;
  };
  let called: string[] = [];
  const calls = (blocks: readonly Block[], parameters: ReadonlyMap<string, number>): string[] =>
    blocks.flatMap((b) => {
      if (b.kind === 'kernel') {
        const name = unique(b.name);
        called.push(name);
        functions.push(emitKernel(program, b, target, name, parameters));
        return [`${name}(${[...parameters.keys()].map(counterName).join(', ')});`];
      }
      const counter = counterName(b.axis);
      const most = typeof b.count === 'number' ? b.count : b.count.max;
      const inner = calls(b.body, new Map(parameters).set(b.axis, most));
      return [`for (let ${counter}: i32 = 0; ${counter} < ${countText(b.count, program)}; ${counter}++) {`, ...inner.map((l) => `  ${l}`), '}'];
    });
  const steps: string[] = [];
  const body = program.blocks.flatMap((block, i) => {
    called = [];
    const lines = calls([block], new Map());
    if (options.steps) {
      steps.push(`export function step${i}(times: i32): void {`, '  for (let time: i32 = 0; time < times; time++) {', ...lines.map((l) => `    ${l}`), '  }', '}');
      steps.push(`export { ${called.map((name, k) => `${name} as kernel${i}_${k}`).join(', ')} };`);
    }
    return lines;
  });
  return [
    `// ${program.name}, compiled by sigmaflow for ${target.name}.`,
    `// ${Object.keys(program.tensors).length} tensors in ${program.arenaBytes} bytes; addresses are constants.`,
    '',
    ...functions,
    '/** Runs the network on what lies in its input tensors. Returns 0. */',
    `export function ${entry}(): i32 {`,
    ...body.map((l) => `  ${l}`),
    '  return 0;',
    '}',
    ...steps,
    '',
  ].join('\n');
}

function countText(count: number | { readonly input: string; readonly max: number }, program: Program): string {
  if (typeof count === 'number') return String(count);
  const tensor = program.tensors[count.input];
  const offset = program.buffers[tensor.buffer].offset;
  if (offset === undefined) fail('program/invalid', count.input, 'the count of a repeat has no place in memory');
  const { elementBits } = tensor.layout;
  const stored = `load<${describe(tensor.dtype).signed ? 'i' : 'u'}${elementBits}>(${offset + tensor.layout.offset / 8})`;
  return `<i32>min<i64>(max<i64>(<i64>${stored}, 0), ${count.max})`;
}
