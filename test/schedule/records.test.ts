/** Tuning records: what identifies a kernel, what is refused of a file, and that records change no bit. */
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { printProgram } from '../../codegen/ir/print.js';
import { verify } from '../../codegen/ir/verify.js';
import { interpret } from '../../codegen/ir/interpret.js';
import type { Kernel } from '../../codegen/ir/program.js';
import { kernelKey, parseTuning, recordedSchedules, type TuningFile } from '../../codegen/schedule/records.js';
import { candidates, defaultCandidate, searchSpace } from '../../codegen/schedule/search.js';
import { schedule } from '../../codegen/schedule/schedule.js';
import { numberTensors } from '../../codegen/schedule/records.js';
import { scalar, simd128 } from '../../codegen/targets/target.js';
import type { Lowered } from '../ops/harness.js';
import { refuses } from '../support/refuses.js';
import { network } from './networks.js';

const net = (inputs: number, outputs: number) => network([3, inputs], (n) => n.node('Relu', [n.node('MatMul', ['x', n.weight(inputs, outputs)])]));

/** All kernels with the cheapest schedule that is not the default's, by the names of numbers. */
function fileOf(unit: ReturnType<typeof net>['unit']): TuningFile {
  const space = searchSpace(unit, simd128);
  const kernels = space.sites.flatMap((site) => {
    const text = JSON.stringify(defaultCandidate(space, site).data);
    const other = candidates(space, site).find((c) => JSON.stringify(c.data) !== text);
    return other ? [[site.key, { kernel: site.text, schedule: numberTensors(site.kernel, other.data), ratio: 0.5, tried: [], complete: false }] as const] : [];
  });
  return { format: 1, target: 'simd128', measuredOn: 'a test', kernels: Object.fromEntries(kernels) };
}

test('a kernel is known by its meaning, types and layouts, not by names or values', () => {
  const keys = (lowered: ReturnType<typeof net>): string[] => searchSpace(lowered.unit, simd128).sites.map((s) => s.key);
  const [first] = keys(net(20, 8));
  const renamed = network([3, 20], (n) => {
    n.weight(2, 2); // other values, and other names, for what follows
    return n.node('Relu', [n.node('MatMul', ['x', n.weight(20, 8)])]);
  });
  assert.equal(keys(renamed), [first]);
  assert.is.not(keys(net(20, 12))[0], first);
  const { unit } = net(20, 8);
  const kernel = unit.program.blocks[0] as Kernel;
  assert.is.not(kernelKey(kernel, unit.program, scalar), kernelKey(kernel, unit.program, simd128));
});

/** A file's records give another schedule, which verifies, with the default's bits. */
function checkTuned({ unit, inputs }: Pick<Lowered, 'unit' | 'inputs'>, file: TuningFile): void {
  const tuned = schedule(unit, simd128, { choose: recordedSchedules(file, simd128) });
  const plain = schedule(unit, simd128);
  verify(tuned);
  assert.is.not(printProgram(tuned.program), printProgram(plain.program));
  const [output] = unit.program.outputs;
  const bits = (u: typeof plain): Int32Array => new Int32Array(Float32Array.from(interpret(u, inputs).get(output)!).buffer);
  assert.equal(bits(tuned), bits(plain));
}

test('a recorded schedule is taken, verifies, and gives the bits of the default', () => {
  const { unit, inputs } = net(20, 24);
  checkTuned({ unit, inputs }, parseTuning(JSON.stringify(fileOf(unit)), 'r.json'));
});

test('records made for one image serve every batch that runs image by image', () => {
  const net = (batch: number) => network([batch, 3, 6, 7], (n) => {
    const window = { pads: [1, 1, 1, 1] };
    const a = n.node('Relu', [n.node('Conv', ['x', n.weight(8, 3, 3, 3), n.weight(8)], window)]);
    return n.node('Add', [n.node('Conv', [a, n.weight(8, 8, 3, 3)], window), a]);
  });
  const file = fileOf(net(1).unit);
  assert.ok(Object.values(file.kernels).filter((k) => / convolution /.test(k.kernel)).length === 2, 'both convolutions have another schedule');
  for (const batch of [2, 5]) {
    const { unit } = net(batch);
    const sites = searchSpace(unit, simd128).sites.filter((s) => s.repeat);
    assert.is(sites.filter((s) => / convolution /.test(s.text) && file.kernels[s.key]).length, 2);
    checkTuned(net(batch), file);
  }
});

test('a record that does not apply is refused by the kernel\'s name', () => {
  const { unit } = net(20, 24);
  const file = fileOf(unit);
  const [key] = Object.keys(file.kernels);
  const broken = (steps: readonly unknown[]): TuningFile => parseTuning(JSON.stringify({ ...file, kernels: { [key]: { ...file.kernels[key], schedule: { nests: [steps], packs: {} } } } }), 'r.json');
  const name = (unit.program.blocks[0] as Kernel).name;
  refuses(() => schedule(unit, simd128, { choose: recordedSchedules(broken([{ step: 'unroll', loop: 'nowhere' }]), simd128) }), new RegExp(`^error \\[tuning/record\\] ${name}: its recorded schedule does not apply to it\\n  .*there is no loop nowhere.*\\n  The file was changed, or made by another version. Run "tune" again.$`));
  refuses(() => schedule(unit, simd128, { choose: recordedSchedules(broken([{ step: 'fly', loop: 'n' }]), simd128) }), /^error \[tuning\/record\] .*its recorded schedule does not apply to it\n  .*there is no step "fly"/);
  refuses(() => recordedSchedules(file, scalar), 'error [tuning/record] simd128: the records were measured for the target simd128, and this is compiled for scalar\n  Run "tune" with --target scalar, or compile with --target simd128.');
});

test('a schedule that leaves out part of the space does not pass the verifier', () => {
  const { unit } = net(20, 24);
  const file = fileOf(unit);
  const [key] = Object.keys(file.kernels);
  const part = { ...file, kernels: { [key]: { ...file.kernels[key], schedule: { nests: [[{ step: 'partition' as const, loop: 'o', from: 0, to: 8 }]], packs: {} } } } };
  refuses(() => verify(schedule(unit, simd128, { choose: recordedSchedules(part, simd128) })), /^error \[program\/invalid\]/);
});

test('files that are none', () => {
  const says = (text: string, why: string): void => refuses(() => parseTuning(text, 'r.json'), `error [tuning/record] r.json: this is no tuning file: ${why}\n  Make one with "sigmaflow tune MODEL.onnx -o FILE".`);
  says('hello', 'it is no JSON');
  says('[1]', 'it holds no object');
  says('{"format":1}', 'target, measuredOn or kernels is missing');
  const record = (r: unknown): string => JSON.stringify({ format: 1, target: 'simd128', measuredOn: '', kernels: { k: r } });
  says(record({}), 'the record k lacks kernel, ratio or tried');
  says(record({ kernel: '', ratio: 1, tried: [], schedule: {} }), 'the record k has no list of nests');
  says(record({ kernel: '', ratio: 1, tried: [], schedule: { nests: [{}], packs: {} } }), 'the record k has a nest that is no list of steps');
  says(record({ kernel: '', ratio: 1, tried: [], schedule: { nests: [[1]], packs: {} } }), 'the record k has a step without a name');
  says(record({ kernel: '', ratio: 1, tried: [], schedule: { nests: [[]], packs: { t: {} } } }), 'the record k has a pack without bits');
});

test.run();
