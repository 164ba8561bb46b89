/** The sections of a run in their order: each asks for its measurements and puts them into the results. */
import os from 'node:os';
import path from 'node:path';
import { measureBayesian } from './bayesian/measure.js';
import { bayesianNames } from './bayesian/networks.js';
import { torchHost } from './bayesian/torchHost.js';
import { measureBytes } from './bytes.js';
import { measureCold, measureCompile } from './cold.js';
import { compiled, hasTarget, labelOf, scratch, type Build } from './compiled.js';
import { generatedNetwork, shapes } from './generated.js';
import { chromiumHost, currentNode, thisNode } from './hosts.js';
import { measure, measureBatches } from './inference.js';
import { hasValgrind, measureInstructions } from './instructions.js';
import { kernels, measureKernel } from './layers.js';
import { measureDense } from './limit.js';
import { measureTrained, measureWidths, trainedNetworks } from './lowbit.js';
import { benchNetworks, type Network } from './networks.js';
import type { BenchOptions, Section } from './options.js';
import { peers } from './peers.js';
import type { Host } from './process.js';
import { makeTfliteFiles, tfliteFolder } from './python.js';
import { hasQuantize, quantizedNetwork } from './quantized.js';
import type { PeakAsked, Setting } from './race.js';
import type { Results } from './results.js';
import { measureThreads, poolEntry } from './threads.js';

/** Bundled programs of the processes, and the product's built package. */
export interface Programs {
  readonly worker: string;
  readonly page: string;
  readonly coldStart: string;
  readonly threads: string;
  /** Its folder. */
  readonly package: string;
}

const simd128: Build = { target: 'simd128' };

/** How a section tells what it measured, and what it could not. */
interface Tell {
  attempt(what: string, f: () => Promise<void>): Promise<void>;
  absent(line: string): void;
}

/** A build of this compiler with fused multiply-adds, where it makes them: the option alone tells nothing. */
async function hasFastMath(network: Network): Promise<boolean> {
  if (!hasTarget('relaxed')) return false;
  try {
    const { artifact } = await compiled(`${network.name}.${network.kind}`, network.graph, { target: 'relaxed', fastMath: true }, 1);
    return /relaxed_madd/.test(artifact.stages.source);
  } catch {
    return false;
  }
}

export async function runSections(options: BenchOptions, results: Results, programs: Programs, say: (line: string) => void): Promise<void> {
  const { rounds, milliseconds, clock, only } = options;
  const setting: Setting = { rounds, milliseconds, clock, busy: results.busy, tflite: tfliteFolder, settings: results.settings, say };
  const node = thisNode(programs.worker);
  results.hosts[node.name] = node.version;
  const chosen = peers.filter((p) => !options.engines || options.engines.includes(p.label));
  const has = (section: Section): boolean => options.sections.includes(section);
  const absent = (line: string): void => {
    results.absent.push(line);
    say(`  NOT MEASURED: ${line}`);
  };
  const progress = (what: string): void => say(`  ${what}, load ${os.loadavg()[0].toFixed(1)}`);
  const attempt = async (what: string, f: () => Promise<void>): Promise<void> => {
    try {
      await f();
      progress(what);
    } catch (error) {
      absent(`${what}: ${(error as Error).message.split('\n')[0]}`);
    }
  };

  const networks = options.kinds.flatMap((kind) => benchNetworks(options.models, kind, only));
  if (networks.length === 0) absent(`networks with goldens: none of ${options.kinds.join(', ')} in ${path.relative(process.cwd(), options.models)}${only ? ` named ${only.join(', ')}` : ''}.`);
  if (chosen.some((p) => p.engine === 'litert') && (['inference', 'relaxed', 'cold'] as const).some(has)) {
    const fault = makeTfliteFiles(options.models, [...new Set(networks.map((n) => n.name))], [...new Set([1, 10, 100, ...options.batches])], options.python);
    if (fault) absent(fault);
  }
  const builds = (options.targets ?? ['simd128']).map((target) => ({ target }));

  if (has('inference')) {
    for (const network of networks) {
      await attempt(`inference ${network.name} ${network.kind}`, async () => {
        results.inference.push(...(await measure(network, options.batches, node, builds, chosen.filter((p) => p.family !== 'relaxed'), [{ name: 'float32' }, { name: 'dot16' }], setting)));
      });
    }
  }
  if (has('relaxed')) await relaxedSection(networks, chosen, options, results, programs, setting, { attempt, absent });
  /** Measures, and puts what comes into a list. */
  const add = <T>(what: string, into: T[], measured: () => Promise<T> | T): Promise<void> => attempt(what, async () => void into.push(await measured()));
  const title = (network: Network): string => `${network.name} ${network.kind}`;
  const named = (...names: string[]): Network[] => networks.filter((n) => names.includes(n.name));

  if (has('batches')) for (const n of networks) await add(`batches ${title(n)}`, results.batches, () => measureBatches(n, [1, 10, 100], node, setting));
  const chosenShapes = Object.keys(shapes).filter((s) => !only || only.some((o) => s.startsWith(o)));
  const trained = trainedNetworks(only);
  if (has('lowbit')) {
    for (const shape of chosenShapes) {
      for (const batch of options.batches.filter((b) => b <= 10)) await add(`widths of ${shape} batch ${batch}`, results.widths, () => measureWidths(shape, batch, node, simd128, setting));
    }
    for (const n of trained) await add(n.name, results.trained, () => measureTrained(n, options.batches, node, simd128, setting));
  }
  if (has('limit')) {
    const current = currentNode(programs.worker);
    for (const k of kernels.filter((k) => !only || only.some((o) => k.name.startsWith(o)))) {
      await add(`kernel ${k.name} float32`, results.kernels, () => measureKernel(k, 'f32', simd128, 'float32', node, setting));
      await add(`kernel ${k.name} 8-bit`, results.kernels, () => measureKernel(k, 'w8a8', simd128, 'dot16', node, setting));
      if (typeof current !== 'string' && hasTarget('relaxed')) await add(`kernel ${k.name} 7-bit relaxed`, results.kernels, () => measureKernel(k, 'w8a7', { target: 'relaxed' }, 'dot8', current, setting));
    }
    for (const n of named('mlp', 'ad_ae')) await add(`limit of ${title(n)}`, results.dense, () => measureDense(n, node, setting));
  }
  if (has('bytes')) {
    const generated = chosenShapes.flatMap((s) => shapes[s].bits.filter((b) => b < 32).map((b) => generatedNetwork(s, b)));
    for (const n of [...networks, ...trained, ...generated]) {
      const both = hasTarget('relaxed') && n.kind === 'qdq_u8s8';
      for (const target of both ? ['simd128', 'relaxed'] : ['simd128']) await add(`bytes of ${title(n)} ${target}`, results.bytes, () => measureBytes(n, { target }));
    }
  }
  if (has('cold')) {
    const turns = options.quick ? 3 : 9;
    const rivals = chosen.filter((p) => p.family !== 'relaxed');
    for (const n of named('mlp', 'lenet5', 'kws_dscnn', 'vww_mbv1')) await add(`cold start ${title(n)}`, results.cold, () => measureCold(n, turns, clock, programs.coldStart, programs.package, rivals, tfliteFolder, say));
  }
  if (has('compile')) {
    const turns = options.quick ? 1 : 5;
    for (const n of named('lenet5', 'vww_mbv1')) await add(`compile ${title(n)}`, results.compile, () => measureCompile(n, turns, clock, programs.package, path.join(scratch, 'compile')));
  }
  if (has('instructions')) {
    if (!hasValgrind()) absent('instructions: valgrind is missing (apt-get install valgrind).');
    else for (const n of [...networks, ...trained]) for (const build of builds) await add(`instructions of ${title(n)} ${build.target}`, results.instructions, () => measureInstructions(n, build));
  }
  if (has('threads')) {
    const pool = poolEntry(programs.package);
    if (!pool) absent('threads: this tree has no worker pool in the package.');
    else for (const n of networks) for (const batch of [1, 10]) await add(`threads ${title(n)} batch ${batch}`, results.threads, () => measureThreads(n, batch, rounds, milliseconds, programs.threads, programs.package, pool));
  }
  if (has('bayesian')) {
    const torch = torchHost(options.torch);
    if (typeof torch === 'string') absent(`${torch}.`);
    else results.hosts[torch.name] = torch.version;
    const withPeers = chosen.some((p) => p.engine === 'onnxruntime-web');
    for (const name of bayesianNames.filter((n) => !only || only.includes(n))) {
      for (const batch of options.batches) await add(`bayesian ${name} batch ${batch}`, results.bayesian, () => measureBayesian(name, batch, node, torch, withPeers, setting));
    }
  }
}

/** 8-bit networks, their 7-bit variants, and float32 with fastMath, on engines that run relaxed SIMD rightly. */
async function relaxedSection(networks: readonly Network[], chosen: typeof peers, options: BenchOptions, results: Results, programs: Programs, setting: Setting, tell: Tell): Promise<void> {
  const browser = options.clock === 'wall' ? await chromiumHost(programs.page) : 'a page does not tell its processor time (--clock wall)';
  const found: readonly (readonly [string, Host | string])[] = [['a current Node', currentNode(programs.worker)], ['Chromium', typeof browser === 'string' ? browser : browser.host]];
  for (const [name, host] of found) if (typeof host === 'string') tell.absent(`relaxed SIMD in ${name}: ${host}.`);
  const hosts = found.flatMap(([, host]) => (typeof host === 'string' ? [] : [host]));
  for (const { name, version } of hosts) results.hosts[name] = version;
  if (!hasTarget('relaxed')) tell.absent('our relaxed build: this compiler has no target "relaxed"; the peers are measured beside our simd128 build.');
  const floats = networks.filter((n) => n.kind === 'f32');
  const fastMath = floats.length > 0 && (await hasFastMath(floats[0]));
  if (!fastMath) tell.absent('fastMath: this compiler makes no fused multiply-adds.');
  const narrow = narrowNetworks(options, tell);
  const trained = trainedNetworks(options.only).filter((n) => n.name !== 'mlp_w2a2');
  try {
    for (const host of hosts) {
      for (const network of [...networks, ...narrow, ...trained]) {
        const builds: Build[] = [simd128];
        if (hasTarget('relaxed') && network.kind !== 'f32') builds.push({ target: 'relaxed' });
        if (fastMath && network.kind === 'f32') builds.push({ target: 'relaxed', fastMath: true });
        const peaks: PeakAsked[] = network.kind === 'f32' ? [{ name: 'float32' }] : [{ name: 'dot16' }, { name: 'dot8' }];
        const rivals = chosen.filter((p) => network.kind !== 'trained' && (p.engine === 'litert' || (p.engine === 'onnxruntime-web' && !host.name.startsWith('Chromium'))));
        await tell.attempt(`${builds.map(labelOf).join(', ')} of ${network.name} ${network.kind} on ${host.name}`, async () => void results.relaxed.push(...(await measure(network, [1], host, builds, rivals, peaks, setting))));
      }
    }
  } finally {
    if (typeof browser !== 'string') await browser.close();
  }
}

/** The networks with 7-bit activations that `quantize` can make. */
function narrowNetworks(options: BenchOptions, tell: Tell): Network[] {
  if (!hasQuantize()) {
    tell.absent('networks with 7-bit activations: this tree has no command "quantize".');
    return [];
  }
  return benchNetworks(options.models, 'f32', options.only).flatMap((network) => {
    const made = quantizedNetwork(network);
    if (typeof made !== 'string') return [made];
    tell.absent(`${network.name} with 7-bit activations: ${made}`);
    return [];
  });
}
