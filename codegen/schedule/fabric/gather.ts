/**
 * A writer that sends the outputs of several steps as one word: registers gather them, and the last step sends. Which words are so
 * wide is decided in words.ts.
 */
import { axis as axisIndex, sum, within } from '../../ir/build.js';
import type { Index, Local, LoopStmt, Program, Stmt } from '../../ir/program.js';
import { channelsOf } from './order.js';

/** The statements of a writer that sends `together` elements of a tensor at once, and the registers that gather them. */
export function gathered(body: readonly Stmt[], tensor: string, together: number, program: Program): { body: Stmt[]; local: Local } {
  const { shape, dtype, range } = program.tensors[tensor];
  const channels = channelsOf(shape);
  const local: Local = { name: `${tensor}.gathered`, type: dtype, shape: [together], ...(range && dtype !== 'float32' ? { range } : {}) };
  const lane = `${tensor}.g`;
  let send: Stmt | undefined;
  const visit = (list: readonly Stmt[], rolled: readonly LoopStmt[], isUnrolled: boolean): Stmt[] =>
    list.flatMap((s): Stmt[] => {
      if (s.kind === 'if') return [{ ...s, body: visit(s.body, rolled, isUnrolled) }];
      if (s.kind === 'loop') {
        const begins = !isUnrolled && s.mode === 'unrolled';
        const inner = { ...s, body: visit(s.body, s.mode === 'unrolled' ? rolled : [...rolled, s], isUnrolled || begins) };
        return begins ? sent(inner) : [inner];
      }
      if (s.kind !== 'store' || s.tensor !== tensor) return [s];
      const { terms } = s.at[channels];
      const inside: Index = { offset: 0, terms: terms.filter((t) => t.coeff < together) };
      const word: Index = { offset: 0, terms: terms.filter((t) => t.coeff >= together) };
      const ends = rolled.filter((l) => inside.terms.some((t) => t.of === l.axis)).map((l) => within(l.axis, l.extent - 1, l.extent));
      const all: Stmt = { ...s, at: s.at.map((i, d) => (d === channels ? sum(word, lane) : i)), value: { op: 'local', name: local.name, at: [axisIndex(lane)] } };
      send = { kind: 'if', guard: ends, body: [{ kind: 'loop', axis: lane, start: 0, extent: together, mode: 'unrolled', body: [all] }] };
      const set: Stmt = { kind: 'set', name: local.name, at: [inside], value: s.value };
      return isUnrolled ? [set] : sent(set);
    });
  const sent = (s: Stmt): Stmt[] => {
    const after = send;
    send = undefined;
    return after ? [s, after] : [s];
  };
  return { body: visit(body, [], false), local };
}
