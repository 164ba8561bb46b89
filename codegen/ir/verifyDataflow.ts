/**
 * Streams keep the meaning of a Program: processes have all its blocks; what two of them touch is one tensor that one kernel
 * writes and one kernel of each reader reads, every element once, and in the same order.
 *
 * So a circuit that reads a queue where the Program loads a tensor computes the same. Whether its queues are long enough not
 * to stop it is a matter of time, which the simulation answers (schedule/fabric/simulate.ts).
 */
import { rowMajor } from './build.js';
import { fail } from './diagnostic.js';
import { elementCount } from './graph.js';
import type { Block, Dataflow, Process, MemoryPort, Program, Stream } from './program.js';
import { hiddenLoad, traffic } from './traffic.js';
import { kernelsOf, walkKernel, walkStmts } from './walk.js';

/** A process with its blocks. */
export interface ProcessBlocks extends Process {
  readonly body: readonly Block[];
}

/** The processes of a Program in order, each with its blocks. */
export function processesOf(program: Program): ProcessBlocks[] {
  let next = 0;
  return (program.dataflow?.processes ?? []).map((p) => ({ ...p, body: program.blocks.slice(next, (next += p.blocks)) }));
}

/** The tensors that blocks read and write. */
export function touched(blocks: readonly Block[]): { readonly reads: ReadonlySet<string>; readonly writes: ReadonlySet<string> } {
  const reads = new Set<string>();
  const writes = new Set<string>();
  const visit = (list: readonly Block[]): void => {
    for (const b of list) {
      if (b.kind === 'repeat') {
        if (typeof b.count !== 'number') reads.add(b.count.input);
        visit(b.body);
        continue;
      }
      walkKernel(b, { expr: (e) => { if (e.op === 'load') reads.add(e.tensor); } });
      walkStmts(b.scheduled?.body ?? [], { expr: (e) => { if (e.op === 'load') reads.add(e.tensor); } });
      for (const s of b.stores) writes.add(s.tensor);
    }
  };
  visit(blocks);
  return { reads, writes };
}

/** Raises program/invalid where processes and streams do not keep the meaning of the blocks in order. */
export function verifyDataflow(program: Program): void {
  if (!program.dataflow) return;
  const { processes, streams } = program.dataflow;
  const count = processes.reduce((n, p) => n + p.blocks, 0);
  if (count !== program.blocks.length) fail('program/invalid', program.name, `its processes have ${count} blocks, and it has ${program.blocks.length}`);
  if (new Set(processes.map((p) => p.name)).size !== processes.length) fail('program/invalid', program.name, 'two processes have one name');
  for (const s of streams) {
    if (!program.tensors[s.tensor]) fail('program/invalid', s.tensor, 'a stream carries this tensor, which does not exist');
    if (!(Number.isSafeInteger(s.lanes) && s.lanes >= 1 && Number.isSafeInteger(s.depth) && s.depth >= 1)) fail('program/invalid', s.tensor, `a stream has words of ${s.lanes} and depth ${s.depth}`);
  }
  const parts = processesOf(program);
  const touches = parts.map((p) => touched(p.body));
  const buffers = Object.values(program.buffers).filter((b) => b.role !== 'constant');
  for (const b of buffers) {
    const tensors = Object.values(program.tensors).filter((t) => t.buffer === b.name).map((t) => t.name);
    const users = parts.filter((_, i) => tensors.some((t) => touches[i].reads.has(t) || touches[i].writes.has(t)));
    if (users.length <= 1) continue;
    if (b.role !== 'temporary') fail('program/invalid', b.name, `the processes ${users.map((p) => p.name).join(', ')} touch this ${b.role}, and only one can`);
    if (tensors.length !== 1) fail('program/invalid', b.name, `processes share it, and it holds several tensors: ${tensors.join(', ')}`);
    verifyTensor(tensors[0], program, program.dataflow, parts, touches);
  }
  for (const s of streams) {
    const reader = parts.findIndex((p) => p.name === s.to);
    if (reader < 0 || !touches[reader].reads.has(s.tensor)) fail('program/invalid', s.tensor, `a stream goes to ${s.to}, which does not read it`);
  }
  for (const port of program.dataflow.memory ?? []) verifyMemory(port, program, parts, touches);
}

/** Words of a bus carry the bytes of the tensor in their order, and what is moved at once is no more than one of them has. */
function verifyMemory({ tensor, bits, lanes }: MemoryPort, program: Program, parts: readonly ProcessBlocks[], touches: readonly ReturnType<typeof touched>[]): void {
  const isInterface = program.inputs.includes(tensor) || program.outputs.includes(tensor);
  if (!isInterface) fail('program/invalid', tensor, 'words of a bus carry tensors of the interface, and this is none');
  if (program.dataflow!.memory!.filter((m) => m.tensor === tensor).length !== 1) fail('program/invalid', tensor, 'it has two ports to memory');
  const { layout, shape } = program.tensors[tensor];
  const isWhole = bits % layout.elementBits === 0 && JSON.stringify(layout) === JSON.stringify(rowMajor(shape, layout.elementBits));
  if (!isWhole || !(Number.isSafeInteger(lanes) && lanes >= 1 && lanes * layout.elementBits <= bits)) fail('program/invalid', tensor, `words of ${bits} bits do not carry ${lanes} of its elements at once`);
  const users = parts.filter((_, i) => touches[i].reads.has(tensor) || touches[i].writes.has(tensor));
  if (users.length !== 1) fail('program/invalid', tensor, `${users.length} processes move it between memory and the circuit, and one can`);
  const { elements, together } = order(tensor, users[0], program);
  if (together % lanes !== 0) fail('program/invalid', tensor, `the process ${users[0].name} moves ${together} of its elements at once, and its port to memory ${lanes}`);
  const at = elements.findIndex((e, i) => e !== i);
  if (at >= 0) fail('program/invalid', tensor, `the process ${users[0].name} moves element ${elements[at]} as number ${at}, and in memory another is there`);
}

function verifyTensor(tensor: string, program: Program, { streams }: Dataflow, parts: readonly ProcessBlocks[], touches: readonly ReturnType<typeof touched>[]): void {
  const writers = parts.filter((_, i) => touches[i].writes.has(tensor));
  const readers = parts.filter((_, i) => touches[i].reads.has(tensor));
  if (writers.length !== 1) fail('program/invalid', tensor, `a stream has one writer, and this tensor ${writers.length}`);
  const [writer] = writers;
  if (readers.includes(writer)) fail('program/invalid', tensor, `the process ${writer.name} writes this tensor to a stream and reads it`);
  const sent = order(tensor, writer, program);
  for (const reader of readers) {
    if (parts.indexOf(reader) < parts.indexOf(writer)) fail('program/invalid', tensor, `the process ${reader.name} reads it before ${writer.name} writes it`);
    const own = streams.filter((s) => s.tensor === tensor && s.to === reader.name);
    if (own.length !== 1) fail('program/invalid', tensor, `${own.length} streams carry it to ${reader.name}, and one is needed`);
    const received = order(tensor, reader, program);
    checkWords(own[0], writer.name, sent);
    checkWords(own[0], reader.name, received);
    const at = sent.elements.findIndex((e, i) => e !== received.elements[i]);
    if (at >= 0) fail('program/invalid', tensor, `the process ${writer.name} sends element ${sent.elements[at]} as number ${at}, and ${reader.name} reads element ${received.elements[at]} there`);
  }
}

interface Order {
  readonly elements: Int32Array;
  /** A divisor of the elements that are moved at once. */
  readonly together: number;
}

/** Every element of a tensor in the order in which a process moves it. */
function order(tensor: string, process: ProcessBlocks, program: Program): Order {
  const users = kernelsOf(process.body).filter((k) => { const t = touched([k]); return t.reads.has(tensor) || t.writes.has(tensor); });
  const [kernel] = users;
  if (users.length !== 1 || !process.body.includes(kernel) || !kernel.scheduled) fail('program/invalid', tensor, `in the process ${process.name} a stream belongs to one scheduled kernel outside repeats`);
  if (hiddenLoad(kernel.scheduled.body, tensor)) fail('program/invalid', tensor, `the kernel ${kernel.name} reads a stream inside an expression, and it must be the whole value of a let or a set`);
  const count = elementCount(program.tensors[tensor].shape);
  const elements = new Int32Array(count);
  let [next, start] = [0, 0];
  let together = 0;
  traffic(kernel, program, new Set([tensor]), {
    element(_, number) {
      if (next === count) fail('program/invalid', tensor, `the kernel ${kernel.name} moves more than its ${count} elements through a stream`);
      elements[next++] = number;
    },
    word() {
      for (let n = next - start; n !== 0; ) [together, n] = [n, together % n];
      start = next;
    },
  });
  if (next !== count) fail('program/invalid', tensor, `the kernel ${kernel.name} moves ${next} of its ${count} elements through a stream`);
  return { elements, together };
}

/** What is moved at once is whole words. */
function checkWords(stream: Stream, process: string, { together }: Order): void {
  if (together % stream.lanes !== 0) fail('program/invalid', stream.tensor, `the words of its stream have ${stream.lanes} elements, and the process ${process} moves ${together} at once`);
}
