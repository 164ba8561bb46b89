/** Streams between processes: Programs whose streams keep the meaning of the blocks, and each way to break it, with the whole text. */
import { test } from 'uvu';
import { axis, load } from '../../codegen/ir/build.js';
import type { Dataflow, Kernel, Program, ProgramUnit, Stmt } from '../../codegen/ir/program.js';
import { verify } from '../../codegen/ir/verify.js';
import { makeKernel, makeUnit, type TensorSpec } from '../support/programs.js';
import { refuses } from '../support/refuses.js';

const tensors: Record<string, TensorSpec> = { x: { shape: [6], role: 'input' }, t: { shape: [6] }, y: { shape: [6], role: 'output' } };

/** to[i] = from[i], `lanes` at once; the loops in `order`. */
function mover(name: string, from: string, to: string, lanes = 1, reversed = false): Kernel {
  const o = { coeff: reversed ? -lanes : lanes, of: 'i.o' };
  const i = { offset: reversed ? 6 - lanes : 0, terms: [o, { coeff: 1, of: 'i.i' }] };
  const inner: Stmt[] = [
    { kind: 'let', name: 'v', type: 'float32', value: { op: 'load', tensor: from, at: [i] } },
    { kind: 'store', tensor: to, at: [i], value: { op: 'ref', name: 'v' } },
  ];
  const lane: Stmt = { kind: 'loop', axis: 'i.i', start: 0, extent: lanes, mode: 'unrolled', body: inner };
  const body: Stmt[] = [{ kind: 'loop', axis: 'i.o', start: 0, extent: 6 / lanes, mode: 'pipeline', initiationInterval: 1, body: [lane] }];
  return makeKernel({ name, space: [{ name: 'i', extent: 6 }], stores: [{ tensor: to, at: [axis('i')], value: load(from, ['i']) }], scheduled: { steps: [], locals: [], body } });
}

const flow: Dataflow = { processes: [{ name: 'a', blocks: 1 }, { name: 'b', blocks: 1 }], streams: [{ tensor: 't', to: 'b', lanes: 1, depth: 2 }] };

function circuit(first: Kernel, second: Kernel, dataflow = flow, more: Record<string, TensorSpec> = {}): ProgramUnit {
  const unit = makeUnit({ ...tensors, ...more }, [first, second]);
  return { ...unit, program: { ...unit.program, dataflow } };
}

const broken = (unit: ProgramUnit, text: string): void => refuses(() => verify(unit), `error [program/invalid] ${text}`);
const lanes = (n: number): Dataflow => ({ ...flow, streams: [{ ...flow.streams[0], lanes: n }] });

test('one order, whole words: the two ends may move several words at once', () => {
  verify(circuit(mover('p', 'x', 't'), mover('q', 't', 'y')));
  verify(circuit(mover('p', 'x', 't', 6), mover('q', 't', 'y', 3), lanes(3)));
  verify(circuit(mover('p', 'x', 't', 2), mover('q', 't', 'y', 6), lanes(2)));
  verify(circuit(mover('p', 'x', 't', 2, true), mover('q', 't', 'y', 2, true), lanes(2)));
});

test('another order', () => {
  broken(circuit(mover('p', 'x', 't'), mover('q', 't', 'y', 1, true)), 't: the process a sends element 0 as number 0, and b reads element 5 there');
  broken(circuit(mover('p', 'x', 't', 1, true), mover('q', 't', 'y', 3, true)), 't: the process a sends element 5 as number 0, and b reads element 3 there');
});

test('words that are not whole', () => {
  broken(circuit(mover('p', 'x', 't', 3), mover('q', 't', 'y', 2), lanes(3)), 't: the words of its stream have 3 elements, and the process b moves 2 at once');
  broken(circuit(mover('p', 'x', 't'), mover('q', 't', 'y', 2), lanes(2)), 't: the words of its stream have 2 elements, and the process a moves 1 at once');
});

test('elements that are left out, or read in an expression', () => {
  const q = mover('q', 't', 'y');
  const [loop] = q.scheduled!.body as [Stmt & { kind: 'loop' }];
  const [lane] = loop.body as [Stmt & { kind: 'loop' }];
  const withInner = (inner: readonly Stmt[]): Kernel => ({ ...q, scheduled: { ...q.scheduled!, body: [{ ...loop, body: [{ ...lane, body: inner }] }] } });
  const at = [{ offset: 0, terms: [{ coeff: 1, of: 'i.o' }] }];
  const value = load('t', at);
  broken(circuit(mover('p', 'x', 't'), withInner([{ kind: 'store', tensor: 'y', at, value: { op: 'neg', type: 'float32', a: value } }])), 't: the kernel q reads a stream inside an expression, and it must be the whole value of a let or a set');
  const guarded: Stmt = { kind: 'if', guard: [{ index: axis('i.o'), lo: 0, hi: 5 }], body: [{ kind: 'let', name: 'w', type: 'float32', value }] };
  broken(circuit(mover('p', 'x', 't'), withInner([guarded, { kind: 'store', tensor: 'y', at, value: { op: 'float', bits: '00000000' } }])), 't: the kernel q moves 5 of its 6 elements through a stream');
});

test('processes and streams that do not fit the blocks', () => {
  const [p, q] = [mover('p', 'x', 't'), mover('q', 't', 'y')];
  broken(circuit(p, q, { ...flow, processes: flow.processes.slice(1) }), 'test: its processes have 1 blocks, and it has 2');
  broken(circuit(p, q, { ...flow, processes: [flow.processes[0], { name: 'a', blocks: 1 }] }), 'test: two processes have one name');
  broken(circuit(p, q, { ...flow, streams: [] }), 't: 0 streams carry it to b, and one is needed');
  broken(circuit(p, q, { ...flow, streams: [...flow.streams, { tensor: 't', to: 'a', lanes: 1, depth: 2 }] }), 't: a stream goes to a, which does not read it');
  broken(circuit(p, q, { ...flow, streams: [{ tensor: 't', to: 'b', lanes: 1, depth: 0 }] }), 't: a stream has words of 1 and depth 0');
});

test('an input belongs to one process', () => {
  const two: Program['dataflow'] = { processes: flow.processes, streams: [] };
  broken(circuit(mover('p', 'x', 't'), mover('q', 'x', 'y'), two), 'x: the processes a, b touch this input, and only one can');
});

test.run();
