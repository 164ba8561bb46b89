/** Board files: the boards that the package brings, and every way in which a file can be wrong, told in words. */
import { spawnSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { DiagnosticError } from '../../codegen/ir/diagnostic.js';
import { busCycles, parseBoard, targetOfBoard, type Board } from '../../codegen/targets/board.js';
import { processors } from '../../codegen/targets/processor.js';
import { boardNames, readBoard } from '../../sdk/cli/boards.js';
import { temporaryFolder } from '../cli/command.js';
import { python } from '../support/wasmtime.js';

type Json = Record<string, unknown>;
const folder = temporaryFolder();
const root = fileURLToPath(new URL('../..', import.meta.url));
const names = boardNames(root);
const json = (name: string): Json => JSON.parse(readFileSync(`${root}boards/${name}/board.json`, 'utf8')) as Json;

function told(work: () => unknown): string {
  try {
    work();
  } catch (error) {
    if (error instanceof DiagnosticError) return error.message;
    throw error;
  }
  return '';
}

test('the boards of the package: one folder each, whose name is theirs', () => {
  assert.equal(names, ['arty-a7-100t', 'browser', 'pynq-z2', 'raspberry-pi-3', 'raspberry-pi-4', 'raspberry-pi-5']);
  for (const name of names) {
    const board = readBoard(name, root);
    assert.is(board.name, name);
    assert.not.ok('$schema' in board);
    assert.match(readFileSync(`${root}boards/${name}/README.md`, 'utf8'), new RegExp(`^# .*${board.title}`));
  }
});

test('figures of the parts and targets of the processors', () => {
  const resources = (name: string) => (readBoard(name, root) as Board & { kind: 'fpga' }).resources;
  // Data sheets DS190 and DS180; blocks of 36 Kbit there, 140 and 135.
  assert.equal(resources('pynq-z2'), { lut: 53200, lutram: 17400, ff: 106400, bram18: 2 * 140, dsp: 220 });
  assert.equal(resources('arty-a7-100t'), { lut: 63400, lutram: 19000, ff: 126800, bram18: 2 * 135, dsp: 240 });
  const targets = names.map((name) => readBoard(name, root)).map((b) => (b.kind === 'processor' ? `${b.core} ${targetOfBoard(b)}` : b.part));
  assert.equal(targets, ['xc7a100tcsg324-1', 'unknown simd128', 'xc7z020clg400-1', 'Cortex-A53 simd128', 'Cortex-A72 simd128', 'Cortex-A76 relaxed']);
  assert.is(targetOfBoard(parseBoard({ ...json('browser'), features: [] }, 'b') as Board & { kind: 'processor' }), 'scalar');
});

test('the bus to memory: what a file says, and what it leaves away by its interface', () => {
  const bus = (file: Json): unknown => (parseBoard(file, 'b') as Board & { kind: 'fpga' }).bus;
  assert.equal(['pynq-z2', 'arty-a7-100t'].map((name) => bus(json(name))), [{ bits: 64, read: 64, write: 64 }, { bits: 32, read: 64, write: 64 }]);
  assert.equal(['pynq-z2', 'arty-a7-100t'].map((name) => bus(without(json(name), 'bus'))), [{ bits: 64, read: 64, write: 64 }, { bits: 32, read: 64, write: 64 }]);
  assert.equal(bus({ ...json('pynq-z2'), bus: { read: 30 } }), { bits: 64, read: 30, write: 64 });
  const board = parseBoard({ ...json('pynq-z2'), bus: { bits: 32, read: 30, write: 20 } }, 'b') as Board & { kind: 'fpga' };
  assert.is(busCycles(board), 50);
});

const fpga = json('pynq-z2');
const pi = json('raspberry-pi-4');
const withClock = (clock: unknown): Json => ({ ...fpga, clock });

test('told in words: fields that are missing, wrong or unknown', () => {
  const cases: readonly (readonly [unknown, string])[] = [
    [[], 'expected an object that describes a board, found []\n  Write a file like boards/pynq-z2/board.json.'],
    [{}, 'the field "kind" is missing: "fpga" or "processor"\n  Add "kind"; the boards in boards/ have examples.'],
    [{ ...fpga, kind: 'fpgas' }, '"kind" must be "fpga" or "processor", found "fpgas"\n  Did you mean "fpga"?'],
    [{ ...fpga, kind: 7 }, '"kind" must be "fpga" or "processor", found 7\n  Correct "kind"; boards/board.schema.json has every field.'],
    [without(fpga, 'part'), 'the field "part" is missing: a part such as "xc7z020clg400-1"\n  Add "part"; the boards in boards/ have examples.'],
    [{ ...fpga, resources: without(fpga.resources as Json, 'dsp') }, 'the field "resources.dsp" is missing: a whole number of slices, 0 to 100000000\n  Add "resources.dsp"; the boards in boards/ have examples.'],
    [{ ...fpga, resources: 53200 }, '"resources" must be an object with "lut", "lutram", "ff", "bram18", "dsp", found 53200\n  Correct "resources"; boards/board.schema.json has every field.'],
    [{ ...fpga, resources: { ...(fpga.resources as Json), bram: 140 } }, 'there is no field "resources.bram"\n  Did you mean "bram18"?'],
    [{ ...fpga, resources: { ...(fpga.resources as Json), lut: 0.5 } }, '"resources.lut" must be a whole number of lookup tables, 1 to 100000000, found 0.5\n  Correct "resources.lut"; boards/board.schema.json has every field.'],
    [withClock({ default: '100MHz', most: 200 }), '"clock.default" must be a number of MHz, 1 to 10000, found "100MHz"\n  Correct "clock.default"; boards/board.schema.json has every field.'],
    [withClock({ default: 250, most: 200 }), '"clock.default" is 250 MHz, above "clock.most", 200 MHz\n  Correct one of the two.'],
    [{ ...fpga, resources: { ...(fpga.resources as Json), lutram: 60000 } }, '"resources.lutram" is 60000, above "resources.lut", 53200, of which they are a part\n  Correct one of the two.'],
    [{ ...fpga, interface: 'zinq' }, '"interface" must be "zynq" or "microblaze", found "zinq"\n  Did you mean "zynq"?'],
    [{ ...fpga, bus: { bits: 128 } }, '"bus.bits" must be 32 or 64, found 128\n  Correct "bus.bits"; boards/board.schema.json has every field.'],
    [{ ...fpga, bus: { read: -1 } }, '"bus.read" must be a whole number of cycles, 0 to 100000, found -1\n  Correct "bus.read"; boards/board.schema.json has every field.'],
    [{ ...fpga, features: [] }, 'there is no field "features"\n  Valid: $schema, kind, name, title, part, boardPart, resources, clock, interface, pins, host, memory, and 1 more.'],
    [{ ...fpga, interface: 'microblaze' }, 'the field "pins" is missing, which the interface "microblaze" needs: where clock, reset and serial line are\n  Add "pins"; boards/arty-a7-100t/board.json has an example.'],
    [{ ...pi, processor: 'arm46' }, '"processor" must be "x86-64" or "arm64", found "arm46"\n  Did you mean "arm64"?'],
    [{ ...pi, features: ['simd', 'simd'] }, '"features" must be a list of "simd" or "relaxed-simd", each once, found ["simd","simd"]\n  Correct "features"; boards/board.schema.json has every field.'],
    [{ ...pi, features: ['relaxed_simd'] }, '"features[0]" must be "simd" or "relaxed-simd", found "relaxed_simd"\n  Did you mean "relaxed-simd"?'],
    [{ ...pi, features: ['relaxed-simd'] }, '"features" has "relaxed-simd" without "simd", which it extends\n  Add "simd".'],
    [{ ...pi, title: ' ' }, '"title" must be a name for people, found " "\n  Correct "title"; boards/board.schema.json has every field.'],
    [{ ...pi, name: 'x'.repeat(99) + '!' }, `"name" must be a name of lower-case letters, digits and dashes, found "${'x'.repeat(56)}...\n  Correct "name"; boards/board.schema.json has every field.`],
  ];
  for (const [file, text] of cases) assert.is(told(() => parseBoard(file, 'b.json')), `error [target/board] b.json: ${text}`);
});

test('a file of one\'s own; files that are not there or no JSON', () => {
  writeFileSync(folder.at('mine.json'), JSON.stringify({ ...fpga, name: 'mine' }));
  assert.is(readBoard(folder.at('mine.json'), root).name, 'mine');
  assert.is((parseBoard({ ...fpga, part: 'xc7a35ticsg324-1L' }, 'b') as Board & { kind: 'fpga' }).part, 'xc7a35ticsg324-1L');
  writeFileSync(folder.at('broken.json'), '{ "kind": ');
  assert.match(told(() => readBoard(folder.at('broken.json'), root)), /broken\.json: expected JSON, found text that is not: .*\n {2}Correct it; boards\/pynq-z2\/board\.json is an example\.$/);
  assert.match(told(() => readBoard(folder.at('min.json'), root)), /error \[file\/unreadable\] .*min\.json: there is no such file\n {2}Did you mean "mine\.json"\?$/);
  assert.is(told(() => readBoard('raspberrypi-4', root)), 'error [target/board] raspberrypi-4: there is no such board\n  Did you mean "raspberry-pi-4"?\n  A board of your own: give its file, BOARD.json.');
});

function without(object: Json, name: string): Json {
  const { [name]: _, ...rest } = object;
  return rest;
}

/** A file with each of its fields left out, of another type, out of range, and with one more. */
function changed(file: Json): Json[] {
  const out: Json[] = [file, { ...file, more: 1 }];
  for (const [name, value] of Object.entries(file)) {
    out.push(without(file, name));
    for (const other of [null, true, '', ' ', 'A b', 'fpga', 'processor', -1, 0, 0.5, 1, 20000, 1e9, [], ['simd'], ['simd', 'simd'], ['relaxed-simd', 'simd'], ['relaxed-simd'], ['x'], [1], {}]) out.push({ ...file, [name]: other });
    if (typeof value === 'object' && value !== null && !Array.isArray(value)) for (const inner of changed(value as Json)) out.push({ ...file, [name]: inner });
  }
  return out;
}

test('the JSON schema and parseBoard accept and refuse the same files', () => {
  if (spawnSync(python, ['-c', 'import jsonschema']).status !== 0) return console.log(`SKIP the JSON schema: ${python} has no jsonschema; pip install -r test/python/requirements.txt, and name the interpreter in SIGMAFLOW_PYTHON`);
  // What a schema cannot say is compared elsewhere: numbers with one another.
  const files = names.flatMap((name) => changed(json(name))).filter((file) => !/above "/.test(told(() => parseBoard(file, 'b'))));
  const script = `
import json, sys, jsonschema
schema = json.load(open(sys.argv[1]))
jsonschema.Draft202012Validator.check_schema(schema)
validator = jsonschema.Draft202012Validator(schema)
print(json.dumps([validator.is_valid(file) for file in json.load(sys.stdin)]))
`;
  const { stdout, stderr } = spawnSync(python, ['-c', script, `${root}boards/board.schema.json`], { input: JSON.stringify(files), encoding: 'utf8', maxBuffer: 2 ** 24 });
  assert.is(stderr, '');
  const valid = JSON.parse(stdout) as boolean[];
  files.forEach((file, i) => assert.is(valid[i], told(() => parseBoard(file, 'b')) === '', JSON.stringify(file)));
  assert.ok(files.length > 1000 && valid.filter(Boolean).length >= names.length, `${files.length} files`);
  const schema = JSON.parse(readFileSync(`${root}boards/board.schema.json`, 'utf8')) as { $defs: { processor: { properties: { processor: { enum: string[] } } } } };
  assert.equal(schema.$defs.processor.properties.processor.enum, Object.keys(processors));
});

test.after(() => folder.remove());

test.run();
