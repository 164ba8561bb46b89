/**
 * The block design of a project for Vivado, from the exported IP to a bitstream: on a Zynq the ARM cores reach the circuit and share
 * their memory with it; elsewhere a MicroBlaze of the same fabric does, with block memory for both.
 */
import type { FpgaBoard } from '../../codegen/targets/board.js';
import type { Project } from './project.js';

/** Where the parts of the MicroBlaze's system lie; host/ has the same. */
export const addresses = { control: 0x44a00000, buffers: 0xc0000000, uart: 0x40600000 } as const;

const hex = (n: number): string => `0x${n.toString(16).toUpperCase().padStart(8, '0')}`;

/** Bytes of each argument in memory, at multiples of 64; and of all of them. */
export function bufferPlan({ text }: Pick<Project, 'text'>): { offsets: number[]; bytes: number } {
  const offsets: number[] = [];
  let at = 0;
  for (const a of text.arguments) {
    offsets.push(at);
    at += Math.ceil((a.elements * elementBytes(a.type)) / 64) * 64;
  }
  return { offsets, bytes: at };
}

/** Bytes of an element of the interface. */
export const elementBytes = (type: string): number => (type === 'float' ? 4 : Number(/\d+/.exec(type)![0]) / 8);

/** The block memory that circuit and MicroBlaze share: a power of two, 4 KiB at least. */
export const sharedBytes = (project: Pick<Project, 'text'>): number => Math.max(4096, 2 ** Math.ceil(Math.log2(bufferPlan(project).bytes)));

/** vivado.tcl, and the pins where the board's file does not name a board of Vivado's store. */
export function vivadoFiles(project: Project): Record<string, string> {
  const { board } = project;
  return {
    'vivado.tcl': [head(project), board.interface === 'zynq' ? zynq(project) : microblaze(project), tail(project)].join('\n'),
  };
}

function head({ name, board }: Project): string {
  return `# Vivado: the block design around the circuit, and its bitstream for ${board.title}. "make bitstream" runs it.
set here [file dirname [file normalize [info script]]]
cd $here
create_project -force ${name} vivado -part ${board.part}
${boardPart(board)}
set_property ip_repo_paths [list $here/hls/solution/impl/ip] [current_project]
update_ip_catalog
create_bd_design system
`;
}

function boardPart({ boardPart, interface: kind }: FpgaBoard): string {
  if (boardPart === undefined) return '# The board has no name in Vivado\'s store.\nset has_board 0';
  const missing = kind === 'microblaze' ? `error "install the board files of ${boardPart} (Vivado: Tools, Vivado Store, Boards): clock, reset and serial line come from there"` : 'puts "the board files are not installed: memory timing stays as the board\'s own boot loader sets it"';
  return `# ${boardPart}, of whatever version is installed.
set found [lindex [get_board_parts -quiet "${boardPart.split(':').slice(0, 2).join(':')}:*"] end]
set has_board [expr {$found ne ""}]
if {$has_board} { set_property board_part $found [current_project] } else { ${missing} }`;
}

/** The circuit as a cell named "circuit", its masters joined to `memory`, which has one port more in front where asked for. */
function circuitCell({ text }: Project, before: readonly string[]): string {
  const masters = [...before, ...text.arguments.map((_, i) => `circuit/m_axi_gmem${i}`)];
  return `set circuit [create_bd_cell -type ip -vlnv xilinx.com:hls:${text.topName} circuit]
set memory [create_bd_cell -type ip -vlnv xilinx.com:ip:smartconnect memory]
set masters [list ${masters.join(' ')}]`;
}

function zynq(project: Project): string {
  const { clock } = project;
  return `set ps [create_bd_cell -type ip -vlnv xilinx.com:ip:processing_system7 ps]
apply_bd_automation -rule xilinx.com:bd_rule:processing_system7 -config [list make_external "FIXED_IO, DDR" apply_board_preset $has_board Master Disable Slave Disable] $ps
set_property -dict [list CONFIG.PCW_USE_M_AXI_GP0 1 CONFIG.PCW_USE_S_AXI_HP0 1 CONFIG.PCW_FPGA0_PERIPHERAL_FREQMHZ ${clock} CONFIG.PCW_EN_CLK0_PORT 1 CONFIG.PCW_EN_RST0_PORT 1] $ps

${circuitCell(project, [])}
set_property -dict [list CONFIG.NUM_SI [llength $masters] CONFIG.NUM_MI 1] $memory
set control [create_bd_cell -type ip -vlnv xilinx.com:ip:smartconnect control]
set_property -dict [list CONFIG.NUM_SI 1 CONFIG.NUM_MI 1] $control
set reset [create_bd_cell -type ip -vlnv xilinx.com:ip:proc_sys_reset reset]

# One clock for all.
connect_bd_net [get_bd_pins ps/FCLK_CLK0] [get_bd_pins ps/M_AXI_GP0_ACLK] [get_bd_pins ps/S_AXI_HP0_ACLK] [get_bd_pins circuit/ap_clk] [get_bd_pins memory/aclk] [get_bd_pins control/aclk] [get_bd_pins reset/slowest_sync_clk]
connect_bd_net [get_bd_pins ps/FCLK_RESET0_N] [get_bd_pins reset/ext_reset_in]
connect_bd_net [get_bd_pins reset/peripheral_aresetn] [get_bd_pins circuit/ap_rst_n] [get_bd_pins memory/aresetn] [get_bd_pins control/aresetn]

connect_bd_intf_net [get_bd_intf_pins ps/M_AXI_GP0] [get_bd_intf_pins control/S00_AXI]
connect_bd_intf_net [get_bd_intf_pins control/M00_AXI] [get_bd_intf_pins circuit/s_axi_control]
set i 0
foreach master $masters {
  connect_bd_intf_net [get_bd_intf_pins $master] [get_bd_intf_pins [format "memory/S%02d_AXI" $i]]
  incr i
}
connect_bd_intf_net [get_bd_intf_pins memory/M00_AXI] [get_bd_intf_pins ps/S_AXI_HP0]
assign_bd_address
`;
}

function microblaze(project: Project): string {
  const { clock } = project;
  return `# Clock, reset and serial line as the board files name them.
set clocks [create_bd_cell -type ip -vlnv xilinx.com:ip:clk_wiz clocks]
set_property -dict [list CONFIG.CLKOUT1_REQUESTED_OUT_FREQ ${clock} CONFIG.RESET_TYPE ACTIVE_LOW] $clocks
apply_bd_automation -rule xilinx.com:bd_rule:board -config {Board_Interface {sys_clock} Manual_Source {Auto}} [get_bd_pins clocks/clk_in1]
apply_bd_automation -rule xilinx.com:bd_rule:board -config {Board_Interface {reset} Manual_Source {Auto}} [get_bd_pins clocks/resetn]

set processor [create_bd_cell -type ip -vlnv xilinx.com:ip:microblaze processor]
apply_bd_automation -rule xilinx.com:bd_rule:microblaze -config [list axi_intc 0 axi_periph Disabled cache None clk "/clocks/clk_out1" debug_module "Debug Only" ecc None local_mem 64KB preset None] $processor
set_property -dict [list CONFIG.C_D_AXI 1 CONFIG.C_USE_BARREL 1 CONFIG.C_USE_HW_MUL 1] $processor
set reset [get_bd_cells -filter {VLNV =~ "*:proc_sys_reset:*"}]
apply_bd_automation -quiet -rule xilinx.com:bd_rule:board -config {Board_Interface {reset} Manual_Source {Auto}} [get_bd_pins $reset/ext_reset_in]

${circuitCell(project, ['processor/M_AXI_DP'])}
# Three slaves: block memory that circuit and processor share, control of the circuit, serial line.
set_property -dict [list CONFIG.NUM_SI [llength $masters] CONFIG.NUM_MI 3] $memory
set buffers [create_bd_cell -type ip -vlnv xilinx.com:ip:axi_bram_ctrl buffers]
set_property -dict [list CONFIG.SINGLE_PORT_BRAM 1] $buffers
set blocks [create_bd_cell -type ip -vlnv xilinx.com:ip:blk_mem_gen blocks]
connect_bd_intf_net [get_bd_intf_pins buffers/BRAM_PORTA] [get_bd_intf_pins blocks/BRAM_PORTA]
set uart [create_bd_cell -type ip -vlnv xilinx.com:ip:axi_uartlite uart]
set_property -dict [list CONFIG.C_BAUDRATE 115200] $uart
apply_bd_automation -rule xilinx.com:bd_rule:board -config {Board_Interface {usb_uart} Manual_Source {Auto}} [get_bd_intf_pins uart/UART]

connect_bd_net [get_bd_pins clocks/clk_out1] [get_bd_pins circuit/ap_clk] [get_bd_pins memory/aclk] [get_bd_pins buffers/s_axi_aclk] [get_bd_pins uart/s_axi_aclk]
connect_bd_net [get_bd_pins $reset/peripheral_aresetn] [get_bd_pins circuit/ap_rst_n] [get_bd_pins memory/aresetn] [get_bd_pins buffers/s_axi_aresetn] [get_bd_pins uart/s_axi_aresetn]
set i 0
foreach master $masters {
  connect_bd_intf_net [get_bd_intf_pins $master] [get_bd_intf_pins [format "memory/S%02d_AXI" $i]]
  incr i
}
connect_bd_intf_net [get_bd_intf_pins memory/M00_AXI] [get_bd_intf_pins buffers/S_AXI]
connect_bd_intf_net [get_bd_intf_pins memory/M01_AXI] [get_bd_intf_pins circuit/s_axi_control]
connect_bd_intf_net [get_bd_intf_pins memory/M02_AXI] [get_bd_intf_pins uart/S_AXI]

# host/ has the same addresses.
assign_bd_address -offset ${hex(addresses.buffers)} -range ${sharedBytes(project)} [get_bd_addr_segs buffers/S_AXI/Mem0]
assign_bd_address -offset ${hex(addresses.control)} -range 64K [get_bd_addr_segs circuit/s_axi_control/Reg]
assign_bd_address -offset ${hex(addresses.uart)} -range 64K [get_bd_addr_segs uart/S_AXI/Reg]
assign_bd_address
`;
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
