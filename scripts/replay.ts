/**
 * The replay: what every example model becomes, stage by stage, held against committed hashes. A refactoring shows no
 * difference; a change of meaning or of schedule shows where it begins.
 *
 *   npm run replay                        compares with test/rules/replay.json; status 1 where a stage differs
 *   npm run replay -- --write             renews the hashes: look at the differences first, and say why in the change log
 *   npm run replay -- --print [WORD ...]  prints the stages whose title contains every word, to be compared by diff
 *
 * Not here: the module's bytes, which the assembler may change, and answers (test/models).
 */
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { build, runPasses } from '../codegen/compile.js';
import { importOnnx } from '../codegen/import/onnx.js';
import { hashText } from '../codegen/ir/hash.js';
import { printGraph, printProgram } from '../codegen/ir/print.js';
import { lower } from '../codegen/schedule/lower.js';
import { targets } from '../codegen/targets/target.js';

const models = new URL('../examples/models/', import.meta.url);
export const replayFile = new URL('../test/rules/replay.json', import.meta.url);

export interface Stage {
  /** File name of the model. */
  readonly model: string;
  /** `graph` (after the passes), `lowered`, then `scheduled for TARGET`: each is made from the one before. */
  readonly stage: string;
  readonly text: string;
}

/** Hashes by model and stage, as they are committed. */
export type Hashes = Readonly<Record<string, Readonly<Record<string, string>>>>;

/** The stages of every model in examples/models, in order. */
export function replay(): Stage[] {
  const files = readdirSync(models).filter((file) => file.endsWith('.onnx')).sort();
  return files.flatMap((model) => {
    const graph = runPasses(importOnnx(new Uint8Array(readFileSync(new URL(model, models)))));
    return [
      { model, stage: 'graph', text: printGraph(graph) },
      { model, stage: 'lowered', text: printProgram(lower(graph).program) },
      ...Object.values(targets).map((target) => ({ model, stage: `scheduled for ${target.name}`, text: printProgram(build(graph, target).program) })),
    ];
  });
}

/** The hash of every stage's text. */
export function hashStages(stages: readonly Stage[]): Hashes {
  const hashes: Record<string, Record<string, string>> = {};
  for (const { model, stage, text } of stages) (hashes[model] ??= {})[stage] = hashText(text);
  return hashes;
}

/** One line for every stage whose hash is not the committed one, or that only one side has. */
export function differences(found: Hashes, committed: Hashes): string[] {
  const names = (a: object = {}, b: object = {}): string[] => [...new Set([...Object.keys(a), ...Object.keys(b)])];
  return names(found, committed).flatMap((model) =>
    names(found[model], committed[model]).flatMap((stage) => {
      const [now, before] = [found[model]?.[stage], committed[model]?.[stage]];
      if (now === before) return [];
      return [`${model}, ${stage}: ${before === undefined ? 'is new' : now === undefined ? 'is gone' : 'differs'}`];
    }),
  );
}

/** The committed hashes; none where there is no file yet. */
export function committedHashes(): Hashes {
  try {
    return JSON.parse(readFileSync(replayFile, 'utf8'));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return {};
    throw error;
  }
}

export const advice = 'Where this is not what you meant, `npm run replay -- --print MODEL STAGE` here and at the last commit show what changed; where it is, `npm run replay -- --write` renews the hashes.';

function main(args: readonly string[]): number {
  const [option, ...words] = args;
  if ((option !== undefined && option !== '--write' && option !== '--print') || (option === '--write' && words.length > 0)) {
    console.error(`error [cli/usage] ${args.join(' ')}: expected nothing, --write, or --print [WORD ...]`);
    return 1;
  }
  const stages = replay();
  if (option === '--print') {
    const title = ({ model, stage }: Stage): string => `${model}, ${stage}`;
    const chosen = stages.filter((s) => words.every((word) => title(s).includes(word)));
    for (const s of chosen) console.log(`==== ${title(s)}\n${s.text}`);
    if (chosen.length === 0) console.error(`no stage has ${words.join(' and ')} in its title; there are:\n${stages.map((s) => `  ${title(s)}`).join('\n')}`);
    return chosen.length === 0 ? 1 : 0;
  }
  const hashes = hashStages(stages);
  const lines = differences(hashes, committedHashes());
  for (const line of lines) console.log(line);
  if (option === '--write') {
    writeFileSync(replayFile, `${JSON.stringify(hashes, undefined, 2)}\n`);
    console.log(`wrote ${fileURLToPath(replayFile)}: ${stages.length} stages, ${lines.length} changed`);
    return 0;
  }
  console.log(lines.length === 0 ? `${stages.length} stages, none differs` : `${lines.length} of ${stages.length} stages differ. ${advice}`);
  return lines.length === 0 ? 0 : 1;
}

if (process.argv[1] && import.meta.url === pathToFileURL(process.argv[1]).href) process.exitCode = main(process.argv.slice(2));
