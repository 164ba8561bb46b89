/**
 * The entry of the command line: picks the command, prints help, and turns whatever is thrown into one diagnostic and an
 * exit status (0 done, 1 failed, 2 not understood). The commands are in their own files and loaded when asked for.
 */
import fs from 'node:fs';
import path from 'node:path';
import { DiagnosticError, formatDiagnostic, suggest } from '../../codegen/ir/diagnostic.js';
import { ModelError } from '../runtime/error.js';
import { commandHelp, parseArguments, usage, type Command, type Context } from './command.js';

/** Every command: its line in the help, and where it is. */
const commands: Readonly<Record<string, { readonly summary: string; load(): Promise<{ readonly command: Command }> }>> = {
  compile: { summary: 'a model into one WebAssembly module', load: () => import('./compile.js') },
  run: { summary: 'inputs through a model or a module', load: () => import('./run.js') },
  hls: { summary: 'a model as a circuit: a project for an FPGA', load: () => import('./hls.js') },
  quantize: { summary: 'a float model into one of 8 bits or fewer', load: () => import('./quantize.js') },
  verify: { summary: 'whether every engine gives the same bits', load: () => import('./verify.js') },
  profile: { summary: 'where a model\'s time goes, step by step', load: () => import('./profile.js') },
  inspect: { summary: 'what a model or a module consists of', load: () => import('./inspect.js') },
  tune: { summary: 'faster schedules of a model, by measurement', load: () => import('./tune.js') },
  doctor: { summary: 'what this machine can run, and what it lacks', load: () => import('./doctor.js') },
  uncertainty: { summary: 'what a classifier knows of its own doubt', load: () => import('./uncertainty.js') },
  demo: { summary: 'a trained network on handwritten digits', load: () => import('./demo.js') },
};

function help(version: string): string {
  return [
    `sigmaflow ${version}: quantized neural networks as single WebAssembly modules`,
    '',
    'usage: sigmaflow COMMAND [options]',
    '',
    ...Object.entries(commands).map(([name, { summary }]) => `  ${name.padEnd(13)}${summary}`),
    '',
    '  sigmaflow COMMAND --help   usage, options and examples of a command',
    '  sigmaflow --version        the version',
  ].join('\n');
}

/** Runs one command line (without node and script); returns the exit status. `root` is the package's folder. */
export async function main(argv: readonly string[], root: string): Promise<number> {
  const version = String(JSON.parse(fs.readFileSync(path.join(root, 'package.json'), 'utf8')).version);
  const context: Context = { root, version, print: (text) => void process.stdout.write(`${text}\n`) };
  try {
    const [name, ...rest] = argv;
    if (name === undefined || name === '--help' || name === '-h' || name === 'help') {
      context.print(help(version));
      return name === undefined ? 2 : 0;
    }
    if (name === '--version' || name === '-v') {
      context.print(version);
      return 0;
    }
    if (!Object.hasOwn(commands, name)) {
      return usage(undefined, name, `there is no ${name.startsWith('-') ? 'option' : 'command'} "${name}"`, suggest(name, Object.keys(commands), 'command'));
    }
    const { command } = await commands[name].load();
    const args = parseArguments(command, rest);
    if (!args) {
      context.print(commandHelp(command));
      return 0;
    }
    return await command.run(args, context);
  } catch (error) {
    return report(error);
  }
}

/** Prints what went wrong, without a stack trace unless SIGMAFLOW_TRACE is set. */
function report(error: unknown): number {
  if (error instanceof DiagnosticError || error instanceof ModelError) {
    process.stderr.write(`${error.message}\n`);
    return error.diagnostic.code === 'cli/usage' ? 2 : 1;
  }
  const message = error instanceof Error ? error.message : String(error);
  const text = formatDiagnostic({
    code: 'internal/fault',
    message: message.split('\n')[0] || 'an error without a message',
    notes: ['This is a fault of sigmaflow. Set SIGMAFLOW_TRACE=1 to see where it arises, and report it with the model.'],
  });
  process.stderr.write(`${text}\n`);
  if (process.env.SIGMAFLOW_TRACE && error instanceof Error) process.stderr.write(`${error.stack}\n`);
  return 1;
}
