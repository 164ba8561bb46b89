/** `sigmaflow compile`: writes a model's module, its TypeScript declaration, and on demand what every stage made. */
import path from 'node:path';
import type { Artifact } from '../../codegen/compile.js';
import { parseTuning } from '../../codegen/schedule/records.js';
import { bundleFiles } from '../compile.js';
import { boardOption, machineOf } from './boards.js';
import { usage, type Command } from './command.js';
import { normalizeOption, preprocessingOf } from './datasets.js';
import { build } from './engines.js';
import { checkFolder, readBytes, writeAll, type Output } from './files.js';
import { batchOption, largestBatch, readModel, processorOption, targetOption, targets, posteriorOptions } from './models.js';
import { count, duration, table } from './text.js';

const stages = ['graph', 'program', 'source', 'wat'] as const;
const stageFile: Readonly<Record<(typeof stages)[number], string>> = { graph: 'graph.txt', program: 'program.txt', source: 'source.ts', wat: 'wat' };

export const command: Command = {
  name: 'compile',
  usage: 'MODEL.onnx -o DIR [options]',
  about: `Compiles a model. Writes DIR/NAME.wasm (weights, memory plan and manifest inside; no imports) and DIR/NAME.d.ts (its inputs and
outputs), where NAME is the model file's name without .onnx. With --bundle: one module a target, and NAME.mjs, from which an
app imports load().`,
  positionals: ['MODEL.onnx'],
  options: [
    { name: 'output', short: 'o', value: 'DIR', doc: 'the folder to write to; made where it is missing' },
    boardOption,
    targetOption,
    processorOption,
    { name: 'fast-math', doc: 'target relaxed: float sums by fused multiply-add; faster, and the bits differ between machines' },
    batchOption,
    ...posteriorOptions,
    normalizeOption,
    { name: 'bundle', doc: `NAME.TARGET.wasm for ${targets.join(', ')}, and NAME.mjs: its load() fetches the best for an engine` },
    { name: 'tuning', value: 'FILE', doc: 'measured schedules, as "sigmaflow tune" writes them; they change no result' },
    { name: 'wasi', doc: 'write also NAME.wasi.wasm, a command that reads .npy and writes .npy or JSON' },
    { name: 'emit', value: 'LIST', doc: `what stages made, some of ${stages.join(',')}: NAME.graph.txt, .program.txt, .source.ts, .wat` },
  ],
  examples: ['sigmaflow compile mlp.onnx -o out', 'sigmaflow compile mlp.onnx -o out --bundle', 'sigmaflow compile mlp.onnx -o out --board raspberry-pi-5 --wasi', 'sigmaflow compile mlp.onnx -o out --target scalar --batch 8 --wasi --emit graph,source'],
  async run(args, context) {
    const [file] = args.positionals;
    const folder = args.required('output');
    if (folder === '') usage(command, '-o', 'expected a folder, found an empty name');
    const batch = args.integer('batch', 1, largestBatch);
    const emit = args.list('emit', stages) as readonly (typeof stages)[number][];
    checkFolder(folder);
    const bundle = args.flag('bundle');
    if (bundle && args.flag('target')) usage(command, '--target', 'a bundle has every target', 'Leave --target away, or --bundle.');
    const { target, processor, title } = machineOf(args, context.root);
    const fastMath = args.flag('fast-math');
    if (fastMath && bundle) usage(command, '--fast-math', 'all builds of a bundle give the same bits', 'Leave --fast-math away, or --bundle.');
    if (fastMath && target !== 'relaxed') usage(command, '--fast-math', 'fast math is relaxed SIMD', 'Say --target relaxed, or leave --fast-math away.');
    const preprocessing = preprocessingOf(args);
    const model = readModel(file, args);

    const tuningFile = args.text('tuning');
    const tuning = tuningFile === undefined ? undefined : parseTuning(new TextDecoder().decode(readBytes(tuningFile)), tuningFile);
    const start = performance.now();
    const artifact = await build(model, { target, processor, fastMath, batch, preprocessing, wasi: args.flag('wasi'), tuning, wat: emit.includes('wat') });
    const builds: Record<string, Artifact> = {};
    for (const other of bundle ? targets : []) builds[other] = other === target ? artifact : await build(model, { target: other, processor, batch, preprocessing, tuning: tuning?.target === other ? tuning : undefined });
    const time = performance.now() - start;

    const place = (extension: string): string => path.join(folder, `${model.name}.${extension}`);
    const modules: Output[] = bundle
      ? Object.entries(bundleFiles(builds, model.name)).map(([name, bytes]) => ({ file: path.join(folder, name), bytes }))
      : [{ file: place('wasm'), bytes: artifact.wasm }, { file: place('d.ts'), bytes: artifact.declaration }];
    writeAll([
      ...modules,
      ...(artifact.wasi ? [{ file: place('wasi.wasm'), bytes: artifact.wasi }] : []),
      ...emit.map((stage) => ({ file: place(stageFile[stage]), bytes: artifact.stages[stage] ?? '' })),
    ]);
    const { constantBytes, arenaBytes } = artifact.manifest;
    const figures = `weights ${count(constantBytes)} bytes, peak ${count(arenaBytes)} bytes at run time, compiled in ${duration(time)}${title === undefined ? '' : `\nfor ${title}: ${bundle ? '' : `target ${target}, `}tiles for ${processor}`}`;
    if (bundle) context.print(`${table(modules.slice(0, -1).map(({ file, bytes }) => [`${file}:`, count(bytes.length), 'bytes']), [1])}\n${figures}`);
    else context.print(`${place('wasm')}: ${count(artifact.wasm.length)} bytes, ${figures}`);
    return 0;
  },
};
