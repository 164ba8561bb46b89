/**
 * `sigmaflow verify`: whether every engine gives the same bits for a model, tensor by tensor.
 *
 * First modules that keep every tensor (built without buffer reuse) are held against the interpreter, then the outputs
 * of the modules as users get them. The float64 reference is no matter of bits: its largest deviation is said.
 */
import type { Artifact } from '../../codegen/compile.js';
import { formatShape } from '../../codegen/ir/graph.js';
import { describeDifference, firstDifference, firstDifferingTensor, hashElements, largestDeviation } from './bits.js';
import { boardOption, machineOf, type Machine } from './boards.js';
import { usage, type Command, type Context } from './command.js';
import { checkControls, controlsOf, samplesOption, type Controls } from './controls.js';
import { artifactEngine, build, interpreterEngine, openModule, referenceEngine, type Engine } from './engines.js';
import { circuitGraph, compileSimulation, lowerForCircuit, makeCircuit, requireCompiler, type Simulation } from './circuits.js';
import { atFile, batchOption, largestBatch, readModel, targets as allTargets, type ModelFile, posteriorOptions } from './models.js';
import { relaxedHint, relaxedHost } from './relaxed.js';
import { drawnFrom, randomInputs, readInputs, runInBatches, type Call, type Inputs, type Tensor } from './tensors.js';
import { plural, table } from './text.js';
import { runCommand } from './wasi.js';

/** Of sums that are rounded once or twice an addition, over networks of some dozen layers. */
const tolerance = 1e-4;

export const command: Command = {
  name: 'verify',
  usage: 'MODEL.onnx [--input X.npy | --random N --seed S] [options]',
  about: `Runs a model on every engine that this machine has (interpreter, scalar, simd128, relaxed, WASI) and compares their bits: first
every tensor, in modules built without buffer reuse, then the outputs of the modules as they are shipped. Exit status 1
where a bit differs, with the first differing tensor and element. NaNs count as equal whatever their bits are.`,
  positionals: ['MODEL.onnx'],
  options: [
    { name: 'input', short: 'i', value: '[NAME=]FILE', doc: '.npy, or .npz with arrays by input name', repeated: true },
    { name: 'random', value: 'N', doc: `draw N inputs (default 4): ${drawnFrom}` },
    { name: 'seed', value: 'S', doc: 'of the random inputs (default 1), and of the weights that --twin sample draws' },
    { ...boardOption, doc: 'the modules as for this board: raspberry-pi-3, -4, -5, browser, or a board file' },
    batchOption,
    ...posteriorOptions,
    { ...samplesOption, doc: 'of --twin sample: samples of the weights, 1 to 65536 (default 2)' },
    { name: 'engine', value: 'hls', doc: 'also the circuit of "sigmaflow hls", by C simulation with g++', choices: ['hls'] },
    { name: 'fast-math', doc: `also the build of compile --fast-math, held to ${tolerance} of the largest value instead of to its bits` },
  ],
  examples: ['sigmaflow verify mlp.onnx --random 8 --seed 3', 'sigmaflow verify mlp.onnx --input digits.npy', 'sigmaflow verify mlp.onnx --engine hls'],
  async run(args, context) {
    const batch = args.integer('batch', 1, largestBatch);
    const random = args.integer('random', 1, 1_000_000);
    const seed = args.integer('seed', 0, 2 ** 32 - 1) ?? 1;
    if (args.flag('input') && (args.flag('random') || (args.flag('seed') && args.text('twin') !== 'sample'))) usage(command, '--input', 'inputs are either given or drawn', 'Leave --random and --seed away, or --input.');
    const withCircuit = args.flag('engine');
    if (withCircuit) requireCompiler();
    const { processor, title } = machineOf(args, context.root);
    const model = readModel(args.positionals[0], args);
    const reference = referenceEngine(model, batch);
    const { samples } = controlsOf(args);
    checkControls(command, { samples }, reference.inputs);
    const controls = { samples: samples ?? 2, seed };
    const inputs = args.flag('input') ? readInputs(args.texts('input'), reference.inputs, controls) : randomInputs(reference.inputs, random ?? reference.batch * Math.ceil(4 / reference.batch), seed, controls);
    context.print(`${model.name}: ${plural(inputs.count, 'input')}${args.flag('input') ? '' : ` drawn with seed ${seed} (${drawnFrom})`}, batch ${reference.batch}${title === undefined ? '' : `, modules for ${title}`}\n`);
    const differences = await verifyModel(model, { batch, processor }, inputs, reference, controls, context, { fastMath: args.flag('fast-math'), withCircuit });
    context.print(differences === 0 ? `\nAll engines agree in every bit${args.flag('fast-math') ? ', fast math apart' : ''}.` : '\nThe engines differ.');
    return differences === 0 ? 0 : 1;
  },
};

/** Prints what was found; returns the number of differences. */
async function verifyModel(model: ModelFile, options: { batch?: number; processor?: Machine['processor'] }, inputs: Inputs, reference: Engine, controls: Controls, { print, root }: Context, { fastMath, withCircuit }: { fastMath: boolean; withCircuit: boolean }): Promise<number> {
  const releases = new Map<string, Awaited<ReturnType<typeof build>>>();
  for (const target of allTargets) releases.set(target, await build(model, { ...options, target, wasi: target === 'scalar' }));
  const skipped = allTargets.filter((target) => releases.get(target)!.manifest.features.includes('relaxed-simd') && relaxedHost() === undefined);
  const targets = allTargets.filter((target) => !skipped.includes(target));
  for (const target of skipped) {
    releases.delete(target);
    print(`SKIP ${target}: Node ${process.versions.node} has no relaxed SIMD that computes rightly. ${relaxedHint}\n`);
  }
  const first = releases.get('scalar')!;
  const interpreter = interpreterEngine(first);
  const { inputs: inputSlots, outputs: outputSlots } = interpreter;
  const differences: string[] = [];

  // Every tensor that the interpreter and a module both have.
  const inner = await Promise.all(targets.map(async (target) => ({ target, module: openModule(await build(model, { ...options, target, debug: true })), compared: new Set<string>(), differs: '' })));
  const interpreted = runInBatches(inputs, inputSlots, outputSlots, interpreter.batch, (call) => {
    const expected = interpreter.all(call);
    for (const one of inner) if (one.differs === '') one.differs = firstDifferingTensor(one.compared, one.module.run(call), expected, interpreter.unit.program.tensors);
    return interpreter.outputsOf(expected);
  });
  const rows: string[][] = inner.map(({ target, compared, differs }) => [`  ${target}`, differs === '' ? `${plural(compared.size, 'tensor')} equal` : `differs: ${differs}`]);
  differences.push(...inner.filter((one) => one.differs !== '').map((one) => one.differs));
  print('every tensor, in modules without buffer reuse, against the interpreter');
  print(table(rows));

  // The outputs of the modules as they are shipped.
  const runs: { name: string; outputs: Record<string, Tensor> }[] = [{ name: 'interpret', outputs: interpreted }];
  for (const [target, artifact] of releases) runs.push({ name: target, outputs: runInBatches(inputs, inputSlots, outputSlots, interpreter.batch, artifactEngine(artifact).call) });
  runs.push({ name: 'wasi', outputs: await runCommand(first.wasi!, inputs, inputSlots, outputSlots, controls) });
  if (withCircuit) runs.push({ name: 'hls', outputs: simulated(first, model, root, (call) => runInBatches(inputs, inputSlots, outputSlots, interpreter.batch, call)) });
  const fast = fastMath && relaxedHost() !== undefined ? runInBatches(inputs, inputSlots, outputSlots, interpreter.batch, artifactEngine(await build(model, { ...options, target: 'relaxed', fastMath })).call) : undefined;
  if (fastMath && !fast) print(`SKIP fast math: Node ${process.versions.node} has no relaxed SIMD that computes rightly. ${relaxedHint}`);
  const exact = runInBatches(inputs, reference.inputs, reference.outputs, reference.batch, reference.call);
  for (const slot of outputSlots) {
    const expected = interpreted[slot.name];
    print(`\n${slot.name}: ${slot.dtype} ${formatShape(expected.shape)}`);
    const lines = runs.map(({ name, outputs }): string[] => {
      const { data, shape } = outputs[slot.name];
      const float = slot.dtype === 'float32';
      const equal = firstDifference(data, expected.data, float) < 0;
      if (!equal) differences.push(slot.name);
      return [`  ${name}`, hashElements(data, float), name === 'interpret' ? '' : equal ? 'equal' : `differs: ${describeDifference(slot.name, shape, data, expected.data, float)}`];
    });
    const { deviation, scale } = largestDeviation(expected.data, exact[slot.name].data);
    lines.push(['  reference', 'float64', deviation === 0 ? 'no deviation' : `largest deviation ${deviation.toExponential(1)}, largest value ${scale.toPrecision(3)}`]);
    if (fast) {
      const { deviation, scale } = largestDeviation(fast[slot.name].data, expected.data);
      const within = deviation <= (slot.dtype === 'float32' ? tolerance * scale : 1);
      if (!within) differences.push(slot.name);
      lines.push(['  fast math', 'apart', `largest deviation ${deviation.toExponential(1)}, ${within ? 'within' : 'beyond'} ${slot.dtype === 'float32' ? `${tolerance} of the largest value` : 'one step'}`]);
    }
    print(table(lines));
  }
  return differences.length;
}

/** What C simulation of the model's circuit gives. */
function simulated({ manifest }: Artifact, model: ModelFile, root: string, run: (call: Call) => Record<string, Tensor>): Record<string, Tensor> {
  let simulation: Simulation | undefined;
  try {
    simulation = atFile(model.file, () => compileSimulation(makeCircuit(lowerForCircuit(circuitGraph(model, manifest.batch))), manifest, root));
    return run(simulation.call);
  } finally {
    simulation?.remove();
  }
}
