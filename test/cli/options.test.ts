/** How arguments are read: every refusal by name, with the nearest valid name. */
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { DiagnosticError } from '../../codegen/ir/diagnostic.js';
import { commandHelp, parseArguments, type Command } from '../../sdk/cli/command.js';

const command: Command = {
  name: 'paint',
  usage: 'WALL -o DIR [options]',
  about: 'Paints a wall.',
  positionals: ['WALL'],
  options: [
    { name: 'output', short: 'o', value: 'DIR', doc: 'where to' },
    { name: 'colour', value: 'NAME', doc: 'red or green', choices: ['red', 'green'] },
    { name: 'coats', value: 'N', doc: 'how many' },
    { name: 'input', value: 'FILE', doc: 'pictures', repeated: true },
    { name: 'parts', value: 'LIST', doc: 'some' },
    { name: 'dry', doc: 'no paint' },
  ],
  examples: ['sigmaflow paint north -o out'],
  run: async () => 0,
};

const parse = (...argv: string[]) => parseArguments(command, argv)!;

function refusal(what: () => unknown): string {
  try {
    what();
  } catch (error) {
    assert.instance(error, DiagnosticError);
    return (error as Error).message;
  }
  throw new Error('was accepted');
}

test('values in every spelling', () => {
  const args = parse('-o', 'out', 'north', '--colour=red', '--input', 'a', '--input=b=c', '--dry', '--coats', '-3');
  assert.equal(args.positionals, ['north']);
  assert.is(args.text('output'), 'out');
  assert.is(args.text('colour'), 'red');
  assert.equal(args.texts('input'), ['a', 'b=c']);
  assert.ok(args.flag('dry'));
  assert.is(args.integer('coats', -5, 5), -3);
  assert.is(parse('north', '-oout').text('output'), 'out');
  assert.equal(parse('--dry', '--', '--north').positionals, ['--north']);
});

test('help is asked for anywhere', () => {
  assert.is(parseArguments(command, ['--coats', '3', '--help']), undefined);
  assert.is(parseArguments(command, ['-h']), undefined);
});

const see = '\n  See `sigmaflow paint --help`.';

test('what is refused, and how', () => {
  assert.is(refusal(() => parse('north', '--color', 'red')), `error [cli/usage] --color: "paint" has no option --color\n  Did you mean "--colour"?${see}`);
  assert.is(refusal(() => parse('north', '-x')), `error [cli/usage] -x: "paint" has no option -x\n  Valid: --output, --colour, --coats, --input, --parts, --dry.${see}`);
  assert.is(refusal(() => parse('north', '--colour', 'gren')), `error [cli/usage] --colour: expected red, green, found "gren"\n  Did you mean "green"?${see}`);
  assert.is(refusal(() => parse('north', '--coats')), `error [cli/usage] --coats: --coats needs a value: --coats N${see}`);
  assert.is(refusal(() => parse('north', '--coats', '--dry')), `error [cli/usage] --coats: --coats needs a value: --coats N${see}`);
  assert.is(refusal(() => parse('north', '--dry=yes')), `error [cli/usage] --dry: --dry takes no value, found "yes"${see}`);
  assert.is(refusal(() => parse('north', '--dry', '--dry')), `error [cli/usage] --dry: --dry is given twice${see}`);
  assert.is(refusal(() => parse()), `error [cli/usage] WALL: "paint" needs WALL${see}`);
  assert.is(refusal(() => parse('north', 'south')), `error [cli/usage] south: "paint" takes WALL, found also "south"${see}`);
  assert.is(refusal(() => parse('north').required('output')), `error [cli/usage] -o: "paint" needs -o DIR${see}`);
});

test('whole numbers and lists', () => {
  for (const text of ['0', '1.5', 'many', '', '1e3', '99999999999999999999']) {
    assert.is(refusal(() => parse('north', `--coats=${text}`).integer('coats', 1, 9)), `error [cli/usage] --coats: expected a whole number of 1 to 9, found "${text}"${see}`);
  }
  assert.equal(parse('north', '--parts', 'a,b').list('parts', ['a', 'b', 'c']), ['a', 'b']);
  assert.equal(parse('north').list('parts', ['a']), []);
  assert.is(refusal(() => parse('north', '--parts', 'a,progam').list('parts', ['a', 'program'])), `error [cli/usage] --parts: expected some of a, program, found "progam"\n  Did you mean "program"?${see}`);
  assert.is(refusal(() => parse('north', '--parts', ',').list('parts', ['a'])), `error [cli/usage] --parts: expected some of a, found nothing${see}`);
});

test('help', () => {
  assert.is(
    commandHelp(command),
    `usage: sigmaflow paint WALL -o DIR [options]

Paints a wall.

options:
  -o, --output DIR   where to
      --colour NAME  red or green
      --coats N      how many
      --input FILE   pictures (may be repeated)
      --parts LIST   some
      --dry          no paint
  -h, --help         print this text

example:
  sigmaflow paint north -o out`,
  );
});

test.run();
