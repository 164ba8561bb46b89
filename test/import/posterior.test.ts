/** Safetensors files and the posteriors in them: files written by the safetensors package, damaged ones, names that do not fit. */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { importOnnx } from '../../codegen/import/onnx.js';
import { applyPosterior, ownPosterior } from '../../codegen/import/posterior.js';
import { readSafetensors } from '../../codegen/import/safetensors.js';
import { makeConstant, type Constant } from '../../codegen/ir/graph.js';
import { architectures } from '../../sdk/model/architectures.js';
import { dense } from '../../sdk/model/layers.js';
import { network } from '../../sdk/model/network.js';
import { floats, modelBytes, node } from '../support/onnxModels.js';
import { pythonWith, runPython } from '../support/python.js';
import { refuses } from '../support/refuses.js';

/** A safetensors file of a header and bytes. */
function file(header: unknown, bytes = 0): Uint8Array {
  const text = new TextEncoder().encode(typeof header === 'string' ? header : JSON.stringify(header));
  const out = new Uint8Array(8 + text.length + bytes);
  new DataView(out.buffer).setUint32(0, text.length, true);
  out.set(text, 8);
  return out;
}

const python = pythonWith('safetensors', 'numpy');
if (python) {
  test('reads what the safetensors package writes: every float type, special values, scalars and empty tensors', () => {
    const folder = mkdtempSync(join(tmpdir(), 'sigmaflow-'));
    try {
      const [name, listing] = [join(folder, 'x.safetensors'), join(folder, 'x.json')];
      runPython(python, 'write_safetensors.py', [name, listing]);
      const found = readSafetensors(new Uint8Array(readFileSync(name)));
      const wanted = JSON.parse(readFileSync(listing, 'utf8')) as Record<string, { shape: number[]; values: string[] }>;
      assert.equal(Object.keys(found).sort(), Object.keys(wanted).sort());
      for (const [tensor, { shape, values }] of Object.entries(wanted)) {
        assert.equal(found[tensor].shape, shape);
        assert.equal([...found[tensor].data], values.map((v) => Math.fround(Number(v.replace('inf', 'Infinity').replace('nan', 'NaN')))), tensor);
      }
    } finally {
      rmSync(folder, { recursive: true });
    }
  });
}

test('damaged files are refused, whatever they say', () => {
  const none = 'error [file/not-safetensors]: these bytes are no safetensors file: ';
  const anew = '\n  Write the file anew with the safetensors package.';
  for (const bytes of [new Uint8Array(0), new Uint8Array(7), new Uint8Array(8), new Uint8Array(40).fill(255), file('{}').subarray(0, 9)]) {
    refuses(() => readSafetensors(bytes), `${none}the header has no possible length${anew}`);
  }
  for (const header of ['[]', 'no', '12']) refuses(() => readSafetensors(file(header)), `${none}the header is not a JSON object${anew}`);
  const entry = (e: unknown) => () => readSafetensors(file({ w: e }, 8));
  const incomplete = `error [file/not-safetensors] w: its entry in the header lacks dtype, shape or data_offsets${anew}`;
  for (const e of [null, 1, {}, { dtype: 'F32', shape: [-1], data_offsets: [0, 4] }, { dtype: 'F32', shape: [1], data_offsets: [0] }, { dtype: 'F32', shape: [0.5], data_offsets: [0, 2] }]) refuses(entry(e), incomplete);
  refuses(entry({ dtype: 'I64', shape: [1], data_offsets: [0, 8] }), 'error [file/not-safetensors] w: its elements are I64, and only F16, BF16, F32 and F64 are read\n  Convert the tensor to float32.');
  refuses(entry({ dtype: 'F32', shape: [3], data_offsets: [0, 12] }), `error [file/not-safetensors] w: F32 [3] takes 12 bytes, and the file has 8 for it${anew}`);
  refuses(entry({ dtype: 'F32', shape: [1e9, 1e9], data_offsets: [0, 8] }), /takes 4000000000000000000 bytes, and the file has 8 for it/);
  assert.equal(readSafetensors(file({ __metadata__: { a: 'b' } })), {});
});

const skeleton = network({ name: 'net', input: [2], layers: [dense(1, { name: 'fc' })] });
const weight = (shape: readonly number[], value: number): Constant => makeConstant('float32', shape, new Float32Array(shape.reduce((a, b) => a * b, 1)).fill(value));

test('pairs make a weight random, a tensor alone sets it', () => {
  const graph = applyPosterior(skeleton, { 'fc.weight.mean': weight([1, 2], 3), 'fc.weight.std': weight([1, 2], 0.5), 'fc.bias': weight([1], 7) }, { all: true });
  assert.equal([...graph.constants['fc.weight'].data, ...graph.constants['fc.bias'].data], [3, 3, 7]);
  assert.equal(Object.keys(graph.posteriors!), ['fc.weight']);
  assert.equal([...graph.posteriors!['fc.weight'].deviation.data], [0.5, 0.5]);
});

test('what does not fit is refused with the name of the tensor', () => {
  const apply = (tensors: Record<string, Constant>) => () => applyPosterior(skeleton, tensors, { all: true });
  const architecture = '\n  A posterior belongs to one architecture: compile it with the graph that it was trained with.';
  refuses(apply({ 'fc.weight.mean': weight([1, 2], 0) }), 'error [graph/posterior] fc.weight.mean: the file has no tensor fc.weight.std\n  Give mean and standard deviation of fc.weight, or fc.weight alone for a weight that is not random.');
  refuses(apply({ 'fc.weight.std': weight([1, 2], 0) }), 'error [graph/posterior] fc.weight.std: the file has no tensor fc.weight.mean\n  Give mean and standard deviation of fc.weight, or fc.weight alone for a weight that is not random.');
  const counted = { ...skeleton, constants: { ...skeleton.constants, axes: makeConstant('int64', [1], [1]) } };
  refuses(() => applyPosterior(counted, { 'axes.mean': weight([1], 1), 'axes.std': weight([1], 1) }), 'error [graph/posterior] axes.mean: the constant axes of the graph is int64, and only float32 weights are taken from a posterior\n  Leave it out of the file.');
  refuses(apply({ 'fx.weight': weight([1, 2], 0) }), `error [graph/posterior] fx.weight: the graph has no float32 weight fx.weight\n  Did you mean "fc.weight"?${architecture}`);
  refuses(apply({ 'fc.weight': weight([2, 2], 0) }), `error [graph/posterior] fc.weight: it is [2, 2], and the weight fc.weight of the graph is [1, 2]${architecture}`);
  refuses(apply({ 'fc.weight': weight([1, 2], 0) }), 'error [graph/posterior] fc.bias: the file says nothing of this weight\n  Add fc.bias.mean and fc.bias.std, or fc.bias alone.');
  refuses(() => applyPosterior(architectures.lenet5(), { 'fc1.weight': weight([100, 784], 0) }), /fc1\.weight of the graph is \[120, 400\]/);
});

test('a model that carries its posterior: an initializer beside NAME.std that no node reads', () => {
  const model = (nodes = [node('MatMul', ['x', 'w'], ['y'])]) => importOnnx(modelBytes({ initializers: [floats('w', [4, 1], [1, 2, 3, 4]), floats('w.std', [4, 1], [0.1, 0.2, 0.3, 0.4])], nodes }));
  const graph = ownPosterior(model());
  assert.equal(Object.keys(graph.constants), ['w']);
  assert.equal([...graph.posteriors!.w.deviation.data], [...Float32Array.of(0.1, 0.2, 0.3, 0.4)]);
  const read = model([node('MatMul', ['x', 'w'], ['z']), node('Add', ['z', 'w.std'], ['y'])]);
  assert.is(ownPosterior(read), read, 'an initializer that is read is an ordinary one');
});

test.run();
