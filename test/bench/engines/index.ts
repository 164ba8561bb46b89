/** The engines by name. Importing this loads none of the peers: each loads its package when it is asked for a model. */
import type { EngineName, Loader } from './engine.js';
import { litert } from './litert.js';
import { onnxruntimeNode, onnxruntimeWeb } from './onnxruntime.js';
import { peak } from './peak.js';
import { sigmaflow } from './sigmaflow.js';
import { tfjs } from './tfjs.js';

export const loaders: Readonly<Record<EngineName, Loader>> = { sigmaflow, tfjs, litert, peak, 'onnxruntime-web': onnxruntimeWeb, 'onnxruntime-node': onnxruntimeNode };
