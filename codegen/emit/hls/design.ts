/**
 * A circuit as C++ for Vitis HLS: constants, one function a process, and the top function that joins them by streams. Compiled by
 * g++ with the headers of boards/simulation (or the tool's own) it gives the interpreter's bits.
 */
import { describe } from '../../ir/datatype.js';
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
  /** Arguments of the top function, inputs first, in the order of the interface. */
  readonly arguments: readonly { readonly name: string; readonly tensor: Tensor; readonly type: string; readonly elements: number; readonly isInput: boolean }[];
}

/** Every text in a namespace of this name; the top function is NAME. */
export function emitHls(unit: ProgramUnit, name = identifier(unit.program.name) || 'network'): HlsText {
  const { program, data } = unit;
  const names = new Names();
  const constantName = (buffer: string): string => names.of('c_', buffer);
  const parts: ProcessText[] = processesOf(program).map((p) => processText(program, p, names.of('process_', p.name), constantName));
  const topName = `${name}_top`;
  const args = [...program.inputs, ...program.outputs].map((tensor) => {
    const t = program.tensors[tensor];
    return { name: names.of(program.inputs.includes(tensor) ? 'input_' : 'output_', tensor), tensor: t, type: memoryType(t.dtype), elements: t.shape.reduce((a, b) => a * b, 1), isInput: program.inputs.includes(tensor) };
  });
  const constants = [...new Set(parts.flatMap((p) => p.constants))];
  const streamName = (p: Port): string => names.of('s_', `${p.stream!.tensor} ${p.stream!.to}`);
  const declared = parts.flatMap((p) => p.ports.filter((x) => x.kind === 'out').map((x) => [`${x.type} ${streamName(x)}("${streamName(x)}");`, `#pragma HLS STREAM variable=${streamName(x)} depth=${x.stream!.depth}`]));
  const calls = parts.map((p) => `${p.name}(${p.ports.map((x) => (x.kind === 'memory' ? args.find((a) => a.tensor.name === x.tensor)!.name : streamName(x))).join(', ')});`);
  const parameters = args.map((a) => `${a.isInput ? 'const ' : ''}${a.type} *${a.name}`).join(', ');
  const interfaces = args.flatMap((a, i) => [`#pragma HLS INTERFACE m_axi port=${a.name} offset=slave bundle=gmem${i} depth=${a.elements}`, `#pragma HLS INTERFACE s_axilite port=${a.name} bundle=control`]);
  return {
    topName,
    arguments: args,
    prototype: `void ${topName}(${parameters});`,
    weights: constants.map((c) => constantText(program.buffers[c], Object.values(program.tensors).find((t) => t.buffer === c)!, data.get(program.buffers[c].hash!)!, constantName(c))).join('\n'),
    processes: parts.map((p) => p.lines.join('\n')).join('\n\n'),
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
