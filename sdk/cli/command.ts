/**
 * What a command of the command line is, and how its arguments are read. Not here: any command.
 *
 * Options are `--name value`, `--name=value`, `-o value`; flags take none. Whatever a command does not know is refused by
 * name (cli/usage, exit status 2).
 */
import { fail, suggest } from '../../codegen/ir/diagnostic.js';

export interface Option {
  /** Without the dashes. */
  readonly name: string;
  /** One letter. */
  readonly short?: string;
  /** How help names the value; absent for a flag. */
  readonly value?: string;
  readonly doc: string;
  /** The values allowed, where they are few. */
  readonly choices?: readonly string[];
  /** May be given several times. */
  readonly repeated?: boolean;
}

export interface Context {
  /** The package's folder (examples, package.json). */
  readonly root: string;
  readonly version: string;
  /** Writes a line to standard output. */
  print(text: string): void;
}

export interface Command {
  readonly name: string;
  /** What stands between the command's name and its options. */
  readonly usage: string;
  /** What it does, in a sentence or three; lines of at most 100 characters. */
  readonly about: string;
  /** Names of the positional arguments; all are required. */
  readonly positionals: readonly string[];
  readonly options: readonly Option[];
  readonly examples: readonly string[];
  /** Returns the exit status. */
  run(args: Arguments, context: Context): Promise<number>;
}

/** The arguments of one call, read. */
export class Arguments {
  constructor(
    readonly command: Command,
    readonly positionals: readonly string[],
    private readonly values: ReadonlyMap<string, readonly string[]>,
  ) {}

  flag(name: string): boolean {
    return this.values.has(name);
  }

  text(name: string): string | undefined {
    return this.values.get(name)?.[0];
  }

  texts(name: string): readonly string[] {
    return this.values.get(name) ?? [];
  }

  required(name: string): string {
    const text = this.text(name);
    if (text !== undefined) return text;
    const option = this.command.options.find((o) => o.name === name)!;
    return usage(this.command, spell(option), `"${this.command.name}" needs ${spell(option)} ${option.value}`);
  }

  /** A whole number of [least, most]. */
  integer(name: string, least: number, most: number): number | undefined {
    const text = this.text(name);
    if (text === undefined) return undefined;
    const value = /^[+-]?\d+$/.test(text) ? Number(text) : NaN;
    if (value >= least && value <= most) return value;
    return usage(this.command, `--${name}`, `expected a whole number of ${least} to ${most}, found "${text}"`);
  }

  /** A number of [least, most]. */
  number(name: string, least: number, most: number): number | undefined {
    const text = this.text(name);
    if (text === undefined) return undefined;
    const value = text.trim() === '' ? NaN : Number(text);
    if (value >= least && value <= most) return value;
    return usage(this.command, `--${name}`, `expected a number of ${least} to ${most}, found "${text}"`);
  }

  /** A list with commas, each of the option's choices. */
  list(name: string, choices: readonly string[]): readonly string[] {
    const items = (this.text(name) ?? '').split(',').filter((item) => item !== '');
    for (const item of items) {
      if (!choices.includes(item)) return usage(this.command, `--${name}`, `expected some of ${choices.join(', ')}, found "${item}"`, suggest(item, choices, 'value'));
    }
    if (this.flag(name) && items.length === 0) return usage(this.command, `--${name}`, `expected some of ${choices.join(', ')}, found nothing`);
    return items;
  }
}

/** Raises cli/usage and points at the command's help. */
export function usage(command: Pick<Command, 'name'> | undefined, at: string | undefined, message: string, ...notes: string[]): never {
  return fail('cli/usage', at, message, ...notes, `See \`sigmaflow ${command ? `${command.name} ` : ''}--help\`.`);
}

const spell = (option: Option): string => (option.short ? `-${option.short}` : `--${option.name}`);

/** Reads the arguments of a command; undefined where they ask for its help. */
export function parseArguments(command: Command, argv: readonly string[]): Arguments | undefined {
  const values = new Map<string, string[]>();
  const positionals: string[] = [];
  const rest = [...argv];
  while (rest.length > 0) {
    const arg = rest.shift()!;
    if (arg === '--') {
      positionals.push(...rest.splice(0));
    } else if (arg === '--help' || arg === '-h') {
      return undefined;
    } else if (arg.startsWith('--') || (arg.startsWith('-') && arg.length > 1)) {
      const long = arg.startsWith('--');
      const cut = long ? arg.indexOf('=') : arg.length > 2 ? 2 : -1;
      const given = cut < 0 ? arg : arg.slice(0, cut);
      const option = command.options.find((o) => (long ? o.name === given.slice(2) : o.short === given.slice(1)));
      if (!option) {
        const names = command.options.map((o) => `--${o.name}`);
        return usage(command, given, `"${command.name}" has no option ${given}`, suggest(given, names, 'option'));
      }
      let value = cut < 0 ? undefined : arg.slice(long ? cut + 1 : cut);
      if (option.value === undefined) {
        if (value !== undefined) return usage(command, given, `${given} takes no value, found "${value}"`);
        value = '';
      } else if (value === undefined) {
        // A number may be negative; anything else with a dash is the next option.
        if (rest.length === 0 || /^-[^\d]/.test(rest[0])) return usage(command, given, `${given} needs a value: ${given} ${option.value}`);
        value = rest.shift()!;
      }
      if (option.choices && !option.choices.includes(value)) {
        return usage(command, given, `expected ${option.choices.join(', ')}, found "${value}"`, suggest(value, option.choices, 'value'));
      }
      const before = values.get(option.name);
      if (before && !option.repeated) return usage(command, given, `${given} is given twice`);
      values.set(option.name, [...(before ?? []), value]);
    } else {
      positionals.push(arg);
    }
  }
  if (positionals.length < command.positionals.length) {
    const missing = command.positionals[positionals.length];
    return usage(command, missing, `"${command.name}" needs ${missing}`);
  }
  if (positionals.length > command.positionals.length) {
    const extra = positionals[command.positionals.length];
    return usage(command, extra, `"${command.name}" takes ${command.positionals.length === 0 ? 'no argument' : command.positionals.join(' and ')}, found also "${extra}"`);
  }
  return new Arguments(command, positionals, values);
}

/** The text of `sigmaflow COMMAND --help`. */
export function commandHelp(command: Command): string {
  const all: readonly Option[] = [...command.options, { name: 'help', short: 'h', doc: 'print this text' }];
  const heads = all.map((o) => `${o.short ? `-${o.short}, ` : '    '}--${o.name}${o.value ? ` ${o.value}` : ''}`);
  const width = Math.max(...heads.map((h) => h.length)) + 2;
  return [
    `usage: sigmaflow ${command.name} ${command.usage}`.trimEnd(),
    '',
    command.about,
    '',
    'options:',
    ...all.map((o, i) => `  ${heads[i].padEnd(width)}${o.doc}${o.repeated ? ' (may be repeated)' : ''}`),
    '',
    command.examples.length > 1 ? 'examples:' : 'example:',
    ...command.examples.map((e) => `  ${e}`),
  ].join('\n');
}
