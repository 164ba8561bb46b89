/**
 * A circuit as one HTML page that needs nothing else: resources against the board, cycles and time, streams, what each optimization
 * brought, and what to be careful about. All of it is known before synthesis. Not here: the figures themselves.
 */
import { describe } from '../../codegen/ir/datatype.js';
import type { Kernel } from '../../codegen/ir/program.js';
import { elementCount } from '../../codegen/ir/graph.js';
import { processesOf, touched } from '../../codegen/ir/verifyDataflow.js';
import { kernelsOf } from '../../codegen/ir/walk.js';
import { streamName } from '../../codegen/schedule/fabric/index.js';
import { busCycles } from '../../codegen/targets/board.js';
import { latencies } from '../../codegen/targets/fpga.js';
import { surroundings } from '../../codegen/schedule/fabric/surroundings.js';
import { escape, page } from '../html.js';
import { accumulatorWidths, optimizations } from './optimizations.js';
import type { Usage } from '../../codegen/schedule/fabric/operators.js';
import type { Project } from './types.js';
import { style } from './reportStyle.js';

const whole = (n: number): string => Math.round(n).toLocaleString('en-US');
const percent = (part: number, of: number): string => `${of === 0 ? (part === 0 ? 0 : 100) : ((100 * part) / of).toFixed(part > 0 && part / of < 0.1 ? 1 : 0)} %`;

/** Cycles as a time at a clock in MHz. */
export function timeOf(cycles: number, clock: number): string {
  const microseconds = cycles / clock;
  return microseconds < 1000 ? `${microseconds.toPrecision(3)} µs` : microseconds < 1e6 ? `${(microseconds / 1000).toPrecision(3)} ms` : `${(microseconds / 1e6).toPrecision(3)} s`;
}

/** The page, as text. */
export function report(project: Project): string {
  const { model, board, clock, goal, version, date } = project;
  return page({
    title: `${model} on ${board.title}`,
    style,
    header: [
      `<p class="muted">${escape([`${clock} MHz`, board.part, goal, `sigmaflow ${version}`, date.slice(0, 10)].join(' · '))}</p>`,
      tiles(project),
      notes(project),
    ],
    main: [resources(project), processes(project), timeline(project), streams(project), optimizationTable(project), accumulators(project), schedule(project)],
  });
}

function tiles({ estimate, timing, board, clock, vectors, unit }: Project): string {
  const tile = (what: string, value: string, more: string): string => `<div><dt>${what}</dt><dd>${value}<small>${more}</small></dd></div>`;
  const images = interfaceBatch(unit.program.inputs.map((t) => unit.program.tensors[t].shape));
  return [
    '<dl class="tiles">',
    tile('latency', timeOf(timing.latency + busCycles(board), clock), `of one call: ${whole(timing.latency)} cycles of the circuit, and ${whole(busCycles(board))} for memory to answer`),
    tile('every', timeOf(timing.interval, clock), `${whole(timing.interval)} cycles from call to call where they follow at once: ${whole((clock * 1e6 * images) / timing.interval)} inferences a second`),
    tile('lookup tables', percent(estimate.total.lut, board.resources.lut), `${whole(estimate.total.lut)} of ${whole(board.resources.lut)}`),
    tile('block memory', percent(estimate.total.bram18, board.resources.bram18), `${whole(estimate.total.bram18)} of ${whole(board.resources.bram18)} blocks of 18 Kbit`),
    tile('multipliers', percent(estimate.total.dsp, board.resources.dsp), `${whole(estimate.total.dsp)} of ${whole(board.resources.dsp)} DSP slices`),
    tile('test bench', `${whole(vectors.calls)} calls`, escape(vectors.origin)),
    '</dl>',
  ].join('\n');
}

/** Inferences of a call. */
const interfaceBatch = (shapes: readonly (readonly number[])[]): number => Math.max(1, ...shapes.filter((s) => s.length > 1).map((s) => s[0]));

/** What a reader must know before trusting a figure. */
function notes({ unit, estimate, board }: Project): string {
  const kernels = kernelsOf(unit.program.blocks);
  const floats = kernels.filter((k) => k.op !== 'load' && k.op !== 'store' && k.op !== 'send' && k.op !== 'receive' && computesFloats(k));
  const slow = kernels.filter((k) => !k.scheduled?.cores).flatMap((k) => (k.scheduled?.steps ?? []).flatMap((s) => {
    const every = Number(/^pipeline .* every (\d+)$/.exec(s)?.[1] ?? 1);
    return every > 1 ? [`${k.name} every ${every} cycles`] : [];
  }));
  const shared = kernels.filter((k) => k.scheduled?.cores);
  const full = (Object.keys(names) as (keyof Usage)[]).filter((r) => board.resources[r] > 0 && estimate.total[r] / board.resources[r] > 0.7);
  const items = [
    'Figures of resources and cycles are estimates, made before synthesis. Vitis HLS (csynth) and Vivado (<code>build/utilization.txt</code>, <code>build/timing.txt</code>) have the last word.',
    `Memory takes ${board.bus.read} cycles to the first word that is read and ${board.bus.write} to acknowledge the last that is written: figures of the board file, by default what Vitis HLS assumes, not measured. They count once in the latency, and not in the time between calls that follow one another. The program in <code>host/</code> waits for each call: it sees the latency and its own time. After the first, a word of ${board.bus.bits} bits goes each cycle.`,
    ...(floats.length === 0 ? [] : [`${floats.length === 1 ? 'One process computes' : `${floats.length} processes compute`} in float32 (${floats.slice(0, 4).map((k) => escape(k.name)).join(', ')}${floats.length > 4 ? ' ...' : ''}). C simulation has every bit of the WebAssembly module; float cores on the fabric may flush denormals (values below 1.2e-38) to zero.`]),
    ...(slow.length === 0 ? [] : [`A float32 sum waits ${latencies.add} cycles for the adder: ${escape(slow.slice(0, 6).join(', '))}${slow.length > 6 ? ' ...' : ''} instead of every cycle. More outputs at once (PE) do not change that; more of them one after the other in the same loop do.`]),
    ...(shared.length === 0 ? [] : [`${shared.length === 1 ? 'One kernel shares its float cores among its operations' : `${shared.length} kernels share float cores among their operations`}, and those that follow one another in a process share them too: with one core of a kind an iteration begins when the last is done with it. How many there are is asked for by <code>#pragma HLS ALLOCATION</code>; cycles are counted with the ${latencies.add} of an adder, ${latencies.mul} of a multiplier, ${latencies.div} of a divider and ${latencies.sqrt} of a square root. The schedule of the tool may be another.`]),
    ...(full.length === 0 ? [] : [`More than 70 % of a resource is used (${full.map((r) => names[r]).join(', ')}): placement gets hard and the clock may not be met. Fold more, or take a slower clock.`]),
  ];
  return `<ul class="notes">\n${items.map((i) => `<li>${i}</li>`).join('\n')}\n</ul>`;
}

const computesFloats = (k: Kernel): boolean => /"op":"(add|sub|mul|div|sqrt)","type":"float32"/.test(JSON.stringify(k.scheduled?.body ?? k));

const names: Readonly<Record<keyof Usage, string>> = { lut: 'LUT', ff: 'FF', dsp: 'DSP', bram18: 'BRAM 18K', lutram: 'LUTRAM' };

function resources({ estimate, board }: Project): string {
  const around = surroundings[board.interface];
  const rows = (Object.keys(names) as (keyof Usage)[]).map((r) => {
    const [used, all] = [estimate.total[r], board.resources[r]];
    return `<li${used > all ? ' class="over"' : ''}><span>${names[r]}</span><span class="bar"><i style="width:${Math.min(100, all === 0 ? 0 : (100 * used) / all).toFixed(2)}%"></i></span><span class="value">${whole(used)} of ${whole(all)} <span class="muted">${percent(used, all)}</span></span></li>`;
  });
  return ['<section>', '<h2>Resources against the board</h2>', `<p class="muted">Of the circuit alone. ${board.interface === 'zynq' ? 'The interconnects to the processor take' : 'The MicroBlaze takes'} about ${whole(around.lut)} LUTs and ${whole(around.ff)} flip-flops more${board.interface === 'zynq' ? ', as in a system that others built on this part' : ', its memories and interconnect not counted'}; a folding that the compiler chooses leaves room for them.</p>`, '<ul class="bars">', ...rows, '</ul>', '</section>'].join('\n');
}

function processes({ estimate, unit, folding, clock }: Project): string {
  const parts = processesOf(unit.program);
  const most = Math.max(1, ...(estimate.processes.map((p) => p.lut)));
  const slowest = Math.max(0, ...(estimate.processes.map((p) => p.cycles)));
  const rows = parts.map((p) => {
    const kernels = kernelsOf(p.body);
    const main = kernels.find((k) => !['load', 'store', 'send', 'receive'].includes(k.op)) ?? kernels[0];
    const does = kernels.filter((k) => folding[k.name]);
    const f = does.length === 1 ? folding[does[0].name] : undefined;
    const e = estimate.processes.find((x) => x.name === p.name);
    const cells = e ? [`${whole(e.cycles)}${e.cycles === slowest ? ' <span class="muted" title="the slowest: it sets the interval">◂</span>' : ''}`, `${whole(e.lut)}<span class="mini"><i style="width:${((100 * e.lut) / most).toFixed(1)}%"></i></span>`, whole(e.ff), whole(e.dsp), whole(e.bram18)] : [];
    return `<tr><th class="left">${escape(p.name)}</th><td class="left">${does.length > 1 ? `${does.length} kernels` : escape(main?.op ?? '')}</td><td>${f ? `${f.pe} × ${f.simd}` : '–'}</td>${cells.map((c) => `<td>${c}</td>`).join('')}</tr>`;
  });
  const heads = ['process', 'does', 'PE × SIMD', 'cycles', 'LUT', 'FF', 'DSP', 'BRAM 18K'];
  const total = `<tfoot><tr><th>together</th><td></td><td></td><td></td>${[estimate.total.lut, estimate.total.ff, estimate.total.dsp, estimate.total.bram18].map((n) => `<td>${whole(n)}</td>`).join('')}</tr></tfoot>`;
  return [
    '<section>', '<h2>Processes</h2>',
    `<p class="muted">They all run at once. PE outputs are computed side by side, of each SIMD products; ◂ is the slowest, ${timeOf(slowest, clock)}, and no call can come faster. <code>folding.json</code> has these numbers: change them and give the file back with <code>--folding</code>.</p>`,
    '<div class="scroll"><table>', `<thead><tr>${heads.map((h, i) => `<th${i < 2 ? ' class="left"' : ''}>${h}</th>`).join('')}</tr></thead>`, '<tbody>', ...rows, '</tbody>', total, '</table></div>', '</section>',
  ].join('\n');
}

function timeline({ timing, clock }: Project): string {
  const end = Math.max(1, ...timing.processes.map((p) => p.end));
  const rows = timing.processes.map((p) => {
    const [left, width] = [(100 * p.start) / end, (100 * (p.end - p.start)) / end];
    const busy = p.end > p.start ? Math.min(1, p.working / (p.end - p.start)) : 0;
    return `<li><span class="name" title="${escape(p.name)}">${escape(p.name)}</span><span class="bar" title="cycles ${whole(p.start)} to ${whole(p.end)}, works ${whole(p.working)}, waits ${whole(p.waitingToRead)} to read and ${whole(p.waitingToWrite)} to write"><b style="left:${left.toFixed(2)}%;width:${width.toFixed(2)}%"></b><i style="left:${left.toFixed(2)}%;width:${(width * busy).toFixed(2)}%"></i></span></li>`;
  });
  return ['<section>', '<h2>One call in time</h2>', `<p class="muted">From 0 to ${whole(end)} cycles, ${timeOf(end, clock)}, by simulation of processes and queues. <span class="key"></span> works, <span class="key wait"></span> waits (added up, not in their order).</p>`, '<ul class="lanes">', ...rows, '</ul>', '</section>'].join('\n');
}

function streams({ unit, timing, depths, clock }: Project): string {
  const { program } = unit;
  const writer = (tensor: string): string => processesOf(program).find((p) => kernelsOf(p.body).some((k) => k.stores.some((s) => s.tensor === tensor)))?.name ?? '';
  const rows = (program.dataflow?.streams ?? []).map((s) => {
    const t = program.tensors[s.tensor];
    const name = streamName(s);
    const most = timing.streams.find((x) => x.name === name)?.most ?? 0;
    const words = t.shape.reduce((a, b) => a * b, 1) / s.lanes;
    return `<tr><th class="left">${escape(s.tensor)}</th><td class="left">${escape(writer(s.tensor))}</td><td class="left">${escape(s.to)}</td><td>${s.lanes} × ${escape(t.dtype)}</td><td>${whole(words)}</td><td>${whole(depths.least[name] ?? s.depth)}</td><td>${whole(s.depth)}</td><td>${whole(most)}</td><td>${whole(s.depth * s.lanes * describe(t.dtype).bits)}</td></tr>`;
  });
  const memory = (program.dataflow?.memory ?? []).map(({ tensor, bits, lanes }) => {
    const t = program.tensors[tensor];
    const isInput = program.inputs.includes(tensor);
    const ends = isInput ? ['memory', processesOf(program).find((p) => touched(p.body).reads.has(tensor))?.name ?? ''] : [writer(tensor), 'memory'];
    const words = Math.ceil((elementCount(t.shape) * t.layout.elementBits) / bits);
    return `<tr><th class="left">${escape(tensor)}</th><td class="left">${escape(ends[0])}</td><td class="left">${escape(ends[1])}</td><td>${bits} bits, ${lanes} × ${escape(t.dtype)} at once</td><td>${whole(words)}</td><td></td><td>2</td><td></td><td>${2 * bits}</td></tr>`;
  });
  return [
    '<section>', '<h2>Streams</h2>',
    `<p class="muted">Queues between processes, in words. <b>Needed</b> is the least depth at which the simulation neither stands still nor gets slower than with queues without end (latency ${timeOf(depths.endless.latency, clock)}, every ${timeOf(depths.endless.interval, clock)}); <b>built</b> has words to spare where paths fork and join. Words of the bus come from memory and go there. C simulation cannot see any of this.</p>`,
    '<div class="scroll"><table>', '<thead><tr><th>tensor</th><th class="left">from</th><th class="left">to</th><th>word</th><th>words a call</th><th>needed</th><th>built</th><th>used</th><th>bits</th></tr></thead>', '<tbody>', ...rows, ...memory, '</tbody></table></div>', '</section>',
  ].join('\n');
}

function optimizationTable(project: Project): string {
  const { built } = project.effects;
  const done = optimizations(project);
  const rows = done.map((o) => `<tr${o.applies ? '' : ' class="idle"'}><th>${escape(o.name)}</th><td>${escape(o.effect)}</td></tr>`);
  const figures = ['lut', 'ff', 'dsp', 'bram18', 'cycles'] as const;
  const difference = (n: number): string => (n === 0 ? '<span class="muted">=</span>' : `<small>${n > 0 ? '+' : '−'}${whole(Math.abs(n))}</small>`);
  const without = done.flatMap((o) => o.without.map(({ way, figures: f }) => `<tr title="without: ${escape(o.name)}"><th class="left">${escape(way)}</th>${figures.map((k) => `<td>${whole(f[k])} ${difference(f[k] - built[k])}</td>`).join('')}</tr>`));
  const table = without.length === 0 ? [] : [
    '<h3>The same circuit without them</h3>',
    '<p class="muted">One optimization left out at a time, the folding as it is, estimated in the same way; small, what that adds. Cycles are those of the slowest process.</p>',
    '<div class="scroll"><table>', `<thead><tr><th class="left">one at a time</th>${figures.map((k) => `<th>${k === 'cycles' ? k : names[k]}</th>`).join('')}</tr></thead>`, '<tbody>',
    `<tr><th class="left">as built</th>${figures.map((k) => `<td>${whole(built[k])}</td>`).join('')}</tr>`, ...without, '</tbody></table></div>',
  ];
  return ['<section>', '<h2>What the compiler did</h2>', '<table class="words">', '<tbody>', ...rows, '</tbody></table>', ...table, '</section>'].join('\n');
}

function accumulators({ unit }: Project): string {
  const widths = accumulatorWidths(unit.program);
  if (widths.length === 0) return '';
  const most = Math.max(...widths.map((w) => w.byTypes));
  const rows = widths.map((w) => `<tr><th class="left">${escape(w.kernel)}</th><td>${whole(w.products)}</td><td>${w.byTypes}</td><td>${w.proved}<span class="mini"><i style="width:${((100 * w.proved) / most).toFixed(0)}%"></i></span></td></tr>`);
  return [
    '<section>', '<h2>Accumulators</h2>', '<p class="muted">Bits of each sum: what the types of its operands would need, and what its very weights can reach, which is what the circuit has. The verifier proves that no value leaves it.</p>',
    '<div class="scroll"><table>', '<thead><tr><th>kernel</th><th>products a sum</th><th>bits by types</th><th>bits by weights</th></tr></thead>', '<tbody>', ...rows, '</tbody></table></div>', '</section>',
  ].join('\n');
}

function schedule({ unit }: Project): string {
  const lines = [...(unit.program.steps ?? []), ...kernelsOf(unit.program.blocks).flatMap((k) => (k.scheduled?.steps ?? []).map((s) => `${k.name}: ${s}`))];
  return ['<section>', '<h2>Schedule</h2>', '<details><summary>every step that led to this circuit</summary>', `<pre>${lines.map(escape).join('\n')}</pre>`, '</details>', '</section>'].join('\n');
}
