/**
 * The block design of a project for Vivado, from the exported IP to a bitstream: on a Zynq the ARM cores reach the circuit and share
 * their memory with it; elsewhere a MicroBlaze of the same fabric does, with block memory for both.
 */
import type { FpgaBoard, Pin, Pins } from '../../codegen/targets/board.js';
import type { Project } from './types.js';

/** Where the parts of the MicroBlaze's system lie; host/ has the same. */
export const addresses = { control: 0x44a00000, buffers: 0xc0000000, serial: 0x40600000 } as const;

/** The MicroBlaze's own memory, for program and data. */
const localBytes = 64 * 1024;

const hex = (n: number): string => `0x${n.toString(16).toUpperCase().padStart(8, '0')}`;

/** Bytes of each argument in memory, at multiples of 64; and of all of them. */
export function bufferPlan({ text }: Pick<Project, 'text'>): { offsets: number[]; bytes: number } {
  const offsets: number[] = [];
  let at = 0;
  for (const a of text.arguments) {
    offsets.push(at);
    at += Math.ceil((a.word.count * a.word.bytes) / 64) * 64;
  }
  return { offsets, bytes: at };
}

/** Bytes of an element of the interface. */
export const elementBytes = (type: string): number => (type === 'float' ? 4 : Number(/\d+/.exec(type)![0]) / 8);

/** The block memory that circuit and MicroBlaze share: a power of two, 4 KiB at least. */
export const sharedBytes = (project: Pick<Project, 'text'>): number => Math.max(4096, 2 ** Math.ceil(Math.log2(bufferPlan(project).bytes)));

/** vivado.tcl, and where the pins are that a MicroBlaze's system needs. */
export function vivadoFiles(project: Project): Record<string, string> {
  const { board } = project;
  return {
    'vivado.tcl': [head(project), board.interface === 'zynq' ? zynq(project) : microblaze(project), tail(project)].join('\n'),
    ...(board.interface === 'microblaze' ? { 'pins.xdc': constraints(board.pins!) } : {}),
  };
}

function head({ name, board, text }: Project): string {
  return `# Vivado 2020.2 or later: the block design around the circuit, and its bitstream for ${board.title}. "make bitstream" runs it.
# No version of an IP is named: the catalogue's own is taken.
set here [file dirname [file normalize [info script]]]
cd $here
set exported $here/hls/solution/impl/ip
if {![file exists $exported/component.xml]} { error "there is no IP in $exported: run make hls" }

create_project -force ${name} vivado -part ${board.part}
${boardPart(board)}
set_property ip_repo_paths [list $exported] [current_project]
update_ip_catalog
create_bd_design system

# A cell of an IP of the catalogue.
proc cell {name ip} {
  set found [lindex [lsort -dictionary [get_ipdefs -quiet "*:$ip:*"]] end]
  if {$found eq ""} { error "Vivado's catalogue has no $ip" }
  return [create_bd_cell -type ip -vlnv $found $name]
}
# Joins a pin, or a bus of a master, to others.
proc wire {from args} {
  foreach to $args { connect_bd_net [get_bd_pins $from] [get_bd_pins $to] }
}
proc bus {from to} {
  connect_bd_intf_net [get_bd_intf_pins $from] [get_bd_intf_pins $to]
}
# An interconnect of as many masters and slaves.
proc interconnect {name masters slaves} {
  set_property -dict [list CONFIG.NUM_SI $masters CONFIG.NUM_MI $slaves] [cell $name ip:smartconnect]
}

cell circuit hls:${text.topName}
`;
}

function boardPart({ boardPart }: FpgaBoard): string {
  if (boardPart === undefined) return '# The board has no name in Vivado\'s store.\nset has_board 0';
  return `# The board's files, of whatever version is installed. Without them the part alone is named, and the memory of a Zynq stays as the boot loader set it.
set found [lindex [lsort -dictionary [get_board_parts -quiet "*:${boardPart.split(':')[1]}:*"]] end]
set has_board [expr {$found ne ""}]
if {$has_board} { set_property board_part $found [current_project] } else { puts "the board files of ${boardPart} are not installed" }`;
}

/** The circuit's masters, as buses of the interconnect `memory` from its slave port `first` on. */
function masters({ text }: Project, first: number): string {
  return text.bundles.map((bundle, i) => `bus circuit/m_axi_${bundle} memory/S${String(first + i).padStart(2, '0')}_AXI`).join('\n');
}

function zynq(project: Project): string {
  const { clock, text, board } = project;
  return `set ps [cell ps ip:processing_system7]
apply_bd_automation -rule xilinx.com:bd_rule:processing_system7 -config [list make_external "FIXED_IO, DDR" apply_board_preset $has_board Master Disable Slave Disable] $ps
set_property -dict [list CONFIG.PCW_USE_M_AXI_GP0 1 CONFIG.PCW_USE_S_AXI_HP0 1 CONFIG.PCW_S_AXI_HP0_DATA_WIDTH ${board.bus.bits} CONFIG.PCW_FPGA0_PERIPHERAL_FREQMHZ ${clock} CONFIG.PCW_EN_CLK0_PORT 1 CONFIG.PCW_EN_RST0_PORT 1] $ps
cell resets ip:proc_sys_reset
interconnect control 1 1
interconnect memory ${text.bundles.length} 1

# One clock for all.
wire ps/FCLK_CLK0 ps/M_AXI_GP0_ACLK ps/S_AXI_HP0_ACLK circuit/ap_clk memory/aclk control/aclk resets/slowest_sync_clk
wire ps/FCLK_RESET0_N resets/ext_reset_in
wire resets/peripheral_aresetn circuit/ap_rst_n memory/aresetn control/aresetn

# The processor to the circuit's registers; the circuit to the processor's memory, beside its caches.
bus ps/M_AXI_GP0 control/S00_AXI
bus control/M00_AXI circuit/s_axi_control
${masters(project, 0)}
bus memory/M00_AXI ps/S_AXI_HP0
assign_bd_address
`;
}

function microblaze(project: Project): string {
  const { clock, text, board } = project;
  const { clock: pin, reset } = board.pins!;
  const low = reset.active === 'low';
  return `# Clock, reset and serial line; pins.xdc says where they are on the board.
create_bd_port -dir I -type clk -freq_hz ${Math.round(pin.frequency * 1e6)} board_clock
create_bd_port -dir I -type rst board_reset
set_property CONFIG.POLARITY ${low ? 'ACTIVE_LOW' : 'ACTIVE_HIGH'} [get_bd_ports board_reset]
create_bd_port -dir O serial_transmit
create_bd_port -dir I serial_receive
add_files -fileset constrs_1 -norecurse $here/pins.xdc

set_property -dict [list CONFIG.PRIM_IN_FREQ ${pin.frequency} CONFIG.CLKOUT1_REQUESTED_OUT_FREQ ${clock} CONFIG.RESET_TYPE ${low ? 'ACTIVE_LOW CONFIG.RESET_PORT resetn' : 'ACTIVE_HIGH CONFIG.RESET_PORT reset'}] [cell clocks ip:clk_wiz]
${low ? 'cell resets ip:proc_sys_reset' : 'set_property CONFIG.C_EXT_RESET_HIGH 1 [cell resets ip:proc_sys_reset]'}
connect_bd_net [get_bd_ports board_clock] [get_bd_pins clocks/clk_in1]
connect_bd_net [get_bd_ports board_reset] [get_bd_pins clocks/${low ? 'resetn' : 'reset'}]
connect_bd_net [get_bd_ports board_reset] [get_bd_pins resets/ext_reset_in]
wire clocks/locked resets/dcm_locked

# The processor, its debugger, and its own memory for program and data.
set_property -dict [list CONFIG.C_DEBUG_ENABLED 1 CONFIG.C_D_AXI 1 CONFIG.C_D_LMB 1 CONFIG.C_I_LMB 1 CONFIG.C_USE_BARREL 1 CONFIG.C_USE_HW_MUL 1] [cell processor ip:microblaze]
cell debugger ip:mdm
set_property -dict [list CONFIG.Memory_Type True_Dual_Port_RAM CONFIG.use_bram_block BRAM_Controller] [cell local ip:blk_mem_gen]
foreach {kind port} {data A instruction B} {
  cell \${kind}_bus ip:lmb_v10
  cell \${kind}_memory ip:lmb_bram_if_cntlr
  bus processor/[string toupper [string index $kind 0]]LMB \${kind}_bus/LMB_M
  bus \${kind}_bus/LMB_Sl_0 \${kind}_memory/SLMB
  bus \${kind}_memory/BRAM_PORT local/BRAM_PORT$port
  wire clocks/clk_out1 \${kind}_bus/LMB_Clk \${kind}_memory/LMB_Clk
  wire resets/bus_struct_reset \${kind}_bus/SYS_Rst \${kind}_memory/LMB_Rst
}
bus debugger/MBDEBUG_0 processor/DEBUG
wire debugger/Debug_SYS_Rst resets/mb_debug_sys_rst
wire resets/mb_reset processor/Reset

# Block memory that circuit and processor share, and the serial line.
set_property -dict [list CONFIG.SINGLE_PORT_BRAM 1 CONFIG.DATA_WIDTH ${board.bus.bits}] [cell buffers ip:axi_bram_ctrl]
cell blocks ip:blk_mem_gen
bus buffers/BRAM_PORTA blocks/BRAM_PORTA
set_property CONFIG.C_BAUDRATE 115200 [cell serial ip:axi_uartlite]
connect_bd_net [get_bd_pins serial/tx] [get_bd_ports serial_transmit]
connect_bd_net [get_bd_ports serial_receive] [get_bd_pins serial/rx]
interconnect control 1 3
interconnect memory ${text.bundles.length + 1} 1

# One clock for all.
wire clocks/clk_out1 processor/Clk circuit/ap_clk memory/aclk control/aclk buffers/s_axi_aclk serial/s_axi_aclk resets/slowest_sync_clk
wire resets/peripheral_aresetn circuit/ap_rst_n memory/aresetn control/aresetn buffers/s_axi_aresetn serial/s_axi_aresetn

# The processor to the circuit's registers, the serial line and the shared memory; the circuit to the shared memory.
bus processor/M_AXI_DP control/S00_AXI
bus control/M00_AXI circuit/s_axi_control
bus control/M01_AXI serial/S_AXI
bus control/M02_AXI memory/S00_AXI
${masters(project, 1)}
bus memory/M00_AXI buffers/S_AXI

# host/circuit.h has the same addresses.
assign_bd_address -offset 0x00000000 -range ${localBytes / 1024}K [get_bd_addr_segs data_memory/SLMB/Mem]
assign_bd_address -offset 0x00000000 -range ${localBytes / 1024}K [get_bd_addr_segs instruction_memory/SLMB/Mem]
assign_bd_address -offset ${hex(addresses.buffers)} -range ${sharedBytes(project) / 1024}K [get_bd_addr_segs buffers/S_AXI/Mem0]
assign_bd_address -offset ${hex(addresses.control)} -range 64K [get_bd_addr_segs circuit/s_axi_control/Reg]
assign_bd_address -offset ${hex(addresses.serial)} -range 64K [get_bd_addr_segs serial/S_AXI/Reg]
`;
}

function constraints({ clock, reset, transmit, receive }: Pins): string {
  const line = (port: string, { pin, standard }: Pin): string => `set_property -dict {PACKAGE_PIN ${pin} IOSTANDARD ${standard}} [get_ports ${port}]`;
  return ['# The pins of the board. The frequency of board_clock is constrained by the clocking IP.', line('board_clock', clock), line('board_reset', reset), line('serial_transmit', transmit), line('serial_receive', receive), ''].join('\n');
}

function tail({ name, board }: Project): string {
  return `validate_bd_design
save_bd_design
make_wrapper -files [get_files system.bd] -top -import
set_property top system_wrapper [current_fileset]
update_compile_order -fileset sources_1

launch_runs impl_1 -to_step write_bitstream -jobs 4
wait_on_run impl_1
if {[get_property PROGRESS [get_runs impl_1]] ne "100%"} { error "the implementation failed: see vivado/${name}.runs/impl_1/runme.log" }
open_run impl_1
file mkdir build
report_utilization -hierarchical -file build/utilization.txt
report_timing_summary -file build/timing.txt
if {[get_property STATS.WNS [get_runs impl_1]] < 0} { error "timing is not met (build/timing.txt): make the project again with a slower --clock" }
file copy -force vivado/${name}.runs/impl_1/system_wrapper.bit build/${name}.bit
${board.interface === 'zynq' ? `file copy -force [lindex [glob vivado/${name}.gen/sources_1/bd/system/hw_handoff/system.hwh vivado/${name}.srcs/sources_1/bd/system/hw_handoff/system.hwh] 0] build/${name}.hwh` : `write_hw_platform -fixed -include_bit -force build/${name}.xsa`}
puts "build/${name}.bit is written"
`;
}
