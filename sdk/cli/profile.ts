/** `sigmaflow profile`: where a network's time goes, step by step, beside what the machine can do. */
import { spawnSync } from 'node:child_process';
import os from 'node:os';
import path from 'node:path';
import { fail } from '../../codegen/ir/diagnostic.js';
import { parseTuning } from '../../codegen/schedule/records.js';
import { processorTime } from '../host/clock.js';
import { profile } from '../profile/profile.js';
import { profileReport } from '../profile/report.js';
import { usage, type Arguments, type Command, type Context } from './command.js';
import { referenceEngine } from './engines.js';
import { checkFile, readBytes, writeAll, type Output } from './files.js';
import { atFile, batchOption, largestBatch, readModel, targetOf, targetOption, type ModelFile, posteriorOptions } from './models.js';
import { profileText } from './profileText.js';
import { relaxedHint, relaxedHost } from './relaxed.js';
import { readInputs, slice } from './tensors.js';

const outputs = ['report', 'json'] as const;

export const command: Command = {
  name: 'profile',
  usage: 'MODEL.onnx [options]',
  about: `Runs each step (kernel) of a compiled model apart and says what it takes: time, share, rate, fraction of the limit, bytes.
The limit is what this machine reaches in the same run: multiply-adds a second in hand-made micro-kernels, and bytes a
second for the step's working set.`,
  positionals: ['MODEL.onnx'],
  options: [
    targetOption,
    batchOption,
    ...posteriorOptions,
    { name: 'tuning', value: 'FILE', doc: 'measured schedules, as "sigmaflow tune" writes them' },
    { name: 'input', short: 'i', value: '[NAME=]FILE', doc: '.npy, or .npz with arrays by input name; one call\'s worth is used', repeated: true },
    { name: 'budget', value: 'SECONDS', doc: 'how long to measure, 1 to 600 (default 5)' },
    { name: 'order', value: 'ORDER', doc: 'time (slowest first, default) or program', choices: ['time', 'program'] },
    { name: 'all', doc: 'list every step, also those that take next to nothing' },
    { name: 'report', value: 'FILE.html', doc: 'draw it: bars, roofline and table, in one page that needs nothing else' },
    { name: 'json', value: 'FILE', doc: 'write it as JSON' },
  ],
  examples: ['sigmaflow profile net.onnx', 'sigmaflow profile net.onnx --target scalar --budget 10 --report net.html --json net.json'],
  async run(args, context) {
    const batch = args.integer('batch', 1, largestBatch);
    const seconds = args.integer('budget', 1, 600);
    // What can be refused is refused before anything is measured.
    const places = outputs.filter((name) => args.flag(name)).map((name) => ({ name, file: args.text(name)! }));
    for (const { name, file } of places) {
      if (file === '') usage(command, `--${name}`, 'expected a file, found an empty name');
      checkFile(file, `--${name}`);
    }
    if (places.length === 2 && path.resolve(places[0].file) === path.resolve(places[1].file)) usage(command, '--json', `${places[1].file} is to hold the report already`, 'Name another file.');
    const model = readModel(args.positionals[0], args);
    const inputs = args.flag('input') ? firstCall(model, args.texts('input'), batch) : undefined;
    const tuningFile = args.text('tuning');
    const tuning = tuningFile === undefined ? undefined : parseTuning(new TextDecoder().decode(readBytes(tuningFile)), tuningFile);
    if (targetOf(args) === 'relaxed') {
      const host = relaxedHost();
      if (host === undefined) fail('target/unsupported', model.name, `Node ${process.versions.node} has no relaxed SIMD that computes rightly`, relaxedHint);
      if (host !== 'here') return runIn(host, args, context);
    }

    const result = await atFile(model.file, () =>
      profile(model.architecture ?? model.bytes, { name: model.name, readExternal: model.readExternal, posterior: model.posterior, ...model.twin, target: targetOf(args), batch, tuning, seconds, inputs, machine: machine(), clock: processorTime, onRound: showProgress }),
    );
    if (process.stderr.isTTY) process.stderr.write('\r\x1b[K');
    const texts = { report: profileReport, json: (p: typeof result) => `${JSON.stringify(p, null, 2)}\n` };
    writeAll(places.map(({ name, file }): Output => ({ file, bytes: texts[name](result) })), places.map(({ name }) => `--${name}`).join(' or '));
    context.print(profileText(result, { all: args.flag('all'), order: args.text('order') === 'program' ? 'program' : 'time' }));
    for (const { file } of places) context.print(`${file} written`);
    return 0;
  },
};

/** This command in another Node, which has what the target needs. */
function runIn(node: string, args: Arguments, { root, print }: Context): number {
  const options = command.options.flatMap(({ name, value }) => (value === undefined ? (args.flag(name) ? [`--${name}`] : []) : args.texts(name).map((text) => `--${name}=${text}`)));
  const { status, stdout } = spawnSync(node, [path.join(root, 'bin', 'sigmaflow.mjs'), command.name, ...options, '--', ...args.positionals], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'inherit'] });
  if (stdout) print(stdout.trimEnd());
  return status ?? 1;
}

/** The inputs of one call from the files of `--input`. */
function firstCall(model: ModelFile, files: readonly string[], batch: number | undefined): Record<string, ArrayLike<number>> {
  const known = referenceEngine(model, batch);
  const tensors = slice(readInputs(files, known.inputs), known.inputs, known.batch, 0);
  return Object.fromEntries(Object.entries(tensors).map(([name, { data }]) => [name, data]));
}

const machine = () => ({
  processor: os.cpus()[0]?.model.trim() ?? 'unknown processor',
  system: `${os.platform()} ${os.arch()}, ${os.availableParallelism()} processors`,
  engine: `Node ${process.versions.node}, V8 ${process.versions.v8}`,
  clock: 'processor time of the process',
});

/** One line that the next one overwrites, where somebody looks. */
function showProgress(done: number, rounds: number): void {
  if (process.stderr.isTTY) process.stderr.write(`\rmeasuring, round ${done} of ${rounds}`);
}
