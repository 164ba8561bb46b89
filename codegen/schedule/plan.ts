/**
 * The memory plan: places for all buffers in one arena. Constants first, then the interface, then temporaries, which share
 * bytes where their lives do not meet (largest first, at the lowest place that is free while it lives).
 */
import { align, arenaStart, slack } from '../ir/arena.js';
import type { Buffer, Program } from '../ir/program.js';
import { iterationBuffers } from '../ir/verifyPlan.js';
import { loadsOf } from './fuse.js';

export interface PlanOptions {
  /** False: every buffer keeps its own bytes, so that all tensors can be looked at after a run. */
  readonly reuse: boolean;
  /** First byte of the arena; a multiple of 16. */
  readonly start?: number;
}

export function planMemory(program: Program, options: PlanOptions): Program {
  const buffers: Record<string, Buffer> = {};
  let end = options.start ?? arenaStart;
  const put = (b: Buffer, offset: number): void => {
    buffers[b.name] = { ...b, offset };
  };
  const all = Object.values(program.buffers);
  for (const role of ['constant', 'state', 'input', 'output'] as const) {
    for (const b of all.filter((x) => x.role === role)) {
      put(b, end);
      // A vector's reach past an interface tensor's end must not leave the arena's bytes unowned.
      end = align(end + b.bytes);
    }
  }
  const lives = bufferLives(program);
  const temporaries = all.filter((b) => b.role === 'temporary').sort((a, b) => b.bytes - a.bytes || (a.name < b.name ? -1 : 1));
  const placed: { start: number; end: number; life: readonly [number, number] }[] = [];
  let top = end;
  for (const b of temporaries) {
    const life = options.reuse ? (lives.get(b.name) ?? [0, 0]) : ([0, Infinity] as const);
    const size = align(b.bytes);
    const busy = placed.filter((p) => p.life[0] <= life[1] && life[0] <= p.life[1]).sort((p, q) => p.start - q.start);
    let at = end;
    for (const p of busy) {
      if (at + size <= p.start) break;
      at = Math.max(at, p.end);
    }
    placed.push({ start: at, end: at + size, life });
    put(b, at);
    top = Math.max(top, at + size);
  }
  return { ...program, buffers, arenaBytes: top + slack };
}

/** First and last kernel in which a buffer is touched; throughout a repeat, where it holds more than one iteration's values. */
export function bufferLives(program: Program): Map<string, readonly [number, number]> {
  const lives = new Map<string, readonly [number, number]>();
  let position = 0;
  const touch = (buffer: string, first: number, last: number): void => {
    const old = lives.get(buffer);
    lives.set(buffer, [Math.min(old?.[0] ?? first, first), Math.max(old?.[1] ?? last, last)]);
  };
  const walk = (block: Program['blocks'][number]): Set<string> => {
    if (block.kind === 'kernel') {
      const used = new Set([...loadsOf(block), ...block.stores].map((x) => program.tensors[x.tensor].buffer));
      for (const buffer of used) touch(buffer, position, position);
      position++;
      return used;
    }
    const first = position;
    const used = new Set(block.body.flatMap((b) => [...walk(b)]));
    const anew = iterationBuffers(block, program);
    for (const buffer of used) if (!anew.has(buffer)) touch(buffer, first, position - 1);
    return used;
  };
  program.blocks.forEach(walk);
  return lives;
}
