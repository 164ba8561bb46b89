/** Built-in architectures, as skeletons for posteriors: weights are zeros, named as the layers of the papers' networks are. */
import type { Graph } from '../../codegen/ir/graph.js';
import { convolution, dense, flatten, maxPool, relu, softmax } from './layers.js';
import { network } from './network.js';

/** By name. Both take [N, 1, 28, 28] and give the probabilities of ten classes. */
export const architectures: Readonly<Record<string, () => Graph>> = {
  /** 784-100-100-10 with ReLU; layers fc1, fc2, fc3. */
  mlp: () => network({
    name: 'mlp', input: [1, 28, 28],
    layers: [flatten(), dense(100, { name: 'fc1' }), relu(), dense(100, { name: 'fc2' }), relu(), dense(10, { name: 'fc3' }), softmax()],
  }),
  /** Convolutions 1-6 (5x5, padding 2) and 6-16 (5x5), each with ReLU and 2x2 maximum; dense 400-120-84-10; layers conv1 ... fc3. */
  lenet5: () => network({
    name: 'lenet5', input: [1, 28, 28],
    layers: [
      convolution(6, 5, { name: 'conv1', padding: 2 }), relu(), maxPool(2), convolution(16, 5, { name: 'conv2' }), relu(), maxPool(2), flatten(),
      dense(120, { name: 'fc1' }), relu(), dense(84, { name: 'fc2' }), relu(), dense(10, { name: 'fc3' }), softmax(),
    ],
  }),
};
