/**
 * ONNX's own operator test cases through import, infer and the float64 reference (needs Python with onnx, which makes
 * the cases). Inputs after the first become constants: axes and shapes must be.
 */
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fromBinary } from '@bufbuild/protobuf';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { TensorProtoSchema } from '../../codegen/import/onnx_pb.js';
import { importOnnx } from '../../codegen/import/onnx.js';
import { importTensor } from '../../codegen/import/tensors.js';
import { DiagnosticError, type DiagnosticCode } from '../../codegen/ir/diagnostic.js';
import type { Constant } from '../../codegen/ir/graph.js';
import { internalOperators, operators } from '../../codegen/ops/index.js';
import { evaluate } from '../../codegen/passes/evaluate.js';
import { pythonWith, runPython } from '../support/python.js';

/** Undefined where all outputs agree, else what is wrong. */
function difference(folder: string): string | undefined {
  const tensor = (file: string): Constant => importTensor(fromBinary(TensorProtoSchema, new Uint8Array(readFileSync(join(folder, file)))), file, undefined);
  const graph = importOnnx(new Uint8Array(readFileSync(join(folder, 'model.onnx'))));
  const given = graph.inputs.map((name, i) => [name, tensor(`input_${i}.pb`)] as const);
  const [first, ...rest] = given;
  const fixed = { ...graph, inputs: first ? [first[0]] : [], constants: { ...graph.constants, ...Object.fromEntries(rest) } };
  const results = evaluate(fixed, first ? { [first[0]]: { shape: first[1].shape, data: Float64Array.from(first[1].data) } } : {});
  for (const [i, name] of graph.outputs.entries()) {
    if (!existsSync(join(folder, `output_${i}.pb`))) continue;
    const [wanted, found] = [tensor(`output_${i}.pb`), results[name]];
    if (String(wanted.shape) !== String(found.shape)) return `${name} has shape [${found.shape}], expected [${wanted.shape}]`;
    for (let k = 0; k < found.data.length; k++) {
      const [a, b] = [found.data[k], wanted.data[k]];
      if (!Object.is(a, b) && a !== b && !(Math.abs(a - b) <= 1e-4 * Math.max(1, Math.abs(b)))) return `${name}[${k}] is ${a}, expected ${b}`;
    }
  }
  return undefined;
}

test("ONNX's operator test cases agree, or are refused by a diagnostic", () => {
  const python = pythonWith('onnx', 'numpy');
  if (!python) return;
  const folder = mkdtempSync(join(tmpdir(), 'sigmaflow-cases-'));
  try {
    runPython(python, 'onnx_node_cases.py', [folder, ...Object.keys(operators).filter((op) => !internalOperators.has(op))]);
    const wrong: string[] = [];
    const refused = new Map<DiagnosticCode, number>();
    let agreed = 0;
    for (const name of readdirSync(folder).sort()) {
      try {
        const what = difference(join(folder, name));
        if (what === undefined) agreed++;
        else wrong.push(`${name}: ${what}`);
      } catch (error) {
        if (!(error instanceof DiagnosticError)) throw error;
        refused.set(error.diagnostic.code, (refused.get(error.diagnostic.code) ?? 0) + 1);
      }
    }
    console.log(`  ${agreed} cases agree; refused: ${[...refused].map(([code, n]) => `${n} ${code}`).join(', ')}`);
    assert.equal(wrong, []);
    assert.ok(agreed >= 250, `only ${agreed} cases were computed`);
  } finally {
    rmSync(folder, { recursive: true });
  }
});

test.run();
