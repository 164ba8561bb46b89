/** The command line of the benchmark. Pure: words in, options or a message out. */
import { parseArgs } from 'node:util';
import type { Clock } from './process.js';

export const sections = ['inference', 'relaxed', 'batches', 'lowbit', 'limit', 'bytes', 'cold', 'compile', 'threads', 'bayesian', 'instructions'] as const;
export type Section = (typeof sections)[number];
/** All but what needs valgrind, and minutes a network. */
export const usualSections: readonly Section[] = sections.filter((s) => s !== 'instructions');

export interface BenchOptions {
  readonly models: string;
  readonly sections: readonly Section[];
  readonly only?: readonly string[];
  readonly kinds: readonly string[];
  readonly batches: readonly number[];
  readonly rounds: number;
  readonly milliseconds: number;
  readonly clock: Clock;
  /** Labels of peers; all where absent. */
  readonly engines?: readonly string[];
  readonly targets?: readonly string[];
  readonly quick: boolean;
  readonly write: boolean;
  /** Only the sections that were asked for are written. */
  readonly writeSections: boolean;
  readonly python?: string;
  readonly torch?: string;
  readonly help: boolean;
}

export const usage = `npm run bench -- [options]

  --section LIST   ${sections.join(', ')}
                   (default: all but instructions, which needs valgrind)
  --only LIST      networks: mlp, lenet5, kws_dscnn, ad_ae, ic_resnet8, vww_mbv1, shapes of the low-bit
                   section, kernels of the limit section (by how their names begin)
  --kind LIST      f32, qdq_u8s8 (default: both, and what \`quantize\` makes)
  --batch LIST     default 1,10,100
  --engines LIST   peers: onnxruntime-web, tfjs, litert, onnxruntime-node (default: all)
  --target LIST    builds of ours in the inference section: simd128 (default), scalar
  --rounds N       interleaved rounds (default 15)
  --ms N           milliseconds of a round (default 60)
  --clock NAME     wall (default), or cpu: processor time, for ratios on a machine that others keep busy
  --quick          batch 1, 5 rounds of 30 ms, fewer cold starts: for a look, not for a claim
  --write          writes docs/benchmarks.md, or with --section those sections of it (needs all networks)
  --models DIR     networks and goldens (default ../shared/data/bench)
  --python FILE    an interpreter with test/bench/requirements.txt installed, which makes LiteRT's files
                   (default: SIGMAFLOW_BENCH_PYTHON, else .tmp/python, else python3)
  --torch FILE     an interpreter with torch, for the bayesian section (default: SIGMAFLOW_TORCH_PYTHON,
                   else python3)
`;

const words = (text: string | undefined): readonly string[] | undefined => text?.split(',').map((w) => w.trim()).filter((w) => w !== '');

/** @throws Error with one sentence for a word that is not understood. */
export function readOptions(argv: readonly string[], defaultModels: string): BenchOptions {
  const { values } = parseArgs({
    args: [...argv],
    options: {
      section: { type: 'string' }, only: { type: 'string' }, kind: { type: 'string' }, batch: { type: 'string' }, engines: { type: 'string' }, target: { type: 'string' },
      rounds: { type: 'string' }, clock: { type: 'string' }, ms: { type: 'string' }, models: { type: 'string' }, python: { type: 'string' }, torch: { type: 'string' },
      quick: { type: 'boolean' }, write: { type: 'boolean' }, help: { type: 'boolean', short: 'h' },
    },
  });
  const quick = values.quick ?? false;
  const count = (name: 'rounds' | 'ms', otherwise: number): number => {
    const n = values[name] === undefined ? otherwise : Number(values[name]);
    if (!(Number.isInteger(n) && n > 0)) throw new Error(`--${name}: expected a whole number above 0, found ${values[name]}`);
    return n;
  };
  const asked = words(values.section) ?? usualSections;
  const unknown = asked.find((s) => !(sections as readonly string[]).includes(s));
  if (unknown !== undefined) throw new Error(`--section: there is no ${unknown}; there are ${sections.join(', ')}`);
  const batches = (words(values.batch) ?? (quick ? ['1'] : ['1', '10', '100'])).map(Number);
  if (!batches.every((b) => Number.isInteger(b) && b > 0)) throw new Error(`--batch: expected whole numbers above 0, found ${values.batch}`);
  const clock = values.clock ?? 'wall';
  if (clock !== 'wall' && clock !== 'cpu') throw new Error(`--clock: expected wall or cpu, found ${clock}`);
  const write = values.write ?? false;
  const partial = (['only', 'kind', 'batch', 'engines', 'quick', 'clock'] as const).filter((name) => values[name] !== undefined);
  if (write && partial.length > 0) throw new Error(`--write needs whole sections: leave away --${partial.join(', --')}`);
  return {
    models: values.models ?? defaultModels,
    sections: asked as readonly Section[],
    only: words(values.only),
    kinds: words(values.kind) ?? ['f32', 'qdq_u8s8'],
    batches,
    rounds: count('rounds', quick ? 5 : 15),
    milliseconds: count('ms', quick ? 30 : 60),
    clock,
    engines: words(values.engines),
    targets: words(values.target),
    quick, write,
    writeSections: write && values.section !== undefined,
    python: values.python,
    torch: values.torch,
    help: values.help ?? false,
  };
}
