/**
 * A scheduled Program as AssemblyScript: one function a kernel, or one for several that differ in their buffers' places
 * alone, and one entry that calls them in order.
 *
 * Text only: memory, data and the manifest are spliced into the binary afterwards (module.ts).
 */
import { describe } from '../ir/datatype.js';
import { fail } from '../ir/diagnostic.js';
import type { Block, Kernel, Program } from '../ir/program.js';
import type { Target } from '../targets/target.js';
import { identifier, isWord } from './context.js';
import { emitKernel, emitPlaced, kernelComment, type KernelText } from './kernel.js';
import { counterName } from './scope.js';

export interface EmitOptions {
  /**
   * Exports every kernel too, counted in the order of the Program: `stepN(times)` runs kernel N so many times, with the
   * repeats around it, and `kernelN` is its function.
   */
  readonly steps?: boolean;
}

/** The source of one module; `entry` is the exported function, which returns a status (0 is success). */
export function emitAssemblyScript(program: Program, target: Target, entry = 'run', options: EmitOptions = {}): string {
  const names = new Set<string>([entry]);
  const steps: string[] = [];
  let kernels = 0;
  const functions: string[] = [];
  const shared = sharedTexts(program.blocks, program, target);
  const named = new Map<string, string>();
  const prefix = entry === 'run' ? '' : `${entry}_`;
  const unique = (name: string): string => {
    const own = `${prefix}${identifier(name)}`;
    const base = isWord(own) ? `${own}_` : own;
    let result = base;
    for (let i = 2; names.has(result); i++) result = `${base}_${i}`;
    names.add(result);
    return result;
  };
  // `around` puts the repeats around a call that stands alone.
  const calls = (blocks: readonly Block[], parameters: ReadonlyMap<string, number>, around: (lines: string[]) => string[]): string[] =>
    blocks.flatMap((b) => {
      if (b.kind === 'kernel') {
        const { text, places } = shared.get(b) ?? emitKernel(program, b, target, parameters);
        let name = named.get(text);
        if (name === undefined) {
          name = unique(b.name);
          named.set(text, name);
          const others = [...shared].filter(([k, s]) => k !== b && s.text === text).map(([k]) => k.name);
          functions.push(`${kernelComment(b, others)}\nfunction ${name}${text}`);
        }
        const call = [`${name}(${[...[...parameters.keys()].map(counterName), ...places].join(', ')});`];
        if (options.steps) steps.push(...stepText(kernels++, name, around(call)));
        return call;
      }
      const counter = counterName(b.axis);
      const most = typeof b.count === 'number' ? b.count : b.count.max;
      const loop = (lines: string[]): string[] => [`for (let ${counter}: i32 = 0; ${counter} < ${countText(b.count, program)}; ${counter}++) {`, ...lines.map((l) => `  ${l}`), '}'];
      return loop(calls(b.body, new Map(parameters).set(b.axis, most), (lines) => around(loop(lines))));
    });
  const body = calls(program.blocks, new Map(), (lines) => lines);
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

/** A kernel's exports, see EmitOptions. No name of a kernel has a $. */
function stepText(i: number, name: string, lines: readonly string[]): string[] {
  return [`function $step${i}(times: i32): void {`, '  for (let time: i32 = 0; time < times; time++) {', ...lines.map((l) => `    ${l}`), '  }', '}', `export { $step${i} as step${i}, ${name} as kernel${i} };`];
}

/** The kernels whose text another one has too, once the places of buffers are parameters. */
function sharedTexts(blocks: readonly Block[], program: Program, target: Target): Map<Kernel, KernelText> {
  const texts = new Map<Kernel, KernelText>();
  const walk = (list: readonly Block[], parameters: ReadonlyMap<string, number>): void => {
    for (const b of list) {
      if (b.kind === 'kernel') texts.set(b, emitPlaced(program, b, target, parameters));
      else walk(b.body, new Map(parameters).set(b.axis, typeof b.count === 'number' ? b.count : b.count.max));
    }
  };
  walk(blocks, new Map());
  const counts = new Map<string, number>();
  for (const { text } of texts.values()) counts.set(text, (counts.get(text) ?? 0) + 1);
  return new Map([...texts].filter(([, { text }]) => counts.get(text)! > 1));
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
