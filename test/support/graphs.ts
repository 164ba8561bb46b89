/** Small graphs for the tests of passes, written in a few lines. Not for models: those are ONNX files. */
import { makeConstant, type Attribute, type Constant, type Graph, type Node, type Value } from '../../codegen/ir/graph.js';

export class GraphBuilder {
  private readonly nodes: Node[] = [];
  private readonly values: Record<string, Value> = {};
  private readonly constants: Record<string, Constant> = {};
  private readonly inputs: string[] = [];

  input(name: string, shape: readonly number[]): string {
    this.values[name] = { name, shape, dtype: 'float32' };
    this.inputs.push(name);
    return name;
  }

  constant(name: string, shape: readonly number[], values: readonly number[], dtype: Constant['dtype'] = 'float32'): string {
    this.constants[name] = makeConstant(dtype, shape, values);
    this.values[name] = { name };
    return name;
  }

  scalar(value: number): string {
    const name = `k${Object.keys(this.constants).length}`;
    return this.constant(name, [], [value]);
  }

  /** Adds a node named `<op>_<n>`; returns its first output. */
  node(op: string, inputs: readonly string[], attributes: Readonly<Record<string, Attribute>> = {}, outputs = 1): string {
    const name = `${op}_${this.nodes.length}`;
    const names = Array.from({ length: outputs }, (_, i) => (i === 0 ? `${name}_out` : `${name}_out${i}`));
    for (const output of names) this.values[output] = { name: output };
    this.nodes.push({ name, op, inputs, outputs: names, attributes });
    return names[0];
  }

  /** A Quant with one scale. */
  quant(x: string, scale: number, bits: number, attributes: Readonly<Record<string, Attribute>> = {}, zeroPoint = 0): string {
    return this.node('Quant', [x, this.scalar(scale), this.scalar(zeroPoint), this.scalar(bits)], attributes);
  }

  build(...outputs: string[]): Graph {
    return { name: 'test', inputs: this.inputs, outputs, values: this.values, constants: this.constants, nodes: this.nodes };
  }
}
