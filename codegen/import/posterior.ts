/**
 * Posteriors from files: tensors `NAME.mean` and `NAME.std` for the weight NAME of a graph, and plain `NAME` for one that
 * stays deterministic. Also models that carry their own: an initializer NAME beside one `NAME.std` that no node reads.
 */
import { fail, suggest } from '../ir/diagnostic.js';
import { formatShape, type Constant, type Graph, type Posterior } from '../ir/graph.js';

const meanSuffix = '.mean';
const deviationSuffix = '.std';

/**
 * The graph with the weights and posteriors of a file (tensors by name, float32).
 *
 * @throws graph/posterior where one of a pair is missing, a shape differs, the graph has no such weight, or (`all`) a weight
 * of the graph is in no tensor of the file.
 */
export function applyPosterior(graph: Graph, tensors: Readonly<Record<string, Constant>>, { all = false } = {}): Graph {
  const constants: Record<string, Constant> = { ...graph.constants };
  const posteriors: Record<string, Posterior> = { ...graph.posteriors };
  const weights = Object.keys(graph.constants).filter((name) => graph.constants[name].dtype === 'float32');
  const given = new Set<string>();
  for (const [name, tensor] of Object.entries(tensors)) {
    const isMean = name.endsWith(meanSuffix) && !weights.includes(name);
    const isDeviation = name.endsWith(deviationSuffix) && !weights.includes(name);
    const weight = isMean ? name.slice(0, -meanSuffix.length) : isDeviation ? name.slice(0, -deviationSuffix.length) : name;
    const partner = isMean ? weight + deviationSuffix : weight + meanSuffix;
    if ((isMean || isDeviation) && !Object.hasOwn(tensors, partner)) {
      fail('graph/posterior', name, `the file has no tensor ${partner}`, `Give mean and standard deviation of ${weight}, or ${weight} alone for a weight that is not random.`);
    }
    const own = Object.hasOwn(graph.constants, weight) ? graph.constants[weight].dtype : 'float32';
    if (own !== 'float32') fail('graph/posterior', name, `the constant ${weight} of the graph is ${own}, and only float32 weights are taken from a posterior`, 'Leave it out of the file.');
    if (!weights.includes(weight)) {
      fail('graph/posterior', name, `the graph has no float32 weight ${weight}`, suggest(weight, weights, 'weight'), 'A posterior belongs to one architecture: compile it with the graph that it was trained with.');
    }
    const wanted = graph.constants[weight].shape;
    if (formatShape(tensor.shape) !== formatShape(wanted)) {
      fail('graph/posterior', name, `it is ${formatShape(tensor.shape)}, and the weight ${weight} of the graph is ${formatShape(wanted)}`, 'A posterior belongs to one architecture: compile it with the graph that it was trained with.');
    }
    given.add(weight);
    if (isDeviation) posteriors[weight] = { deviation: tensor };
    else constants[weight] = tensor;
    if (!isMean && !isDeviation) delete posteriors[weight];
  }
  const missing = weights.filter((name) => !given.has(name));
  if (all && missing.length > 0) {
    fail('graph/posterior', missing[0], 'the file says nothing of this weight', `Add ${missing[0]}${meanSuffix} and ${missing[0]}${deviationSuffix}, or ${missing[0]} alone.`);
  }
  return { ...graph, constants, posteriors };
}

/** The graph of a model that carries its posterior: each constant NAME beside an unread `NAME.std` is random. */
export function ownPosterior(graph: Graph): Graph {
  const read = new Set([...graph.nodes.flatMap((n) => n.inputs), ...graph.outputs]);
  const posteriors: Record<string, Posterior> = {};
  const constants = { ...graph.constants };
  const values = { ...graph.values };
  for (const [name, deviation] of Object.entries(graph.constants)) {
    const weight = name.slice(0, -deviationSuffix.length);
    if (!name.endsWith(deviationSuffix) || read.has(name) || !Object.hasOwn(graph.constants, weight)) continue;
    posteriors[weight] = { deviation };
    delete constants[name];
    delete values[name];
  }
  return Object.keys(posteriors).length === 0 ? graph : { ...graph, constants, values, posteriors: { ...graph.posteriors, ...posteriors } };
}
