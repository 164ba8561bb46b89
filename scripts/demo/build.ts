/**
 * Builds the demo page into a folder: compiles the network's twins, measures them on the test images of examples/data, bundles the
 * page. Not here: the page itself (sdk/demo).
 */
import { existsSync, mkdirSync, readFileSync, rmSync, statSync, writeFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { gzipSync } from 'node:zlib';
import { build } from 'esbuild';
import { compile, type Options } from '../../sdk/compile.js';
import { readIdx } from '../../sdk/data/index.js';
import type { Method } from '../../sdk/demo/answer.js';
import { encodeBytes, toPlanes, type Contents, type DemoModule, type DemoSample, type DemoSet } from '../../sdk/demo/contents.js';
import { side } from '../../sdk/demo/preprocess.js';
import { architectures } from '../../sdk/model/architectures.js';
import { loadSync } from '../../sdk/runtime/index.js';
import { measure, type Pictures } from './measure.js';

const root = fileURLToPath(new URL('../../', import.meta.url));
const size = side * side;

/** What the page is made of. */
export interface Sources {
  /** Means and deviations of LeNet-5's weights. */
  readonly posterior: string;
  /** The folder of test images. Without ambiguous digits in it the page has none. */
  readonly data: string;
}

export const defaultSources: Sources = { posterior: `${root}examples/bayesian/lenet5.safetensors`, data: `${root}examples/data` };
/** What a static host has to carry, at most. */
export const mostBytes = 1_000_000;

/** A module of the page before it is compiled: each is a position of the page's switches. */
interface Wanted {
  readonly method: Method;
  readonly bits: number;
  /** Counts of samples that the page offers; 0 where none are drawn. */
  readonly samples: readonly number[];
  readonly options: Options;
}

const wanted: readonly Wanted[] = [
  { method: 'moments', bits: 32, samples: [0], options: { twin: 'moments' } },
  ...[8, 4].map((bits): Wanted => ({ method: 'moments', bits, samples: [0], options: { twin: 'moments', quantizePosterior: { bits } } })),
  { method: 'sample', bits: 32, samples: [10, 30, 100], options: { twin: 'sample', maxSamples: 100 } },
  { method: 'mean', bits: 32, samples: [0], options: { twin: 'mean' } },
];

const clothes = ['T-shirt', 'trousers', 'pullover', 'dress', 'coat', 'sandal', 'shirt', 'sneaker', 'bag', 'ankle boot'];

const readBytes = (folder: string, name: string): Uint8Array => readIdx(readFileSync(join(folder, `${name}.gz`)), name).data as Uint8Array;

/** The first image of each label. */
function firstOfEach(images: Uint8Array, labels: Uint8Array, text: (label: number) => string): DemoSample[] {
  return Array.from({ length: 10 }, (_, label) => {
    const at = labels.indexOf(label);
    return { text: text(label), pixels: encodeBytes(images.subarray(at * size, (at + 1) * size)) };
  });
}

/** Ambiguous digits of ten different pairs, named by the labels that their judges drew. */
function ambiguousSet(folder: string): { images: Uint8Array; set: DemoSet } {
  const images = readBytes(folder, 'ambiguous1000-images.idx3-ubyte');
  const labels = readBytes(folder, 'ambiguous1000-labels.idx2-ubyte');
  const seen = new Set<string>();
  const samples: DemoSample[] = [];
  for (let n = 0; n < images.length / size && samples.length < 10; n++) {
    const counts = new Array<number>(10).fill(0);
    for (const label of labels.subarray(10 * n, 10 * n + 10)) counts[label]++;
    const [first, second] = counts.map((_, c) => c).sort((a, b) => counts[b] - counts[a]);
    const pair = [first, second].sort().join(' or ');
    if (counts[second] < 4 || seen.has(pair)) continue;
    seen.add(pair);
    samples.push({ text: `ambiguous digit, ${pair}`, pixels: encodeBytes(images.subarray(n * size, (n + 1) * size)) });
  }
  return { images, set: { name: 'ambiguous', title: 'Ambiguous digits', source: 'made from MNIST by examples/bayesian/ambiguous.py', samples } };
}

/** Test images by set, and the pictures that the page offers. */
function readSets(data: string): { pictures: Pictures; sets: DemoSet[] } {
  const digits = readBytes(data, 'mnist600-images.idx3-ubyte');
  const clothing = readBytes(data, 'fashion600-images.idx3-ubyte');
  const between = existsSync(join(data, 'ambiguous1000-images.idx3-ubyte.gz')) ? ambiguousSet(data) : undefined;
  return {
    pictures: { digits, ...(between ? { ambiguous: between.images } : {}), clothing },
    sets: [
      { name: 'digits', title: 'Digits', source: 'MNIST, Y. LeCun, C. Cortes, C. J. C. Burges, CC BY-SA 3.0', samples: firstOfEach(digits, readBytes(data, 'mnist600-labels.idx1-ubyte'), (label) => `digit ${label}`) },
      ...(between ? [between.set] : []),
      { name: 'clothing', title: 'Clothing', source: 'Fashion-MNIST, Zalando SE, MIT', samples: firstOfEach(clothing, readBytes(data, 'fashion600-labels.idx1-ubyte'), (label) => clothes[label]) },
    ],
  };
}

/** Builds the page; returns its files by name with their bytes. */
export async function buildDemo(out: string, { posterior: file, data }: Sources = defaultSources): Promise<Record<string, number>> {
  const posterior = new Uint8Array(readFileSync(file));
  mkdirSync(out, { recursive: true });
  for (const old of readdirSync(out).filter((name) => name.endsWith('.planes.gz'))) rmSync(join(out, old));
  const { pictures, sets } = readSets(data);
  const modules: DemoModule[] = [];
  for (const { method, bits, samples, options } of wanted) {
    const { wasm } = await compile(architectures.lenet5(), { ...options, posterior });
    const name = `lenet5.${method}.${bits}.planes.gz`;
    writeFileSync(join(out, name), gzipSync(toPlanes(wasm), { level: 9 }));
    // weights are drawn once a sample for a whole batch, and answers do not depend on the batch
    const measured = loadSync((method === 'sample' ? (await compile(architectures.lenet5(), { ...options, posterior, batch: 50 })).wasm : wasm) as Uint8Array<ArrayBuffer>);
    modules.push({ method, bits, file: name, bytes: wasm.length, measurements: samples.map((count) => measure(measured, method, count, pictures)) });
  }
  const contents: Contents = { network: 'LeNet-5', modules, sets };
  writeFileSync(join(out, 'contents.json'), JSON.stringify(contents));
  await bundlePage(out);
  return Object.fromEntries(readdirSync(out).map((name) => [name, statSync(join(out, name)).size]));
}

async function bundlePage(out: string): Promise<void> {
  const page = `${root}sdk/demo/page/`;
  await build({
    entryPoints: { page: `${page}page.ts`, worker: `${root}sdk/demo/worker.ts`, style: `${page}style.css` },
    outdir: out, bundle: true, minify: true, format: 'esm', target: 'es2022', logLevel: 'warning',
  });
  writeFileSync(join(out, 'index.html'), readFileSync(`${page}index.html`));
}
