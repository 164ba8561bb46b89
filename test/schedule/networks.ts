/** Small lowered Programs for the tests of the schedule, with inputs for them. No tests. */
import { runPasses } from '../../codegen/compile.js';
import type { Graph } from '../../codegen/ir/graph.js';
import type { ProgramUnit } from '../../codegen/ir/program.js';
import { lowerCase, type Lowered } from '../ops/harness.js';
import { GraphBuilder } from '../support/graphs.js';
import { Random } from '../support/random.js';

export class Net extends GraphBuilder {
  private readonly random = new Random(11);

  /** Weights of no pattern. */
  weight(...shape: number[]): string {
    const values = Array.from({ length: shape.reduce((a, b) => a * b, 1) }, () => this.random.float(-1, 1));
    return this.constant(`w${this.random.integer(0, 2 ** 30)}`, shape, values);
  }

  ints(...values: number[]): string {
    return this.constant(`i${this.random.integer(0, 2 ** 30)}`, [values.length], values, 'int32');
  }
}

/** The network of input `x`, lowered and interpreted. `build` gives the outputs. */
export function network(shape: readonly number[], build: (net: Net) => string | string[]): Lowered {
  const net = new Net();
  net.input('x', shape);
  const outputs = build(net);
  const random = new Random(5);
  const x = Array.from({ length: shape.reduce((a, b) => a * b, 1) }, () => random.float(-2, 2));
  return lowerCase({ name: 'network', graph: net.build(...[outputs].flat()), inputs: { x } });
}

/** A graph with one input `x`, through the passes, lowered and interpreted; `value` draws the elements of x. */
export function lowered(graph: Graph, value: (random: Random) => number): Lowered {
  const passed = runPasses(graph);
  const random = new Random(3);
  const count = (passed.values.x.shape as readonly number[]).reduce((a, b) => a * b, 1);
  return lowerCase({ name: graph.name, graph: passed, inputs: { x: Array.from({ length: count }, () => value(random)) } });
}

/** Names of kernels in order, those of repeats too. */
export function kernelNames(unit: ProgramUnit): string[] {
  const names = (blocks: ProgramUnit['program']['blocks']): string[] => blocks.flatMap((b) => (b.kind === 'kernel' ? [b.name] : names(b.body)));
  return names(unit.program.blocks);
}
