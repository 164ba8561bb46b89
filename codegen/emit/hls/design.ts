/**
 * A circuit as C++ for Vitis HLS: constants, one function a process, and the top function that joins them by streams. Compiled by
 * g++ with the headers of boards/simulation (or the tool's own) it gives the interpreter's bits.
 */
import { describe } from '../../ir/datatype.js';
import { elementCount } from '../../ir/graph.js';
import type { Buffer, ProgramUnit, Tensor } from '../../ir/program.js';
import { processesOf } from '../../ir/verifyDataflow.js';
import { decimalText, identifier, Names } from './expression.js';
import { memoryType, processText, type Port, type ProcessText } from './process.js';

export interface HlsText {
  /** Definitions of constant arrays. */
  readonly weights: string;
  /** Functions of the processes. */
  readonly processes: string;
  /** The top function, with its pragmas. */
  readonly top: string;
  /** Its declaration. */
  readonly prototype: string;
  readonly topName: string;
  /** Ports to memory, as `m_axi_NAME`: one for all arguments that one process moves. */
  readonly bundles: readonly string[];
  /** Arguments of the top function, inputs first, in the order of the interface. */
  readonly arguments: readonly Argument[];
}

export interface Argument {
  readonly name: string;
  readonly tensor: Tensor;
  /** The C++ type of an element as it lies in memory. */
  readonly type: string;
  readonly elements: number;
  readonly isInput: boolean;
  /** The C++ type of what its pointer points to, how many of them there are and how many bytes each has; words of the bus or elements. */
  readonly word: { readonly type: string; readonly count: number; readonly bytes: number };
}

/** True where the pointer of an argument is to words of a bus, not to elements. */
export const isWide = ({ word, type }: Argument): boolean => word.type !== type;

/** Every text in a namespace of this name; the top function is NAME. */
export function emitHls(unit: ProgramUnit, name = identifier(unit.program.name) || 'network'): HlsText {
  const { program, data } = unit;
  const names = new Names();
  const constantName = (buffer: string): string => names.of('c_', buffer);
  const parts: ProcessText[] = processesOf(program).map((p) => processText(program, p, names.of('process_', p.name), constantName));
  const topName = `${name}_top`;
  const args = [...program.inputs, ...program.outputs].map((name): Argument => {
    const tensor = program.tensors[name];
    const isInput = program.inputs.includes(name);
    const [type, elements, { elementBits }] = [memoryType(tensor.dtype), elementCount(tensor.shape), tensor.layout];
    const bits = program.dataflow!.memory?.find((m) => m.tensor === name)?.bits;
    const word = bits === undefined ? { type, count: elements, bytes: elementBits / 8 } : { type: `ap_uint<${bits}>`, count: Math.ceil((elements * elementBits) / bits), bytes: bits / 8 };
    return { name: names.of(isInput ? 'input_' : 'output_', name), tensor, type, elements, isInput, word };
  });
  const argument = (tensor: string): Argument => args.find((a) => a.tensor.name === tensor)!;
  const constants = [...new Set(parts.flatMap((p) => p.constants))];
  const streamName = (p: Port): string => (p.stream ? names.of('s_', `${p.stream.tensor} ${p.stream.to}`) : names.of('words_', p.tensor!));
  const ports = parts.flatMap((p) => p.ports);
  const declared = ports.filter((x) => x.kind === 'out' || x.kind === 'fetched' || x.kind === 'kept').map((x) => [`${x.type} ${streamName(x)}("${streamName(x)}");`, `#pragma HLS STREAM variable=${streamName(x)} depth=${x.stream?.depth ?? 2}`]);
  const [fetched, kept] = (['fetched', 'kept'] as const).map((kind) => ports.filter((x) => x.kind === kind).map((x) => burst(argument(x.tensor!), names.of(kind === 'fetched' ? 'fetch_' : 'keep_', x.tensor!), streamName(x))));
  const calls = [
    ...fetched.map((b) => b.call),
    ...parts.map((p) => `${p.name}(${p.ports.map((x) => (x.kind === 'memory' ? argument(x.tensor!).name : streamName(x))).join(', ')});`),
    ...kept.map((b) => b.call),
  ];
  const parameters = args.map((a) => `${a.isInput ? 'const ' : ''}${a.word.type} *${a.name}`).join(', ');
  // Words of an argument have a process and a port of their own; elements share the port of the process that moves them.
  const movers = args.map((a) => parts.find((p) => p.ports.some((x) => x.kind === 'memory' && x.tensor === a.tensor.name))?.name ?? a.name);
  const gates = [...new Set(movers)];
  const bundles = movers.map((m) => `gmem${gates.indexOf(m)}`);
  const interfaces = args.flatMap((a, i) => [`#pragma HLS INTERFACE m_axi port=${a.name} offset=slave bundle=${bundles[i]} depth=${a.word.count}`, `#pragma HLS INTERFACE s_axilite port=${a.name} bundle=control`]);
  return {
    topName,
    bundles: [...new Set(bundles)],
    arguments: args,
    prototype: `void ${topName}(${parameters});`,
    weights: constants.map((c) => constantText(program.buffers[c], Object.values(program.tensors).find((t) => t.buffer === c)!, data.get(program.buffers[c].hash!)!, constantName(c))).join('\n'),
    processes: [...fetched.map((b) => b.lines), ...parts.map((p) => p.lines), ...kept.map((b) => b.lines)].map((lines) => lines.join('\n')).join('\n\n'),
    top: [
      `void ${topName}(${parameters}) {`,
      ...interfaces,
      '#pragma HLS INTERFACE s_axilite port=return bundle=control',
      '#pragma HLS DATAFLOW',
      ...declared.flat().map((l) => (l.startsWith('#') ? l : `  ${l}`)),
      ...args.filter((a) => !calls.some((c) => new RegExp(`[(, ]${a.name}[,)]`).test(c))).map((a) => `  (void)${a.name};`),
      ...calls.map((l) => `  ${l}`),
      '}',
    ].join('\n'),
  };
}

/** A process that moves the words of an argument: nothing else and under no condition, so that synthesis makes bursts of them. */
function burst({ name, word, isInput }: Argument, process: string, stream: string): { readonly call: string; readonly lines: readonly string[] } {
  const [from, to] = isInput ? ['words.write(memory[i]);', `${process}(${name}, ${stream});`] : ['memory[i] = words.read();', `${process}(${stream}, ${name});`];
  const [memory, words] = [`${isInput ? 'const ' : ''}${word.type} *memory`, `hls::stream<${word.type} > &words`];
  return {
    call: to,
    lines: [`static void ${process}(${isInput ? `${memory}, ${words}` : `${words}, ${memory}`}) {`, '#pragma HLS INLINE off', `  for (int i = 0; i < ${word.count}; ++i) {`, '#pragma HLS PIPELINE II=1', `    ${from}`, '  }', '}'],
  };
}

/** A constant as an array in the order of its bytes. */
function constantText(buffer: Buffer, tensor: Tensor, bytes: Uint8Array, name: string): string {
  const bits = tensor.layout.elementBits;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const signed = tensor.dtype !== 'float32' && describe(tensor.dtype).signed;
  const values = Array.from({ length: (bytes.length * 8) / bits }, (_, i): string => {
    if (tensor.dtype === 'float32') {
      const x = view.getFloat32(i * 4, true);
      return Number.isFinite(x) ? decimalText(x) : `sigmaflow::floatOf(0x${view.getUint32(i * 4, true).toString(16)}u)`;
    }
    if (bits === 8) return String(signed ? view.getInt8(i) : view.getUint8(i));
    if (bits === 16) return String(signed ? view.getInt16(i * 2, true) : view.getUint16(i * 2, true));
    return signed ? String(view.getInt32(i * 4, true)) : `${view.getUint32(i * 4, true)}u`;
  });
  const lines: string[] = [];
  for (let i = 0; i < values.length; i += 24) lines.push(`  ${values.slice(i, i + 24).join(', ')},`);
  return [`// ${buffer.name.replace(/[^\x20-\x7e]|\\/g, '_')}`, `static const ${elementType(tensor)} ${name}[${values.length}] = {`, ...lines, '};'].join('\n');
}

function elementType({ dtype }: Tensor): string {
  if (dtype === 'float32') return 'float';
  const { bits, signed } = describe(dtype);
  return `sigmaflow::rom<${bits}, ${signed}>::type`;
}
