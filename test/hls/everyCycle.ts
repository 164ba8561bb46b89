/** A circuit cycle by cycle: what simulate.ts computes, found by looking at every cycle of every process. No tests. */
import type { Program } from '../../codegen/ir/program.js';
import type { Timetables } from '../../codegen/schedule/fabric/timetable.js';

/** The cycle behind the last of each process, Infinity where it never ends, and the most words in each stream. */
export function simulateEveryCycle(program: Program, table: Timetables, { depths, images }: { depths: Readonly<Record<string, number>>; images: number }): { ends: number[]; most: number[] } {
  const streams = program.dataflow!.streams.map((s) => ({ depth: depths[`${s.tensor} to ${s.to}`] ?? s.depth, words: 0, most: 0 }));
  const processes = table.processes.map((p) => {
    const moves = new Map<number, number[]>();
    p.patterns.forEach(({ cycles, moves: all }, k) => cycles.forEach((c, i) => moves.set(p.starts[k] + c, [...(moves.get(p.starts[k] + c) ?? []), all[i]])));
    return { length: p.cycles, moves, own: 0, image: 0, end: Infinity };
  });
  for (let cycle = 0; ; cycle++) {
    // What a queue holds at the beginning of the cycle decides.
    const before = streams.map((s) => s.words);
    let isMoving = false;
    for (const p of processes) {
      if (p.image === images) continue;
      const now = p.moves.get(p.own) ?? [];
      if (!now.every((m) => (m % 2 === 1 ? before[m >> 1] < streams[m >> 1].depth : before[m >> 1] > 0))) continue;
      for (const m of now) {
        const s = streams[m >> 1];
        s.words += m % 2 === 1 ? 1 : -1;
        // The room of a word that is read in this cycle is free in the next.
        if (m % 2 === 1) s.most = Math.max(s.most, before[m >> 1] + 1);
      }
      isMoving = true;
      if (++p.own < p.length) continue;
      p.own = 0;
      if (++p.image === images) p.end = cycle + 1;
    }
    if (!isMoving) return { ends: processes.map((p) => p.end), most: streams.map((s) => s.most) };
  }
}
