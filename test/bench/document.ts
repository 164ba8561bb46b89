/** docs/benchmarks.md, from a run's results. Pure; the file is written by run.mts and by nobody else. */
import { report, targetsHeading, type Section } from './report.js';
import type { Results } from './results.js';
import { quantile } from './statistics.js';
import { format, markdownTable, percent } from './table.js';

const list = (entries: Readonly<Record<string, string>>): string => Object.entries(entries).map(([name, text]) => `- ${name}: ${text}`).join('\n');

const markdown = ({ heading, text, tables }: Section, said = ''): string => `## ${heading}\n\n${said}${text}\n\n${tables.map(markdownTable).join('\n\n')}`;

/** The document with the sections of a later run in place of its own, or behind them; each says when and where it was measured. */
export function withSections(document: string, r: Results): string {
  const parts = document.trimEnd().split(/\n\n(?=## )/);
  const versions = Object.entries({ ...r.hosts, ...r.versions }).map(([name, text]) => `${name} ${text}`).join(', ');
  const said = `Measured on ${r.date}: ${r.machine}; load ${r.load.map(format).join(' before, ')} after; ${versions}.\n`;
  const missed = r.absent.map((a) => `Not measured: ${a.replaceAll('\n', ' ')}\n`).join('');
  for (const s of report(r).filter((x) => x.heading !== targetsHeading)) {
    const at = parts.findIndex((p) => p.startsWith(`## ${s.heading}\n`));
    const text = markdown(s, `${said}${missed}\n`);
    if (at < 0) parts.push(text);
    else parts[at] = text;
  }
  return `${parts.join('\n\n')}\n`;
}

export function benchmarksDocument(r: Results): string {
  const head = `# Benchmarks

Written by \`npm run bench -- --write\` (test/bench) on ${r.date}; not by hand. Read the ratios: they were measured side by side.
The microseconds are those of one machine on one day.

${r.machine}; load ${r.load.map(format).join(' before, ')} after. ${r.rounds} interleaved rounds of ${r.milliseconds} ms;
the processes had a processor for ${percent(quantile(r.busy, 0.5))} of their time.

${list(r.hosts)}
${list(r.versions)}

Settings of the engines:

${list(r.settings)}

## How to read this

- Every engine runs in a process of its own, on one thread. After a warm-up that lasts until an engine gets no faster, rounds
  alternate between all of them. A time is a round's time over its inferences: from an input that lies in the engine's own
  tensor to an output that lies in an array of the host. Cells hold the median of the rounds and their quartiles.
- A ratio is the median of the ratios of single rounds; above 1, sigmaflow is faster.
- Inputs are equal, and outputs were compared with the golden ones before anything was timed. A cell with "-" says that there
  is no such run: TensorFlow.js has no 8-bit operators, LiteRT.js runs files that its own converter quantized.
- TensorFlow.js runs networks that were written by hand with its fused operators; TensorFlow.js and LiteRT.js get their inputs
  channels last. These are their best cases.
- "-" also stands for what this run could not measure:${r.absent.length === 0 ? ' nothing this time.' : `\n${r.absent.map((a) => `  - ${a.replaceAll('\n', ' ')}`).join('\n')}`}
- Where instruction counts say more than times, test/bench/README.md says how to get them.`;
  const sections = report(r).map((s) => markdown(s));
  return `${[head, ...sections].join('\n\n')}\n`;
}
