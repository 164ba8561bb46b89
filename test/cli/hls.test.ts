/**
 * `sigmaflow hls` and the engine hls of `verify`, as users run them: the project's C simulation passes and sees one flipped bit, and
 * what cannot be made is refused by one diagnostic with nothing left behind.
 */
import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { gunzipSync } from 'node:zlib';
import { fileURLToPath } from 'node:url';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { readNpy, writeNpy } from '../../sdk/data/npy.js';
import { command, example, root, temporaryFolder } from './command.js';

const folder = temporaryFolder();
const { at, save } = folder;
const python = process.env.SIGMAFLOW_PYTHON ?? 'python3';
const hasCompiler = spawnSync('g++', ['--version']).status === 0;
const needsCompiler = (name: string, run: () => unknown): void => test(name, hasCompiler ? async () => void (await run()) : () => console.log(`SKIP ${name}: g++ is missing; apt-get install -y g++`));

/** The project's own C simulation. */
function csim(project: string, ...argv: string[]): { status: number | null; out: string; err: string } {
  const { status, stdout, stderr } = spawnSync('make', ['-s', '-C', project, 'csim', ...argv], { encoding: 'utf8' });
  return { status, out: stdout, err: stderr };
}

const list = (place: string): string[] => (fs.readdirSync(place, { recursive: true }) as string[]).sort();
const files = (place: string): string[] => list(place).filter((name) => fs.statSync(path.join(place, name)).isFile());

/** The diagnostic of a refused command line, with the test's folder taken out; nothing else is printed, nothing is left behind. */
async function refusal(status: number, ...argv: string[]): Promise<string> {
  const before = list(at('.'));
  const result = await command(...argv);
  assert.is(result.status, status, result.out + result.err);
  assert.is(result.out, '');
  assert.equal(list(at('.')), before, 'files were left behind');
  return result.err.replaceAll(path.dirname(at('x')), 'DIR').trimEnd();
}
const hls = (...argv: string[]): Promise<string> => refusal(1, 'hls', example, '--board', 'pynq-z2', ...argv);

/** The PYNQ-Z2's description, to be changed. */
const pynq = (): Record<string, unknown> & { resources: Record<string, number> } => JSON.parse(fs.readFileSync(path.join(root, 'boards', 'pynq-z2', 'board.json'), 'utf8'));

const project = at('mlp');
test('a project for the PYNQ-Z2: every file of it', async () => {
  const { status, out, err } = await command('hls', example, '--board', 'pynq-z2', '-o', project);
  assert.is(status, 0, err);
  assert.match(out, /^\S+mlp: \d+ files for PYNQ-Z2 \(xc7z020clg400-1\) at 100 MHz, \d+ processes, 8 calls in the test bench\n\S+ µs latency, 1\.28 µs of it for memory to answer, a call every \S+ µs; about [\d,]+ LUTs, .* block RAMs \(as fast as fits\)\nnext: make -C \S+mlp csim;/);
  const headers = fs.readdirSync(path.join(root, 'boards', 'simulation')).filter((name) => name.endsWith('.h') && name !== 'sigmaflow_hls.h');
  const expected = ['Makefile', 'README.md', 'folding.json', 'report.html', 'report.json', 'vitis_hls.tcl', 'vivado.tcl', 'host/driver.py', 'tb/testbench.cpp',
    ...['mlp_w2a2.cpp', 'mlp_w2a2.h', 'kernels.h', 'weights.h', 'sigmaflow_hls.h'].map((name) => `src/${name}`), ...headers.map((name) => `sim/${name}`), 'tb/data/input_input.npy', 'tb/data/output_logits.npy'];
  assert.equal(files(project), expected.sort());
  assert.match(fs.readFileSync(path.join(project, 'vitis_hls.tcl'), 'utf8'), /^set_part xc7z020clg400-1\ncreate_clock -period 10 /m);
  const text = fs.readFileSync(path.join(project, 'report.html'), 'utf8');
  assert.not.match(text, /undefined|NaN|https?:/);
  assert.match(text, /The same circuit without them/);
  const figures = JSON.parse(fs.readFileSync(path.join(project, 'report.json'), 'utf8'));
  const { cycles, ...size } = figures.built;
  assert.equal(size, figures.resources);
  assert.ok(cycles <= figures.interval && figures.interval <= figures.latency);
  const ways = figures.optimizations.flatMap((o: { without: { way: string }[] }) => o.without.map((w) => w.way));
  assert.equal(ways, ['normalization in float32', 'quantizers in float32', 'thresholds of 32 bits', 'sums of 32 bits', 'constants in block RAM', 'constants in LUTs', 'queues of whole tensors']);
});

needsCompiler('its C simulation passes, and names the element whose expected bit is flipped', () => {
  const { status, out, err } = csim(project);
  assert.is(err, '');
  assert.is(out, 'PASS: mlp_w2a2, 8 calls, 80 values equal in every bit\n');
  assert.is(status, 0);
  const file = path.join(project, 'tb', 'data', 'output_logits.npy');
  const bytes = fs.readFileSync(file);
  const { shape } = readNpy(new Uint8Array(bytes), file);
  assert.equal(shape, [8, 1, 10]);
  const flipped = Buffer.from(bytes);
  flipped[flipped.length - 4 * (10 * 8 - 37)] ^= 1; // the lowest bit of element 7 of call 3
  fs.writeFileSync(file, flipped);
  const failed = csim(project);
  assert.is.not(failed.status, 0);
  assert.match(failed.out, /^FAIL: call 3, output_logits\[0, 7\] is (\S+) \([0-9a-f]{8}\), expected \S+ \([0-9a-f]{8}\)\nFAIL: 1 of 80 values differ\n$/);
  fs.writeFileSync(file, bytes.subarray(0, bytes.length - 1));
  assert.match(csim(project).out, /^FAIL: tb\/data\/output_logits\.npy is damaged, expected 80 elements of 4 bytes\n$/);
  fs.writeFileSync(file, bytes);
});

test('without a compiler, make says what to install', () => {
  const { status, err } = csim(project, 'CXX=no-such-compiler', '-B');
  assert.is.not(status, 0);
  assert.match(err, /^no-such-compiler is missing: install it \(Debian, Ubuntu: apt-get install -y g\+\+\), or name a compiler: make csim CXX=clang\+\+\n/);
});

needsCompiler('a folding, own inputs, a clock and the board file of an Arty; --force replaces the project and nothing else', async () => {
  const asked = JSON.parse(fs.readFileSync(path.join(project, 'folding.json'), 'utf8')) as Record<string, { pe: number; simd: number }>;
  const dense = Object.keys(asked).find((name) => /fc|gemm|matmul/i.test(name))!;
  asked[dense] = { pe: 2, simd: 4 };
  const folding = save('folding.json', JSON.stringify(asked));
  const digits = save('digits.npy', writeNpy({ shape: [3, 1, 28, 28], data: Float32Array.from({ length: 3 * 784 }, (_, i) => (i % 5) / 5) }));
  const board = path.join(root, 'boards', 'arty-a7-100t', 'board.json');
  fs.mkdirSync(path.join(project, 'hls'));
  fs.writeFileSync(path.join(project, 'hls', 'made'), 'by synthesis');
  const { status, out, err } = await command('hls', example, '--board', board, '-o', project, '--force', '--clock', '0.08GHz', '--folding', folding, '--input', digits);
  assert.is(status, 0, err);
  assert.match(out, /for Arty A7-100T \(xc7a100tcsg324-1\) at 80 MHz, .* 3 calls in the test bench/);
  assert.ok(fs.existsSync(path.join(project, 'hls', 'made')));
  assert.not.ok(fs.existsSync(path.join(project, 'host', 'driver.py')), 'a driver of the project before');
  assert.equal(JSON.parse(fs.readFileSync(path.join(project, 'folding.json'), 'utf8'))[dense], { pe: 2, simd: 4 });
  assert.match(fs.readFileSync(path.join(project, 'src', 'kernels.h'), 'utf8'), /#pragma HLS UNROLL/);
  assert.is(csim(project).out, 'PASS: mlp_w2a2, 3 calls, 30 values equal in every bit\n');
});

test('the test bench holds images of a data set, through the preprocessing', async () => {
  const images = path.join(root, 'examples', 'data', 'mnist600-images.idx3-ubyte.gz');
  const { status, out, err } = await command('hls', example, '--board', 'pynq-z2', '-o', at('images'), '--images', images, '--normalize', '0.5,0.25', '--limit', '3');
  assert.is(status, 0, err);
  assert.match(out, /3 calls in the test bench/);
  const { shape, data } = readNpy(fs.readFileSync(at('images/tb/data/input_input.npy')), 'input_input.npy');
  assert.equal(shape, [3, 1, 1, 28, 28]);
  const bytes = gunzipSync(fs.readFileSync(images)).subarray(16, 16 + 3 * 784);
  assert.equal([...data as Float32Array], [...bytes].map((b) => Math.fround((b / 255 - 0.5) / 0.25)));

  const refuse = (...argv: string[]): Promise<string> => hls('-o', at('none'), ...argv);
  const misused = (...argv: string[]): Promise<string> => refusal(2, 'hls', example, '--board', 'pynq-z2', '-o', at('none'), ...argv);
  assert.match(await refuse('--images', images), /^error \[run\/data-type\] \S*mnist600-images.idx3-ubyte.gz: these are bytes, .*\n  Say it with --normalize/);
  assert.match(await refuse('--images', images.replace('images.idx3', 'labels.idx1'), '--normalize', '0,1'), /the model takes \[N, 1, 28, 28\], found \[600\]/);
  assert.match(await misused('--images', images, '--input', images), /^error \[cli\/usage\] --images: inputs come from --input or from a data set/);
  assert.match(await misused('--images', images, '--random', '3'), /^error \[cli\/usage\] --images: inputs are either given or drawn/);
  assert.match(await misused('--limit', '3'), /^error \[cli\/usage\] --limit: it belongs to --images/);
});

/** Runs a program where there is one; true where it found nothing wrong. */
function checks(program: string, ...argv: string[]): boolean {
  const { status, stderr, error } = spawnSync(program, argv, { encoding: 'utf8' });
  if (error) console.log(`SKIP a syntax check: ${program} is missing`);
  else assert.is(status, 0, `${program} ${argv.join(' ')}: ${stderr}`);
  return !error;
}

test('the syntax of scripts and drivers', () => {
  const complete = save('complete.tcl', 'foreach file $argv { set in [open $file]; if {![info complete [read $in]]} { puts stderr $file; exit 1 } }');
  checks('tclsh', complete, ...['vitis_hls.tcl', 'vivado.tcl', 'host/build.tcl', 'host/load.tcl'].map((name) => path.join(project, name)));
  checks('gcc', '-std=c99', '-Wall', '-Wextra', '-Werror', '-Wno-int-to-pointer-cast', '-fsyntax-only', path.join(project, 'host', 'main.c'));
  checks(python, '-c', 'import ast, sys; ast.parse(open(sys.argv[1]).read())', path.join(project, 'host', 'build.py'));
});

test('the PYNQ driver: validation and shapes, on a circuit that answers what the test bench expects', async () => {
  const { status, err } = await command('hls', example, '--board', 'pynq-z2', '-o', at('pynq'), '--random', '3');
  assert.is(status, 0, err);
  save('drive.py', [
    'import sys, numpy as np',
    'sys.path.insert(0, sys.argv[1] + "/host")',
    'import driver',
    'class Circuit(driver.Network):',
    '    def __init__(self, wrong):',
    '        self.answers = driver.vectors("output_logits", driver.data_folder()).copy()',
    '        self.answers[1, 0, 4] += wrong',
    '        self.at = 0',
    '        self.buffers = {a: np.zeros(s, d) for a, (_, d, s) in {**driver.INPUTS, **driver.OUTPUTS}.items()}',
    '    def call(self):',
    '        assert np.array_equal(self.buffers["input_input"], driver.vectors("input_input", driver.data_folder())[self.at])',
    '        self.buffers["output_logits"][:] = self.answers[self.at]',
    '        self.at += 1',
    'assert driver.validate(Circuit(0), driver.data_folder()) == 0',
    'assert driver.validate(Circuit(1), driver.data_folder()) == 1',
    'try:',
    '    Circuit(0).run(np.zeros((3, 5)))',
    'except ValueError as error:',
    '    print(error)',
  ].join('\n'));
  const { status: ran, stdout, stderr } = spawnSync(python, [at('drive.py'), at('pynq')], { encoding: 'utf8' });
  if (/No module named 'numpy'/.test(stderr) || ran === null) return console.log('SKIP the PYNQ driver: no Python with numpy; name one in SIGMAFLOW_PYTHON');
  assert.is(ran, 0, stderr);
  assert.match(stdout, /^PASS: every bit as expected\nFAIL: call 1, logits\[0, 4\] is \S+, expected \S+\nFAIL: 1 values differ\ninput: expected shape \[1, 1, 28, 28\] or \[calls\] and that, found \[3, 5\]\n$/);
});

needsCompiler('a network of moments in float32, and one of convolutions', async () => {
  const weights = path.join(root, 'examples', 'bayesian', 'lenet5.safetensors');
  const large = save('large.json', JSON.stringify({ ...pynq(), title: 'a large part', resources: { lut: 1e7, lutram: 1e6, ff: 1e7, bram18: 1e5, dsp: 1e5 } }));
  for (const [name, ...model] of [['lenet', path.join(path.dirname(example), 'lenet_w4a4.onnx')], ['bayesian', 'lenet5', '--posterior', weights]]) {
    const { status, err } = await command('hls', ...model, '--board', large, '-o', at(name), '--random', '2', '--folding', save('none.json', '{}'));
    assert.is(status, 0, err);
    assert.match(csim(at(name), 'CXXFLAGS=-O0').out, /^PASS: /);
  }
});

const tfc = fileURLToPath(new URL('../../../shared/data/qonnx/models/TFC_2W2A.onnx', import.meta.url));
needsCompiler('verify --engine hls: the bits of every other engine, on TFC_2W2A', async () => {
  if (!fs.existsSync(tfc)) return console.log('SKIP TFC_2W2A: ../shared/data/qonnx is missing');
  const { status, out } = await command('verify', tfc, '--engine', 'hls');
  assert.is(status, 0, out);
  assert.match(out, /^  hls +[0-9a-f]{16}  equal$/m);
  assert.match(out, /All engines agree in every bit\.$/m);
});

test('no g++: verify says how to install it', async () => {
  const before = process.env.PATH;
  process.env.PATH = '';
  try {
    assert.is(await refusal(1, 'verify', example, '--engine', 'hls'), 'error [hls/simulation] g++: C simulation needs the compiler g++, which is not here\n  Install it: apt-get install -y g++.');
  } finally {
    process.env.PATH = before;
  }
});

test('boards and clocks that are none', async () => {
  const out = ['-o', at('no')];
  assert.is(await refusal(2, 'hls', example, ...out), 'error [cli/usage] --board: "hls" needs --board NAME\n  See `sigmaflow hls --help`.'.replace('--board: ', '-b: ').replace('needs --board', 'needs -b'));
  assert.is(await refusal(2, 'hls', example, '--board', 'pynq-z2'), 'error [cli/usage] -o: "hls" needs -o DIR\n  See `sigmaflow hls --help`.');
  assert.is(await refusal(1, 'hls', example, '--board', 'pynq-z1', ...out), 'error [target/board] pynq-z1: there is no such board\n  Did you mean "pynq-z2"?\n  A board of your own: give its file, BOARD.json.');
  assert.is(await refusal(1, 'hls', example, '--board', 'raspberry-pi-4', ...out), 'error [target/board] raspberry-pi-4: expected a board with an FPGA, found a processor (Cortex-A72)\n  Take pynq-z2, arty-a7-100t or a board file of kind "fpga"; for a processor, compile --board.');
  const { part: _, ...rest } = pynq();
  const lacking = save('lacking.json', JSON.stringify(rest));
  assert.match(await refusal(1, 'hls', example, '--board', lacking, ...out), /^error \[target\/board\] DIR\/lacking\.json: the field "part" is missing: /);
  assert.is(await hls(...out, '--clock', '5GHz'), 'error [hls/clock] --clock: expected at most 200 MHz, which circuits on PYNQ-Z2 reach, found 5GHz\n  Ask for less: --clock 100MHz is the default of pynq-z2.');
  for (const clock of ['fast', '-5MHz', '10ns', '0', '1THz']) {
    assert.is(await refusal(2, 'hls', example, '--board', 'pynq-z2', ...out, `--clock=${clock}`), `error [cli/usage] --clock: expected a frequency such as 100MHz, found "${clock}"\n  Units: Hz, kHz, MHz, GHz.\n  See \`sigmaflow hls --help\`.`);
  }
});

test('a latency or a rate chooses the folding; a slower goal takes a smaller circuit', async () => {
  const made = async (...goal: string[]): Promise<{ microseconds: number; interval: number; luts: number; folding: Record<string, { pe: number; simd: number }> }> => {
    const { status, out, err } = await command('hls', example, '--board', 'pynq-z2', '-o', at('goal'), '--force', '--random', '1', ...goal);
    assert.is(status, 0, err);
    const [, latency, unit, every, everyUnit, luts] = /^(\S+) ([mµ])s latency, \S+ µs of it for memory to answer, a call every (\S+) ([mµ])s; about ([\d,]+) LUTs/m.exec(out)!;
    const micro = (n: string, u: string): number => Number(n) * (u === 'm' ? 1000 : 1);
    return { microseconds: micro(latency, unit), interval: micro(every, everyUnit), luts: Number(luts.replaceAll(',', '')), folding: JSON.parse(fs.readFileSync(at('goal/folding.json'), 'utf8')) };
  };
  const fast = await made('--latency', '60us');
  const slow = await made('--latency', '0.4ms');
  const rate = await made('--fps', '20000');
  assert.ok(fast.microseconds <= 60 && slow.microseconds <= 400 && rate.interval <= 50, JSON.stringify([fast, slow, rate]));
  assert.ok(slow.luts < fast.luts);
  save('again.json', JSON.stringify(fast.folding));
  const again = await made('--folding', at('again.json'));
  assert.equal(again, fast, 'folding.json gives the same circuit');
});

test('a folding that names the convolutions alone: pools are folded to keep up, and folding.json names them', async () => {
  const lenet = path.join(path.dirname(example), 'lenet_w4a4.onnx');
  const made = async (...more: string[]): Promise<{ out: string; folding: Record<string, { pe: number; simd: number }> }> => {
    const { status, out, err } = await command('hls', lenet, '--board', 'arty-a7-100t', '-o', at('keep'), '--force', '--random', '1', '--folding', ...more);
    assert.is(status, 0, err);
    return { out, folding: JSON.parse(fs.readFileSync(at('keep/folding.json'), 'utf8')) };
  };
  const plain = await made(save('nothing.json', '{}'));
  const layers = Object.keys(plain.folding).filter((name) => /conv|fc|gemm|matmul/i.test(name));
  const [pool] = Object.keys(plain.folding).filter((name) => /pool/i.test(name));
  const named = save('layers.json', JSON.stringify(Object.fromEntries(layers.map((name, i) => [name, [{ pe: 8, simd: 5 }, { pe: 8, simd: 4 }, { pe: 8, simd: 5 }, { pe: 5, simd: 4 }][i]]))));
  const { out, folding } = await made(named);
  assert.match(out, new RegExp(`\\(folded as layers\\.json says; not in it, and folded to keep up: .*${pool} \\(PE \\d+, SIMD \\d+\\)`));
  assert.ok(folding[pool].pe * folding[pool].simd > 1);
  assert.equal(folding[layers[0]], { pe: 8, simd: 5 });
  const again = await made(save('whole.json', JSON.stringify(folding)));
  assert.equal(again.folding, folding);
  assert.match(again.out, /\(folded as whole\.json says\)$/m);
});

test('goals that cannot be met', async () => {
  const out = ['-o', at('no')];
  assert.is(await refusal(2, 'hls', example, '--board', 'pynq-z2', ...out, '--latency', '20us', '--fps', '1000'), 'error [cli/usage] --fps: --latency says already how the circuit is folded\n  Give one of the two.\n  See `sigmaflow hls --help`.');
  assert.is(await refusal(2, 'hls', example, '--board', 'pynq-z2', ...out, '--latency', '20'), 'error [cli/usage] --latency: expected a time such as 20us, found "20"\n  Units: ns, us, µs, ms, s.\n  See `sigmaflow hls --help`.');
  assert.is(await hls(...out, '--latency', '1us'), 'error [fabric/goal] --latency: memory on PYNQ-Z2 takes 1.28 µs of every call to answer, and 1us was asked for\n  Ask for more than that, or take a higher clock.');
  assert.match(await hls(...out, '--latency', '2us'), /^error \[fabric\/(goal|does-not-fit)\] \S+: for a latency of 200 cycles .*\n/);
  assert.match(await hls(...out, '--fps', '1e9'), /^error \[fabric\/(goal|does-not-fit)\] \S+: for an image every 0 cycles .*\n/);
  const board = pynq();
  const small = save('small.json', JSON.stringify({ ...board, resources: { ...board.resources, lut: 2000, lutram: 500 } }));
  assert.match(await refusal(1, 'hls', example, '--board', small, ...out), /^error \[fabric\/does-not-fit\] \S+: the smallest circuit takes [\d,]+ LUTs, and there is room for 0: [\d,]+ too many\n(.*\n)*  PYNQ-Z2 has 2,000 LUTs, of which the processor needs about 3,267 to reach the circuit\.$/);
  assert.match(await refusal(1, 'hls', example, '--board', small, ...out, '--folding', save('one.json', '{}')), /^error \[fabric\/does-not-fit\] \S+: the circuit takes [\d,]+ LUTs, and there is room for 0\n  \S+ alone takes [\d,]+\.\n  PYNQ-Z2 has 2,000 LUTs, of which the processor needs about 3,267 to reach the circuit\.\n  Fold it more \(smaller pe and simd\), or take a larger board\.$/);
});

test('foldings that do not fit', async () => {
  const fold = (text: string): Promise<string> => hls('-o', at('no'), '--folding', save('bad.json', text));
  assert.match(await fold('{'), /^error \[hls\/folding\] DIR\/bad\.json: expected JSON, found text that is not: .*\n  Write \{"KERNEL": \{"pe": 4, "simd": 2\}, \.\.\.\}, as folding\.json of a project has it\.$/);
  const names = Object.keys(JSON.parse(fs.readFileSync(path.join(project, 'folding.json'), 'utf8')));
  const dense = names.find((name) => /fc|gemm|matmul/i.test(name))!;
  const whole = `"${dense}" must be an object with whole numbers "pe" and "simd" from 1 on, found`;
  for (const value of [{ pe: 0 }, { pe: -2 }, { pe: 2, lanes: 3 }, { simd: 1.5 }, [2, 2], 'all']) {
    assert.is(await fold(JSON.stringify({ [dense]: value })), `error [hls/folding] DIR/bad.json: ${whole} ${JSON.stringify(value)}\n  Write {"KERNEL": {"pe": 4, "simd": 2}, ...}, as folding.json of a project has it.`);
  }
  assert.is(await fold(JSON.stringify({ [`${dense}x`]: { pe: 2 } })), `error [hls/folding] DIR/bad.json: the model has no kernel "${dense}x"\n  Did you mean "${dense}"?`);
  assert.is(await fold(JSON.stringify({ [dense]: { cores: 0 } })), `error [hls/folding] DIR/bad.json: "cores" of "${dense}" must be a whole number from 1 on, found 0\n  Leave "cores" away where operations share none.`);
  assert.match(await fold(JSON.stringify({ [names[names.length - 1]]: { process: 'other' } })), /^error \[hls\/folding\] DIR\/bad\.json: "\S+" cannot run in the process "other": that must be a kernel ahead of it\n/);
  assert.match(await fold(JSON.stringify({ [dense]: { simd: 9973 } })), /^error \[hls\/folding\] DIR\/bad\.json: "\S+" cannot have simd 9973: it must divide \d+\n  Take one of 1, 2, /);
});

test('models and inputs that are none', async () => {
  const bytes = fs.readFileSync(example);
  const other = (name: string, text: Uint8Array, ...argv: string[]): Promise<string> => refusal(1, 'hls', save(name, text), '--board', 'pynq-z2', '-o', at('no'), ...argv);
  assert.is(await other('short.onnx', bytes.subarray(0, 5000)), 'error [onnx/not-a-model] DIR/short.onnx: expected an ONNX model, found 5000 bytes that are not one\n  Give an .onnx file; if it is one, it is truncated or damaged: export or download it again.');
  assert.match(await other('empty.onnx', new Uint8Array(0)), /^error \[onnx\/not-a-model\] DIR\/empty\.onnx: expected an ONNX model, found 0 bytes that are not one\n/);
  const flat = save('flat.npy', writeNpy({ shape: [3, 5], data: new Float32Array(15) }));
  assert.is(await hls('-o', at('no'), '--input', flat), 'error [run/shape] input: expected float32 of shape [N, 1, 28, 28], found shape [3, 5] in DIR/flat.npy\n  Reshape it: N inputs are [N, 1, 28, 28].');
  assert.is(await hls('-o', at('no'), '--input', `image=${flat}`), 'error [run/unknown-input] image: the model has no input "image"\n  Valid: input.');
  assert.match(await hls('-o', at('no'), '--folding', save('list.json', '[1]')), /^error \[hls\/folding\] DIR\/list\.json: expected an object with a folding by kernel\n/);
});

test('places where no project can be', async () => {
  assert.match(await hls('-o', save('file', 'x')), /^error \[file\/unwritable\] DIR\/file: expected a folder, found that .* is a file\n  Choose another place with -o or --output\.$/);
  assert.is(await hls('-o', project), 'error [file/unwritable] DIR/mlp: there is a project in this folder already\n  Replace it with --force, or choose another place with -o or --output.');
  fs.mkdirSync(at('mine/src'), { recursive: true });
  assert.is(await hls('-o', at('mine'), '--force'), 'error [file/unwritable] DIR/mine: expected an empty folder, found 1 other entry in it (src)\n  Choose another place with -o or --output.');
});

test.after(folder.remove);
test.run();
