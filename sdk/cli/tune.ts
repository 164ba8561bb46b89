/** `sigmaflow tune`: searches for faster schedules of a model's kernels, here or on another machine. */
import os from 'node:os';
import type { TuningFile } from '../../codegen/schedule/records.js';
import { parseTuning } from '../../codegen/schedule/records.js';
import { compile } from '../compile.js';
import { processorTime } from '../host/clock.js';
import { measure, repeated } from '../measure.js';
import { loadSync } from '../runtime/index.js';
import { planTuning, readTimes, tuningCommand, tuningPage } from '../tune/elsewhere.js';
import { spaceOf, tune } from '../tune/tune.js';
import { boardOption, machineOf, type Machine } from './boards.js';
import { usage, type Command, type Context } from './command.js';
import { importModel } from './engines.js';
import { checkFile, readBytes, writeAll } from './files.js';
import { atFile, batchOption, largestBatch, readModel, targetOption, type ModelFile, posteriorOptions } from './models.js';
import { progressLine } from './progress.js';
import { count, duration, plural, table } from './text.js';

export const command: Command = {
  name: 'tune',
  usage: 'MODEL.onnx -o RECORDS.json [--budget 60s] [options]',
  about: `Searches for faster schedules of a model's kernels: each candidate is verified, its bits are compared with the default's, and
it is timed beside it in a fresh module. Writes a tuning file, which \`compile --tuning\` takes. A tuning file changes times,
never a result. Where the file is there already, the search goes on from it; Ctrl-C stops it and keeps what was found.
For a machine without Node, --host writes a command or a page that measures there; --times reads back what it wrote.`,
  positionals: ['MODEL.onnx'],
  options: [
    { name: 'output', short: 'o', value: 'FILE', doc: 'the tuning file; with --host the command or page' },
    { name: 'budget', value: 'TIME', doc: 'when to stop: 90s, 5m or seconds (default 60s)' },
    boardOption,
    targetOption,
    batchOption,
    ...posteriorOptions,
    { name: 'host', value: 'NAME', doc: 'wasi: write a WASI command that measures; browser: write a page that does', choices: ['wasi', 'browser'] },
    { name: 'times', value: 'FILE', doc: 'the times that such a command or page wrote' },
  ],
  examples: ['sigmaflow tune mlp.onnx -o mlp.tuning.json --budget 60s', 'sigmaflow compile mlp.onnx -o out --tuning mlp.tuning.json', 'sigmaflow tune mlp.onnx --host wasi -o mlp.tune.wasm   # there: wasmtime mlp.tune.wasm > times.json', 'sigmaflow tune mlp.onnx --times times.json -o mlp.tuning.json'],
  async run(args, context) {
    const output = args.required('output');
    const budget = seconds(args.text('budget') ?? '60s');
    const batch = args.integer('batch', 1, largestBatch);
    const build: Build = { ...machineOf(args, context.root), batch };
    const host = args.text('host');
    const times = args.text('times');
    if (host !== undefined && times !== undefined) usage(command, '--times', '--host writes what measures, --times reads what was measured', 'Give one of them.');
    if ((host ?? times) !== undefined && args.flag('budget')) usage(command, '--budget', `there is no search with --${host === undefined ? 'times' : 'host'}`, 'Leave --budget away.');
    checkFile(output);
    const model = readModel(args.positionals[0], args);
    if (host !== undefined) return writeHost(model, host, output, build, context);
    if (times !== undefined) {
      const plan = planTuning(spaceOfFile(model, build));
      const file = readTimes(plan, new TextDecoder().decode(readBytes(times)), times);
      writeAll([{ file: output, bytes: textOf(file) }]);
      report(file, context);
      context.print(`\n${output}: measured on ${file.measuredOn}. Use it: sigmaflow compile ${args.positionals[0]} -o DIR ${build.options} --tuning ${output}`);
      return 0;
    }
    return search(model, output, budget, build, context);
  },
};

/** `90s`, `5m`, `90`. */
function seconds(text: string): number {
  const match = /^(\d+(?:\.\d+)?)(s|m)?$/.exec(text);
  const value = match ? Number(match[1]) * (match[2] === 'm' ? 60 : 1) : NaN;
  return value > 0 && value <= 86400 ? value : usage(command, '--budget', `expected a time such as 90s or 5m, at most a day; found "${text}"`);
}

interface Build extends Machine {
  readonly batch?: number;
}

const spaceOfFile = (model: ModelFile, build: Build) => atFile(model.file, () => spaceOf(importModel(model), { ...build, ...model.twin }));

async function writeHost(model: ModelFile, host: string, output: string, build: Build, { print }: Context): Promise<number> {
  const plan = planTuning(spaceOfFile(model, build));
  const bytes = host === 'wasi' ? await tuningCommand(plan) : await tuningPage(plan, model.name);
  writeAll([{ file: output, bytes }]);
  const schedules = plan.groups.reduce((n, g) => n + g.entrants.length, 0);
  print(`${output}: ${plural(schedules, 'schedule')} of ${plural(plan.groups.length, 'kernel')}, ${count(bytes.length)} bytes`);
  print(host === 'wasi' ? `There: wasmtime ${output} > times.json` : 'There: open it in the browser, start, save the times.');
  print(`Back here: sigmaflow tune ${model.file} ${build.options} --times times.json -o RECORDS.json`);
  return 0;
}

async function search(model: ModelFile, output: string, budget: number, build: Build, { print }: Context): Promise<number> {
  const previous = existing(output, build.target);
  if (previous) print(`${output}: going on from ${plural(Object.keys(previous.kernels).length, 'kernel')}`);
  let stopped = false;
  const stop = (): void => void (stopped = true);
  process.once('SIGINT', stop);
  const measuredOn = `node ${process.versions.node} (V8 ${process.versions.v8}), ${os.cpus()[0]?.model.trim() ?? os.arch()}`;
  const save = (file: TuningFile): void => writeAll([{ file: output, bytes: textOf(file) }]);
  const progress = progressLine();
  try {
    const file = await atFile(model.file, () => tune(importModel(model), {
      ...build, ...model.twin, budget, previous, measuredOn, clock: processorTime, stopped: () => stopped,
      onProgress(p) {
        save(p.file);
        progress.show(`${p.seconds.toFixed(0)} of ${budget} s, ${p.done} of ${p.kernels} kernels, ${p.schedules} schedules, time ${(p.ratio * 100).toFixed(1)} % of the default's: ${p.kernel}`);
      },
    })).finally(progress.end);
    save(file);
    report(file, { print });
    await compareWhole(model, build, file, print);
    const open = Object.values(file.kernels).filter((r) => !r.complete).length;
    print(open > 0 ? `${stopped ? 'Stopped' : 'The budget is spent'}: ${plural(open, 'kernel')} left with schedules to try. The same command goes on.` : 'Nothing is left to try.');
    print(`${output}: use it with  sigmaflow compile ${model.file} -o DIR ${build.options} --tuning ${output}`);
    return 0;
  } finally {
    process.removeListener('SIGINT', stop);
  }
}

/** The tuning file that is there; one for another target is refused rather than lost. */
function existing(file: string, target: string): TuningFile | undefined {
  let bytes: Uint8Array;
  try {
    bytes = readBytes(file);
  } catch {
    return undefined;
  }
  const found = parseTuning(new TextDecoder().decode(bytes), file);
  if (found.target !== target) usage(command, '-o', `${file} holds records for the target ${found.target}, and this search is for ${target}`, 'Name another file.');
  return found;
}

const textOf = (file: TuningFile): string => `${JSON.stringify(file, null, 1)}\n`;

function report(file: TuningFile, { print }: Pick<Context, 'print'>): void {
  const rows = Object.values(file.kernels).map((r) => [r.kernel, String(r.tried.length), r.schedule ? `${(r.ratio * 100).toFixed(1)} %` : 'default', r.schedule ? r.schedule.nests[0].flatMap((s) => (s.step === 'split' ? [`${s.loop} by ${s.factor}`] : [])).join(', ') : '']);
  print(table([['kernel', 'tried', 'time', 'splits'], ...rows], [1, 2]));
}

/** The whole model with and without the records, beside one another: what counts. */
async function compareWhole(model: ModelFile, build: Build, tuning: TuningFile, print: Context['print']): Promise<void> {
  if (Object.values(tuning.kernels).every((r) => !r.schedule)) return print('\nThe defaults were best.');
  const sessions = await Promise.all([undefined, tuning].map(async (t) => loadSync((await compile(importModel(model), { ...build, ...model.twin, tuning: t })).wasm as Uint8Array<ArrayBuffer>).session()));
  const { timings: [before, after] } = measure(sessions.map((s) => repeated(() => s.run())), 1, { clock: processorTime });
  print(`\nThe whole model: ${duration(before.median / 1000)} by default, ${duration(after.median / 1000)} tuned, ratio ${(after.median / before.median).toFixed(3)} (quartiles ${duration(after.low / 1000)} to ${duration(after.high / 1000)})`);
}
