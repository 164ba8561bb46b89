/** The engines by name. Importing this loads none of the peers: each loads its package when it is asked for a model. */
import type { EngineName, Loader } from './engine.js';
import { litert } from './litert.js';
import { onnxruntimeNode, onnxruntimeWeb } from './onnxruntime.js';
import { peak } from './peak.js';
import { sigmaflow } from './sigmaflow.js';
import { tfjs } from './tfjs.js';

/** All but torch, which has a process of its own kind (bayesian/torchWorker.py). */
export const loaders: Readonly<Record<Exclude<EngineName, 'torch'>, Loader>> = { sigmaflow, tfjs, litert, peak, 'onnxruntime-web': onnxruntimeWeb, 'onnxruntime-node': onnxruntimeNode };
