/**
 * Invariant 7: planned buffers that live at the same time do not overlap, offsets are multiples of 16, and the arena holds
 * all of them and one vector of slack.
 *
 * Inputs, constants and state live through the whole call (the next may run on them again); outputs from their first
 * write to the end; temporaries from first to last use, and through every repeat that uses them, unless all they hold is
 * made anew in each iteration.
 */
import { alignment, slack } from './arena.js';
import { fail } from './diagnostic.js';
import type { Block, Buffer, Kernel, Program, Repeat } from './program.js';
import { dependsOn, walkKernel, walkStmts, type Visitor } from './walk.js';

interface Life {
  first: number;
  last: number;
}

function tensorsOf(kernel: Kernel): Set<string> {
  const names = new Set(kernel.stores.map((s) => s.tensor));
  const visitor: Visitor = {
    expr: (e) => { if (e.op === 'load') names.add(e.tensor); },
    stmt: (s) => { if (s.kind === 'store') names.add(s.tensor); },
  };
  walkKernel(kernel, visitor);
  if (kernel.scheduled) walkStmts(kernel.scheduled.body, visitor);
  return names;
}

/** First and last kernel, counted in order, in which each buffer is used; undefined for buffers that none uses. */
export function bufferLives(program: Program): Map<string, Life> {
  const lives = new Map<string, Life>();
  let position = 0;
  const use = (buffer: string, first: number, last: number): void => {
    const life = lives.get(buffer);
    if (life) {
      life.first = Math.min(life.first, first);
      life.last = Math.max(life.last, last);
    } else {
      lives.set(buffer, { first, last });
    }
  };
  const visit = (blocks: readonly Block[]): Set<string> => {
    const used = new Set<string>();
    for (const b of blocks) {
      if (b.kind === 'kernel') {
        position++;
        for (const name of tensorsOf(b)) {
          const { buffer } = program.tensors[name];
          used.add(buffer);
          use(buffer, position, position);
        }
        continue;
      }
      const first = position + 1;
      const inside = visit(b.body);
      const anew = iterationBuffers(b, program);
      for (const buffer of inside) {
        used.add(buffer);
        if (!anew.has(buffer)) use(buffer, first, position);
      }
    }
    return used;
  };
  visit(program.blocks);
  for (const b of Object.values(program.buffers)) {
    if (b.role === 'output') use(b.name, position, position);
    else if (b.role !== 'temporary') use(b.name, 0, position);
  }
  return lives;
}

/**
 * Temporaries that hold nothing from one iteration of a repeat to the next, and nothing before or after it: only it uses
 * them, and always at the same places. (That each iteration writes what it reads is checked by verifyCoverage.ts.)
 */
export function iterationBuffers(repeat: Repeat, program: Program): Set<string> {
  const outside = new Set([...program.inputs, ...program.outputs].map((t) => program.tensors[t].buffer));
  const visit = (blocks: readonly Block[], into: Set<string>): void => {
    for (const b of blocks) {
      if (b === repeat) continue;
      if (b.kind === 'repeat') visit(b.body, into);
      else for (const t of tensorsOf(b)) into.add(program.tensors[t].buffer);
    }
  };
  visit(program.blocks, outside);
  const inside = new Set<string>();
  visit(repeat.body, inside);
  const moving = new Set<string>();
  const follow = (blocks: readonly Block[]): void => {
    for (const b of blocks) {
      if (b.kind === 'repeat') follow(b.body);
      else for (const s of b.stores) if (s.at.some((i) => dependsOn(i, repeat.axis))) moving.add(program.tensors[s.tensor].buffer);
    }
  };
  follow(repeat.body);
  return new Set([...inside].filter((b) => program.buffers[b].role === 'temporary' && !outside.has(b) && !moving.has(b)));
}

export function verifyPlan(program: Program): void {
  const buffers = Object.values(program.buffers);
  const planned = buffers.filter((b) => b.offset !== undefined);
  if (planned.length === 0) {
    if (program.arenaBytes !== undefined) fail('program/invalid', program.name, 'it has an arena, and no buffer has an offset');
    return;
  }
  const missing = buffers.find((b) => b.offset === undefined);
  if (missing) fail('program/invalid', missing.name, 'this buffer has no offset, and others have');
  const { arenaBytes } = program;
  if (arenaBytes === undefined || !Number.isSafeInteger(arenaBytes)) fail('program/invalid', program.name, 'its buffers have offsets, and its arena has no size');
  const lives = bufferLives(program);
  for (const b of planned) {
    const offset = b.offset!;
    if (!Number.isSafeInteger(offset) || offset < 0 || offset % alignment !== 0) fail('program/invalid', b.name, `its offset ${offset} is no multiple of ${alignment}`);
    if (offset + b.bytes + slack > arenaBytes) {
      fail('program/invalid', b.name, `it ends at byte ${offset + b.bytes}, and the arena of ${arenaBytes} bytes keeps the last ${slack} free`);
    }
  }
  // sorted by offset, so that only near neighbours are compared
  const sorted = [...planned].sort((a, b) => a.offset! - b.offset!);
  const live: Buffer[] = [];
  for (const b of sorted) {
    for (let i = live.length - 1; i >= 0; i--) {
      const a = live[i];
      if (a.offset! + a.bytes <= b.offset!) {
        live.splice(i, 1);
        continue;
      }
      const [x, y] = [lives.get(a.name), lives.get(b.name)];
      if (x && y && x.first <= y.last && y.first <= x.last) {
        fail('program/invalid', b.name, `bytes ${b.offset} to ${b.offset! + b.bytes - 1} overlap ${a.name} (${a.offset} to ${a.offset! + a.bytes - 1}), and both are live`);
      }
    }
    live.push(b);
  }
}
