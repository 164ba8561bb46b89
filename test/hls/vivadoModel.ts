/**
 * A model of the parts of Vivado that vivado.tcl calls, after the manuals of the IPs: which pins and buses each has, which must be
 * driven, who is master. It runs the script in tclsh with commands that only record, and tells what the block design is. Not a
 * simulation: nothing is synthesized.
 */
import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';

type Properties = ReadonlyMap<string, string>;
interface Ip {
  /** Pins that must be driven, and those that may be left open; pins that drive. */
  readonly needs?: (properties: Properties) => readonly string[];
  readonly takes?: readonly string[];
  readonly drives?: readonly string[];
  readonly masters?: (properties: Properties) => readonly string[];
  readonly slaves?: (properties: Properties) => readonly string[];
  /** The segments of memory behind a slave bus. */
  readonly segments?: Readonly<Record<string, string>>;
}

const numbered = (letter: string, n: number): string[] => Array.from({ length: n }, (_, i) => `${letter}${String(i).padStart(2, '0')}_AXI`);
const count = (p: Properties, name: string, otherwise = 1): number => Number(p.get(`CONFIG.${name}`) ?? otherwise);
const isOn = (p: Properties, name: string): boolean => count(p, name, 0) === 1;

const catalogue: Readonly<Record<string, Ip>> = {
  'xilinx.com:ip:processing_system7:5.5': {
    needs: (p) => [...(isOn(p, 'PCW_USE_M_AXI_GP0') ? ['M_AXI_GP0_ACLK'] : []), ...(isOn(p, 'PCW_USE_S_AXI_HP0') ? ['S_AXI_HP0_ACLK'] : [])],
    drives: ['FCLK_CLK0', 'FCLK_RESET0_N'],
    masters: (p) => (isOn(p, 'PCW_USE_M_AXI_GP0') ? ['M_AXI_GP0'] : []),
    slaves: (p) => (isOn(p, 'PCW_USE_S_AXI_HP0') ? ['S_AXI_HP0'] : []),
    segments: { S_AXI_HP0: 'HP0_DDR_LOWOCM' },
  },
  'xilinx.com:ip:proc_sys_reset:5.0': {
    needs: () => ['slowest_sync_clk', 'ext_reset_in'], takes: ['dcm_locked', 'mb_debug_sys_rst', 'aux_reset_in'],
    drives: ['peripheral_aresetn', 'mb_reset', 'bus_struct_reset', 'interconnect_aresetn', 'peripheral_reset'],
  },
  'xilinx.com:ip:smartconnect:1.0': { needs: () => ['aclk', 'aresetn'], masters: (p) => numbered('M', count(p, 'NUM_MI')), slaves: (p) => numbered('S', count(p, 'NUM_SI', 2)) },
  'xilinx.com:ip:clk_wiz:6.0': { needs: (p) => ['clk_in1', p.get('CONFIG.RESET_TYPE') === 'ACTIVE_LOW' ? 'resetn' : 'reset'], drives: ['clk_out1', 'locked'] },
  'xilinx.com:ip:microblaze:11.0': {
    needs: () => ['Clk', 'Reset'],
    masters: (p) => [...(isOn(p, 'C_D_AXI') ? ['M_AXI_DP'] : []), ...(isOn(p, 'C_D_LMB') ? ['DLMB'] : []), ...(isOn(p, 'C_I_LMB') ? ['ILMB'] : [])],
    slaves: (p) => (isOn(p, 'C_DEBUG_ENABLED') ? ['DEBUG'] : []),
  },
  'xilinx.com:ip:mdm:3.2': { drives: ['Debug_SYS_Rst'], masters: () => ['MBDEBUG_0'] },
  'xilinx.com:ip:lmb_v10:3.0': { needs: () => ['LMB_Clk', 'SYS_Rst'], slaves: () => ['LMB_M'], masters: () => ['LMB_Sl_0'] },
  'xilinx.com:ip:lmb_bram_if_cntlr:4.0': { needs: () => ['LMB_Clk', 'LMB_Rst'], slaves: () => ['SLMB'], masters: () => ['BRAM_PORT'], segments: { SLMB: 'Mem' } },
  'xilinx.com:ip:blk_mem_gen:8.4': { slaves: (p) => ['BRAM_PORTA', ...(p.get('CONFIG.Memory_Type') === 'True_Dual_Port_RAM' ? ['BRAM_PORTB'] : [])] },
  'xilinx.com:ip:axi_bram_ctrl:4.1': {
    needs: () => ['s_axi_aclk', 's_axi_aresetn'], slaves: () => ['S_AXI'], segments: { S_AXI: 'Mem0' },
    masters: (p) => ['BRAM_PORTA', ...(isOn(p, 'SINGLE_PORT_BRAM') ? [] : ['BRAM_PORTB'])],
  },
  'xilinx.com:ip:axi_uartlite:2.0': { needs: () => ['s_axi_aclk', 's_axi_aresetn', 'rx'], drives: ['tx', 'interrupt'], slaves: () => ['S_AXI'], segments: { S_AXI: 'Reg' } },
};

/** What a circuit of `masters` arguments is in the catalogue, by the interfaces that Vitis HLS gives it. */
const circuit = (masters: number): Ip => ({
  needs: () => ['ap_clk', 'ap_rst_n'], drives: ['interrupt'],
  masters: () => Array.from({ length: masters }, (_, i) => `m_axi_gmem${i}`), slaves: () => ['s_axi_control'], segments: { s_axi_control: 'Reg' },
});

/** Commands that only record, one line each, and answer what the script goes on with. */
const recorder = `
set record [open [lindex $argv 1] w]
set catalogue [lindex $argv 2]
proc unknown {args} {
  global record catalogue
  puts $record [join $args "\\t"]
  set name [lindex $args 0]
  set last [lindex $args end]
  switch -- $name {
    get_ipdefs { return [lsearch -all -inline -glob $catalogue $last] }
    get_board_parts { return {} }
    create_bd_cell { return $last }
    get_property { return [expr {[lindex $args 1] eq "PROGRESS" ? "100%" : 0.5}] }
    get_bd_pins - get_bd_intf_pins - get_bd_ports - get_bd_cells - get_bd_addr_segs - get_runs - get_files { return $last }
  }
  return {}
}
set here [lindex $argv 0]
source $here
close $record
`;

export interface Design {
  /** By cell: its IP and properties. */
  readonly cells: ReadonlyMap<string, { readonly ip: string; readonly properties: Properties }>;
  /** What is wrong with it, in words. */
  readonly faults: readonly string[];
  /** Offset and bytes by segment, such as `buffers/S_AXI/Mem0`. */
  readonly addresses: ReadonlyMap<string, { readonly offset: number; readonly bytes: number }>;
  /** By cell and bus of a master, the slaves behind it, through interconnects and buses. */
  reaches(master: string): string[];
  readonly lines: readonly (readonly string[])[];
}

/** Runs a project's vivado.tcl; undefined where there is no tclsh. `results`: files that Vivado would have made, relative to the project. */
export function runVivado(project: string, top: string, masters: number, results: readonly string[]): Design | undefined {
  for (const file of ['hls/solution/impl/ip/component.xml', ...results]) {
    fs.mkdirSync(path.join(project, path.dirname(file)), { recursive: true });
    fs.writeFileSync(path.join(project, file), '');
  }
  const known: Readonly<Record<string, Ip>> = { ...catalogue, [`xilinx.com:hls:${top}:1.0`]: circuit(masters) };
  const [script, record] = [path.join(project, 'recorder.tcl'), path.join(project, 'record')];
  fs.writeFileSync(script, recorder);
  const { status, stderr, error } = spawnSync('tclsh', [script, path.join(project, 'vivado.tcl'), record, Object.keys(known).join(' ')], { encoding: 'utf8' });
  if (error) return undefined;
  if (status !== 0) throw new Error(stderr);
  return designOf(fs.readFileSync(record, 'utf8').trimEnd().split('\n').map((line) => line.split('\t')), known);
}

function designOf(lines: readonly (readonly string[])[], known: Readonly<Record<string, Ip>>): Design {
  const cells = new Map<string, { ip: string; properties: Map<string, string> }>();
  const ports = new Map<string, 'I' | 'O'>();
  const drivers = new Map<string, string>();
  const joined = new Map<string, string>();
  const addresses = new Map<string, { offset: number; bytes: number }>();
  const faults: string[] = [];
  const bytes = (range: string): number => Number(range.replace(/K$/, '')) * (range.endsWith('K') ? 1024 : 1);
  const after = (args: readonly string[], option: string): string => args[args.indexOf(option) + 1];
  for (const [command, ...args] of lines) {
    const last = args.at(-1)!;
    if (command === 'create_bd_cell') cells.set(last, { ip: after(args, '-vlnv'), properties: new Map() });
    if (command === 'create_bd_port') ports.set(last, after(args, '-dir') as 'I' | 'O');
    if (command === 'set_property' && cells.has(last)) {
      const all = args[0] === '-dict' ? args[1].split(' ') : args.slice(0, 2);
      for (let i = 0; i < all.length; i += 2) cells.get(last)!.properties.set(all[i], all[i + 1]);
    }
    if (command === 'connect_bd_net') {
      if (drivers.has(args[1])) faults.push(`${args[1]} is driven twice`);
      drivers.set(args[1], args[0]);
    }
    if (command === 'connect_bd_intf_net') {
      for (const bus of args) if (joined.has(bus)) faults.push(`${bus} is joined twice`);
      joined.set(args[0], args[1]);
      joined.set(args[1], args[0]);
    }
    if (command === 'assign_bd_address' && args.includes('-offset')) addresses.set(last, { offset: Number(after(args, '-offset')), bytes: bytes(after(args, '-range')) });
  }
  const names = (kind: 'needs' | 'takes' | 'drives' | 'masters' | 'slaves'): Set<string> =>
    new Set([...cells].flatMap(([cell, { ip, properties }]) => {
      const list = known[ip][kind];
      return (typeof list === 'function' ? list(properties) : list ?? []).map((pin) => `${cell}/${pin}`);
    }));
  const [needs, takes, drives, masters, slaves] = (['needs', 'takes', 'drives', 'masters', 'slaves'] as const).map(names);
  for (const pin of needs) if (!drivers.has(pin)) faults.push(`${pin} is not driven`);
  for (const [to, from] of drivers) {
    if (!needs.has(to) && !takes.has(to) && ports.get(to) !== 'O') faults.push(`there is no input ${to}`);
    if (!drives.has(from) && ports.get(from) !== 'I') faults.push(`there is no output ${from}`);
  }
  for (const bus of [...masters, ...slaves]) if (!joined.has(bus)) faults.push(`${bus} is not joined`);
  for (const [from, to] of joined) if (!(masters.has(from) && slaves.has(to)) && !(slaves.has(from) && masters.has(to))) faults.push(`${from} and ${to} are no master and slave`);
  const reaches = (master: string): string[] => {
    const slave = joined.get(master)!;
    const [cell, bus] = slave.split('/');
    const ip = known[cells.get(cell)!.ip];
    if (ip.segments?.[bus]) return [`${slave}/${ip.segments[bus]}`];
    return [...masters].filter((m) => m.startsWith(`${cell}/`)).flatMap(reaches);
  };
  return { cells, faults, addresses, reaches, lines };
}
