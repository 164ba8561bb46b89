/**
 * What a project says to the vendor's tools and boards, run for real on stand-ins written after the manuals: vivado.tcl on a model of
 * the IPs, the drivers on registers with the circuit's C simulation behind them, the Makefile on tools that only record.
 */
import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { command, example, root, temporaryFolder } from '../cli/command.js';
import { runDriver, runProgram } from './hosts.js';
import { runVivado } from './vivadoModel.js';

const { at, save, remove } = temporaryFolder();
const python = process.env.SIGMAFLOW_PYTHON ?? 'python3';
const has = (program: string, ...argv: string[]): boolean => spawnSync(program, argv).status === 0;
const [hasCompiler, hasNumpy, hasTcl] = [has('g++', '--version') && has('gcc', '--version'), has(python, '-c', 'import numpy'), spawnSync('tclsh', [], { input: '' }).status === 0];
const skip = (what: string, needs: string): void => console.log(`SKIP ${what}: ${needs}`);
const names = ['input_input', 'output_logits'];

async function project(name: string, ...argv: string[]): Promise<string> {
  const { status, err } = await command('hls', example, '-o', at(name), '--random', '3', ...argv);
  assert.is(status, 0, err);
  return at(name);
}

test('PYNQ-Z2: the block design is whole, and the driver gets the circuit\'s bits through registers and caches', async () => {
  const folder = await project('zynq', '--board', 'pynq-z2', '--clock', '80MHz');
  const design = runVivado(folder, 'mlp_w2a2_top', 2, ['vivado/mlp_w2a2.runs/impl_1/system_wrapper.bit', 'vivado/mlp_w2a2.gen/sources_1/bd/system/hw_handoff/system.hwh']);
  if (design) {
    assert.equal(design.faults, []);
    assert.is(design.cells.get('ps')!.properties.get('CONFIG.PCW_FPGA0_PERIPHERAL_FREQMHZ'), '80');
    assert.equal(design.reaches('ps/M_AXI_GP0'), ['circuit/s_axi_control/Reg']);
    for (const i of [0, 1]) assert.equal(design.reaches(`circuit/m_axi_gmem${i}`), ['ps/S_AXI_HP0/HP0_DDR_LOWOCM']);
    assert.ok(fs.existsSync(path.join(folder, 'build', 'mlp_w2a2.bit')) && fs.existsSync(path.join(folder, 'build', 'mlp_w2a2.hwh')));
  } else skip('vivado.tcl', 'no tclsh; apt-get install -y tcl');
  if (!hasCompiler || !hasNumpy) return skip('driver.py', 'it needs g++ and a Python with numpy; name one in SIGMAFLOW_PYTHON');
  const passed = runDriver(folder, 'mlp_w2a2', names, python, 'validate');
  assert.is(passed.out, 'PASS: every bit as expected\n', passed.err);
  assert.is(passed.status, 0);
  const timed = runDriver(folder, 'mlp_w2a2', names, python, 'throughput', '2');
  assert.match(timed.out, /^[\d.]+ us a call, \d+ calls a second\n$/);
  const other = runDriver(folder, 'mlp_w2a2', ['elsewhere', 'output_logits'], python, 'validate');
  assert.match(other.err, /the overlay has no register for input_input; is this the bit file of mlp_w2a2\?/);
});

test('Arty A7-100T: the block design is whole, its addresses are the program\'s, and the program gets the circuit\'s bits', async () => {
  const folder = await project('microblaze', '--board', 'arty-a7-100t');
  const made = ['vivado/mlp_w2a2.runs/impl_1/system_wrapper.bit'];
  const design = runVivado(folder, 'mlp_w2a2_top', 2, made);
  const header = fs.readFileSync(path.join(folder, 'host', 'circuit.h'), 'utf8');
  const defined = (name: string): number => Number(new RegExp(`^#define ${name} (\\S+)u$`, 'm').exec(header)![1]);
  const shared = design?.addresses.get('buffers/S_AXI/Mem0') ?? { offset: defined('INPUT_INPUT_ADDRESS'), bytes: 4096 };
  if (design) {
    assert.equal(design.faults, []);
    assert.equal(design.reaches('processor/M_AXI_DP').sort(), ['buffers/S_AXI/Mem0', 'circuit/s_axi_control/Reg', 'serial/S_AXI/Reg']);
    for (const i of [0, 1]) assert.equal(design.reaches(`circuit/m_axi_gmem${i}`), ['buffers/S_AXI/Mem0']);
    for (const [bus, cell] of [['DLMB', 'data_memory'], ['ILMB', 'instruction_memory']]) {
      assert.equal(design.reaches(`processor/${bus}`), [`${cell}/SLMB/Mem`]);
      assert.equal(design.addresses.get(`${cell}/SLMB/Mem`), { offset: 0, bytes: 65536 });
    }
    assert.is(design.addresses.get('circuit/s_axi_control/Reg')!.offset, defined('CIRCUIT_CONTROL'));
    assert.is(design.addresses.get('serial/S_AXI/Reg')!.offset, defined('SERIAL'));
    const ports = design.lines.filter(([c]) => c === 'create_bd_port').map((l) => l.at(-1)!);
    const pins = fs.readFileSync(path.join(folder, 'pins.xdc'), 'utf8');
    for (const port of ports) assert.match(pins, new RegExp(`^set_property -dict \\{PACKAGE_PIN [A-Z]+\\d+ IOSTANDARD LVCMOS33\\} \\[get_ports ${port}\\]$`, 'm'));
  } else skip('vivado.tcl', 'no tclsh; apt-get install -y tcl');
  assert.ok(shared.offset <= defined('INPUT_INPUT_ADDRESS') && defined('OUTPUT_LOGITS_ADDRESS') + defined('OUTPUT_LOGITS_BYTES') <= shared.offset + shared.bytes);
  if (!hasCompiler) return skip('main.c', 'gcc and g++ are missing; apt-get install -y gcc g++');
  const run = (): ReturnType<typeof runProgram> => runProgram(folder, 'mlp_w2a2', 2, shared, defined('CIRCUIT_CONTROL'), defined('SERIAL'));
  const main = path.join(folder, 'host', 'main.c');
  fs.writeFileSync(main, fs.readFileSync(main, 'utf8').replace('TIMED_CALLS 1000', 'TIMED_CALLS 2'));
  const passed = run();
  assert.is(passed.out, 'PASS: 3 calls, every bit as expected\nthroughput: begin 2\nthroughput: end\n');
  assert.is(passed.status, 0);
  const vectors = path.join(folder, 'host', 'vectors.h');
  const [before, outputs] = fs.readFileSync(vectors, 'utf8').split('vectors_output_logits');
  fs.writeFileSync(vectors, `${before}vectors_output_logits${outputs.replace(/0x[0-9a-f]+u/, '0x12345678u')}`);
  const failed = run();
  assert.match(failed.out, /^FAIL: call 0, output_logits, word 0 is [0-9a-f]{8}, expected 12345678\nFAIL: 1 words differ\n/);
  assert.is(failed.status, 1);
});

test('a board without a name in Vivado\'s store, whose reset is active high', async () => {
  const board = JSON.parse(fs.readFileSync(path.join(root, 'boards', 'arty-a7-100t', 'board.json'), 'utf8')) as { boardPart?: string; pins: { reset: { active: string } } };
  delete board.boardPart;
  board.pins.reset.active = 'high';
  const folder = await project('own', '--board', save('own.json', JSON.stringify(board)), '--folding', save('none.json', '{}'));
  const design = runVivado(folder, 'mlp_w2a2_top', 2, ['vivado/mlp_w2a2.runs/impl_1/system_wrapper.bit']);
  if (!design) return skip('vivado.tcl', 'no tclsh; apt-get install -y tcl');
  assert.equal(design.faults, []);
  assert.is(design.cells.get('resets')!.properties.get('CONFIG.C_EXT_RESET_HIGH'), '1');
});

test('Makefile and vitis_hls.tcl: the tools in their order, old names and new ones; one that is missing is named', async () => {
  if (!hasTcl) return skip('make hls bitstream program', 'no tclsh; apt-get install -y tcl');
  const folder = await project('tools', '--board', 'arty-a7-100t', '--folding', save('none.json', '{}'));
  const log = at('log');
  const tool = (bin: string, name: string, text: string): void => {
    fs.mkdirSync(at(bin), { recursive: true });
    fs.writeFileSync(at(`${bin}/${name}`), `#!/bin/sh\necho "${name} $*" >> ${log}\n${text}\n`, { mode: 0o755 });
  };
  // Tcl of Vitis HLS: commands that print themselves.
  const recorder = save('hls.tcl', 'proc unknown {args} { puts [join $args] }\nsource [lindex $argv 0]\n');
  const bins = { old: ['vitis_hls', 'xsct'], recent: ['vitis-run', 'vitis'] };
  for (const [bin, tools] of Object.entries(bins)) {
    tool(bin, tools[0], `for script; do :; done; tclsh ${recorder} "$script" >> ${log}`);
    tool(bin, tools[1], 'touch build/host.elf');
    tool(bin, 'vivado', 'touch build/mlp_w2a2.bit');
    tool(bin, 'xsdb', '');
  }
  const make = (bin: string, target: string): { status: number | null; stderr: string } => spawnSync('make', ['-s', '-C', folder, target], { encoding: 'utf8', env: { ...process.env, PATH: `${bin && `${at(bin)}:`}${process.env.PATH}` } });
  const expected = (hls: string, build: string): string => [
    hls, 'open_project -reset hls', 'set_top mlp_w2a2_top', `add_files src/mlp_w2a2.cpp -cflags -std=c++14 -I${folder}/src -csimflags -std=c++14 -I${folder}/src -ffp-contract=off`,
    `add_files -tb tb/testbench.cpp -cflags -std=c++14 -I${folder}/src -ffp-contract=off -Wno-unknown-pragmas`, 'open_solution -reset solution -flow_target vivado',
    'set_part xc7a100tcsg324-1', 'create_clock -period 10 -name default', 'config_interface -m_axi_addr64=false', `csim_design -argv ${folder}/tb/data`, 'csynth_design',
    `cosim_design -argv ${folder}/tb/data -rtl verilog`, 'export_design -rtl verilog -format ip_catalog', 'vivado -mode batch -nojournal -nolog -source vivado.tcl', build, 'xsdb host/load.tcl', '',
  ].join('\n');
  for (const [bin, hls, build] of [['old', 'vitis_hls -f vitis_hls.tcl', 'xsct host/build.tcl'], ['recent', 'vitis-run --mode hls --tcl vitis_hls.tcl', 'vitis -s host/build.py']]) {
    fs.rmSync(path.join(folder, 'build'), { recursive: true, force: true });
    fs.rmSync(log, { force: true });
    const { status, stderr } = make(bin, 'program');
    assert.is(status, 0, stderr);
    assert.is(fs.readFileSync(log, 'utf8'), expected(hls, build));
  }
  if (has('sh', '-c', 'command -v vivado || command -v vitis_hls || command -v vitis-run')) return skip('missing tools', 'they are here');
  fs.rmSync(path.join(folder, 'build'), { recursive: true, force: true });
  assert.match(make('', 'hls').stderr, /^Vitis HLS is missing: install it and source its settings64\.sh; C simulation needs g\+\+ alone \(make csim\)\n/);
});

test.after(remove);
test.run();
