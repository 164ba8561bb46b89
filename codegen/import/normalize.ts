/**
 * Older forms of ONNX operators -> the newest form that the records know: attributes that became inputs (opsets 7 to 25).
 *
 * Not here: what an attribute means (the records), Softmax's older meaning (softmax.ts).
 */
import { fail } from '../ir/diagnostic.js';
import { isConstantAttribute, makeConstant } from '../ir/graph.js';
import type { Attribute, Constant, Node } from '../ir/graph.js';

/** What a rule may do to the graph around a node: add a constant, ask whether a value is used. */
export interface Surroundings {
  addConstant(hint: string, constant: Constant): string;
  isUsed(value: string): boolean;
}

interface Form {
  attributes: Record<string, Attribute>;
  inputs: string[];
  outputs: string[];
}

type Rule = (form: Form, node: Node, opset: number, around: Surroundings) => void;

const axesInput =
  (until: number): Rule =>
  (form, node, opset, around) => {
    if (opset < until) moveToInput(form, node, 'axes', 1, around);
  };

const rules: Readonly<Record<string, Rule>> = {
  Squeeze: axesInput(13),
  Unsqueeze: axesInput(13),
  ReduceSum: axesInput(13),
  ReduceMean: axesInput(18),
  ReduceMax: axesInput(18),
  Clip(form, node, opset, around) {
    if (opset >= 11) return;
    moveToInput(form, node, 'min', 1, around);
    moveToInput(form, node, 'max', 2, around);
  },
  Pad(form, node, opset, around) {
    if (opset >= 11) return;
    moveToInput(form, node, 'pads', 1, around);
    moveToInput(form, node, 'value', 2, around);
  },
  Slice(form, node, opset, around) {
    if (opset >= 10) return;
    moveToInput(form, node, 'starts', 1, around);
    moveToInput(form, node, 'ends', 2, around);
    moveToInput(form, node, 'axes', 3, around);
  },
  TopK(form, node, opset, around) {
    if (opset < 10) moveToInput(form, node, 'k', 1, around, true);
  },
  Dropout(form, node, opset, around) {
    if (opset < 12) moveToInput(form, node, 'ratio', 1, around);
  },
  BatchNormalization(form, node, opset, around) {
    if (opset < 9 && form.attributes.spatial !== undefined) {
      if (form.attributes.spatial !== 1) {
        fail('graph/unsupported', node.name, 'BatchNormalization with spatial = 0 is not supported', 'Export the model with opset 9 or later.');
      }
      delete form.attributes.spatial;
    }
    // Before opset 14, the statistics of training were optional outputs.
    if (opset < 14) while (form.outputs.length > 1 && !around.isUsed(form.outputs[form.outputs.length - 1])) form.outputs.pop();
  },
};

/** The node in its newest form. Raises graph/unsupported and graph/attribute-type. */
export function normalizeNode(node: Node, opset: number, around: Surroundings): Node {
  const form: Form = { attributes: Object.fromEntries(Object.entries(node.attributes)), inputs: [...node.inputs], outputs: [...node.outputs] };
  if (Object.hasOwn(rules, node.op)) rules[node.op](form, node, opset, around);
  while (form.inputs.at(-1) === '') form.inputs.pop();
  while (form.outputs.length > 1 && form.outputs.at(-1) === '') form.outputs.pop();
  return { ...node, ...form };
}

/** Moves an attribute to input `position`, as a constant; a number becomes rank 0, or rank 1 where `vector` is set. */
function moveToInput(form: Form, node: Node, name: string, position: number, around: Surroundings, vector = false): void {
  const value = Object.hasOwn(form.attributes, name) ? form.attributes[name] : undefined;
  if (value === undefined) return;
  delete form.attributes[name];
  if (typeof value === 'string' || isConstantAttribute(value) || (Array.isArray(value) && !value.every((v) => typeof v === 'number'))) {
    fail('graph/attribute-type', node.name, `the attribute "${name}" of ${node.op} must be a number or a list of numbers`, 'The file is damaged: export or download it again.');
  }
  const numbers = typeof value === 'number' ? [value] : (value as readonly number[]);
  const isFloat = name === 'min' || name === 'max' || name === 'value' || name === 'ratio';
  const shape = typeof value === 'number' && !vector ? [] : [numbers.length];
  const values = isFloat ? numbers : numbers.map((x) => Math.max(-(2 ** 31), Math.min(2 ** 31 - 1, x)));
  while (form.inputs.length < position) form.inputs.push('');
  if (form.inputs.length > position) {
    fail('graph/arity', node.name, `${node.op} has "${name}" both as an attribute and as an input`, 'Declare the opset that the node is written in.');
  }
  form.inputs[position] = around.addConstant(`${node.name}_${name}`, makeConstant(isFloat ? 'float32' : 'int32', shape, values));
}
