/**
 * A circuit's figures for programs: what report.html shows, as JSON. Cycles are of the clock, sizes estimates before synthesis.
 */
import { streamName } from '../../codegen/schedule/fabric/index.js';
import { busCycles } from '../../codegen/targets/board.js';
import { accumulatorWidths, optimizations } from './optimizations.js';
import type { Project } from './types.js';

/** report.json, as text. */
export function reportJson(project: Project): string {
  const { name, model, board, clock, goal, version, date, estimate, timing, depths, folding, unit, effects } = project;
  return `${JSON.stringify({
    name, model, board: board.name, part: board.part, clock, goal, version, date,
    latency: timing.latency + busCycles(board),
    ofThatMemory: busCycles(board),
    interval: timing.interval,
    resources: estimate.total,
    available: board.resources,
    folding,
    processes: estimate.processes.map((p) => ({ ...p, time: timing.processes.find((t) => t.name === p.name) })),
    memory: unit.program.dataflow!.memory,
    streams: unit.program.dataflow!.streams.map((s) => ({ name: streamName(s), lanes: s.lanes, depth: s.depth, needed: depths.least[streamName(s)] })),
    accumulators: accumulatorWidths(unit.program),
    built: effects.built,
    optimizations: optimizations(project),
  }, null, 2)}\n`;
}
