/**
 * NodeContext: a node seen through its record, with arity and attributes checked. What every function of a record gets.
 *
 * Not here: shapes and types (each record's `infer` checks those), and the walk over a graph (passes/infer.ts).
 */
import { describe } from '../ir/datatype.js';
import { fail, suggest } from '../ir/diagnostic.js';
import { isConstantAttribute, type Attribute, type Constant, type Graph, type Node } from '../ir/graph.js';
import type { AttributeSchema, NodeContext, OperatorRecord, ValueInfo } from './record.js';

/**
 * Checks a node against its record and gives the record's view of it.
 *
 * `infos` is parallel to `node.inputs`: undefined where an optional input is absent. Raises graph/arity,
 * graph/unknown-attribute, graph/attribute-type and graph/missing-attribute; the accessors raise graph/not-constant.
 */
export function nodeContext(node: Node, record: OperatorRecord, infos: readonly (ValueInfo | undefined)[]): NodeContext {
  checkNode(node, record);
  const input = (i: number): ValueInfo => {
    const info = infos[i];
    if (!info) fail('graph/arity', node.name, `${node.op} needs its input ${inputName(record, i)}, which is absent`);
    return info;
  };
  const attribute = (name: string): Attribute => {
    const schema = record.attributes[name];
    if (!schema) throw new TypeError(`the record ${record.name} reads "${name}", which its schema does not have`);
    const value = node.attributes[name] ?? schema.default;
    if (value === undefined) {
      fail('graph/missing-attribute', node.name, `${node.op} needs the attribute "${name}" here, which is absent`, schema.doc);
    }
    return value;
  };

  return {
    node,
    inputs: node.inputs.map((name, i) => (name === '' ? undefined : infos[i])),
    input,
    constant(i) {
      const info = input(i);
      if (!info.constant) {
        fail(
          'graph/not-constant',
          node.name,
          `input ${inputName(record, i)} of ${node.op} ("${info.name}") must be known at compile time, but it is computed at run time`,
          'Make it an initializer of the model.',
        );
      }
      return info.constant;
    },
    int: (name) => attribute(name) as number,
    ints: (name) => attribute(name) as readonly number[],
    float: (name) => attribute(name) as number,
    floats: (name) => attribute(name) as readonly number[],
    text: (name) => attribute(name) as string,
    tensor: (name) => attribute(name) as Constant,
    has: (name) => node.attributes[name] !== undefined,
  };
}

/** Arity and attributes alone. Raises graph/arity, graph/unknown-attribute, graph/attribute-type, graph/missing-attribute. */
export function checkNode(node: Node, record: OperatorRecord): void {
  checkArity(node, record);
  checkAttributes(node, record);
}

/** The view of a node of an inferred graph (see passes/infer.ts). */
export function graphContext(graph: Graph, node: Node, record: OperatorRecord): NodeContext {
  return nodeContext(
    node,
    record,
    node.inputs.map((name) => (name === '' ? undefined : valueInfo(graph, name))),
  );
}

/** All that an inferred graph knows of a value. Raises graph/missing-tensor and graph/dynamic-shape. */
export function valueInfo(graph: Graph, name: string): ValueInfo {
  const value = Object.hasOwn(graph.values, name) ? graph.values[name] : undefined;
  if (!value) fail('graph/missing-tensor', name, 'nothing defines this tensor', suggest(name, Object.keys(graph.values), 'tensor'));
  const shape = value.shape;
  if (!shape || !value.dtype || shape.some((d) => typeof d !== 'number')) {
    fail('graph/dynamic-shape', name, 'the shape of this tensor is not known yet', 'Run `infer` first.');
  }
  return {
    name,
    shape: shape as readonly number[],
    dtype: value.dtype,
    annotation: value.annotation,
    range: value.range,
    constant: Object.hasOwn(graph.constants, name) ? graph.constants[name] : undefined,
  };
}

function inputName(record: OperatorRecord, i: number): string {
  const schema = record.inputs[Math.min(i, record.inputs.length - 1)];
  return schema ? schema.name : String(i);
}

function checkArity(node: Node, record: OperatorRecord): void {
  const schemas = record.inputs;
  const variadic = schemas.some((s) => s.variadic);
  const least = schemas.filter((s) => !s.optional).length;
  const given = node.inputs.length;
  if (given < least || (given > schemas.length && !variadic)) {
    const names = schemas.map((s) => (s.variadic ? `${s.name}...` : s.optional ? `${s.name}?` : s.name)).join(', ');
    const bounds = variadic ? `at least ${least}` : least === schemas.length ? `${least}` : `${least} to ${schemas.length}`;
    fail('graph/arity', node.name, `${node.op} takes ${bounds} ${bounds === '1' ? 'input' : 'inputs'} (${names}), found ${given}`);
  }
  node.inputs.forEach((name, i) => {
    const schema = schemas[Math.min(i, schemas.length - 1)];
    if (name === '' && !schema.optional) {
      fail('graph/arity', node.name, `${node.op} needs its input ${schema.name}, which is absent`);
    }
  });
  if (node.outputs.length < 1 || node.outputs.length > record.outputs.length) {
    const bounds = record.outputs.length === 1 ? '1 output' : `1 to ${record.outputs.length} outputs`;
    fail('graph/arity', node.name, `${node.op} has ${bounds} (${record.outputs.join(', ')}), found ${node.outputs.length}`);
  }
}

function checkAttributes(node: Node, record: OperatorRecord): void {
  for (const [name, value] of Object.entries(node.attributes)) {
    const schema = Object.hasOwn(record.attributes, name) ? record.attributes[name] : undefined;
    if (!schema) {
      fail(
        'graph/unknown-attribute',
        node.name,
        `${node.op} has no attribute "${name}"`,
        suggest(name, Object.keys(record.attributes), 'attribute'),
      );
    }
    if (!fits(value, schema)) {
      fail('graph/attribute-type', node.name, `the attribute "${name}" of ${node.op} must be ${typeWords[schema.type]}, found ${show(value)}`, schema.doc);
    }
    if (schema.values && !schema.values.includes(value as string | number)) {
      const valid = schema.values.map(String);
      fail(
        'graph/attribute-type',
        node.name,
        `the attribute "${name}" of ${node.op} must be one of ${valid.join(', ')}, found ${show(value)}`,
        typeof value === 'string' ? suggest(value, valid, 'value') : schema.doc,
      );
    }
  }
  for (const [name, schema] of Object.entries(record.attributes)) {
    if (schema.required && node.attributes[name] === undefined) {
      fail('graph/missing-attribute', node.name, `${node.op} needs the attribute "${name}", which is absent`, schema.doc);
    }
  }
}

const typeWords: Record<AttributeSchema['type'], string> = {
  int: 'an integer',
  ints: 'a list of integers',
  float: 'a number',
  floats: 'a list of numbers',
  string: 'a text',
  tensor: 'a tensor',
};

function fits(value: Attribute, schema: AttributeSchema): boolean {
  switch (schema.type) {
    case 'int':
      return Number.isInteger(value);
    case 'float':
      return typeof value === 'number';
    case 'string':
      return typeof value === 'string';
    case 'tensor':
      return isConstantAttribute(value);
    case 'ints':
      return Array.isArray(value) && value.every((v) => Number.isInteger(v));
    case 'floats':
      return Array.isArray(value) && value.every((v) => typeof v === 'number');
  }
}

function show(value: Attribute): string {
  if (isConstantAttribute(value)) return `a tensor of ${describe(value.dtype).bits} bits, shape [${value.shape.join(', ')}]`;
  const text = JSON.stringify(value);
  return text.length > 60 ? `${text.slice(0, 57)}...` : text;
}
