/**
 * The table of operators: one import and one line an operator. Nothing else belongs here.
 */
import { fail, suggest } from '../ir/diagnostic.js';
import type { OperatorRecord } from './record.js';

// ---- arithmetic: imports ----
import { abs } from './abs.js';
import { absmoments } from './absmoments.js';
import { add } from './add.js';
import { argmax } from './argmax.js';
import { averagepool } from './averagepool.js';
import { batchnormalization } from './batchnormalization.js';
import { clip } from './clip.js';
import { clipmoments } from './clipmoments.js';
import { conv } from './conv.js';
import { convtranspose } from './convtranspose.js';
import { div } from './div.js';
import { erf } from './erf.js';
import { exp } from './exp.js';
import { expmoments } from './expmoments.js';
import { gemm } from './gemm.js';
import { globalaveragepool } from './globalaveragepool.js';
import { leakyrelu } from './leakyrelu.js';
import { log } from './log.js';
import { loopindex } from './loopindex.js';
import { matmul } from './matmul.js';
import { maxpool } from './maxpool.js';
import { maxpoolmoments } from './maxpoolmoments.js';
import { mul } from './mul.js';
import { neg } from './neg.js';
import { pow } from './pow.js';
import { reducemax } from './reducemax.js';
import { reducemean } from './reducemean.js';
import { reducesum } from './reducesum.js';
import { randomnormal } from './randomnormal.js';
import { relu } from './relu.js';
import { relumoments } from './relumoments.js';
import { roundmoments } from './roundmoments.js';
import { sigmoid } from './sigmoid.js';
import { sigmoidmoments } from './sigmoidmoments.js';
import { sign } from './sign.js';
import { softmax } from './softmax.js';
import { softmaxmoments } from './softmaxmoments.js';
import { sqrt } from './sqrt.js';
import { stepmoments } from './stepmoments.js';
import { sub } from './sub.js';
import { sumpool } from './sumpool.js';
import { tanh } from './tanh.js';
import { tanhmoments } from './tanhmoments.js';
import { topk } from './topk.js';
// ---- arithmetic: end ----

// ---- movement and quantizers: imports ----
import { bipolarquant } from './bipolarquant.js';
import { concat } from './concat.js';
import { constant } from './constant.js';
import { decodepower } from './decodepower.js';
import { decodetable } from './decodetable.js';
import { decodeuniform } from './decodeuniform.js';
import { dequantize } from './dequantize.js';
import { dequantizelinear } from './dequantizelinear.js';
import { divergence } from './divergence.js';
import { dropout } from './dropout.js';
import { flatten } from './flatten.js';
import { gather } from './gather.js';
import { identity } from './identity.js';
import { multithreshold } from './multithreshold.js';
import { pad } from './pad.js';
import { quant } from './quant.js';
import { quantize } from './quantize.js';
import { quantizelinear } from './quantizelinear.js';
import { requantize } from './requantize.js';
import { reshape } from './reshape.js';
import { shape } from './shape.js';
import { slice } from './slice.js';
import { samplecollect } from './samplecollect.js';
import { sampleinformation } from './sampleinformation.js';
import { samplemean } from './samplemean.js';
import { samplemoments } from './samplemoments.js';
import { square } from './square.js';
import { squeeze } from './squeeze.js';
import { transpose } from './transpose.js';
import { trunc } from './trunc.js';
import { unsqueeze } from './unsqueeze.js';
// ---- movement and quantizers: end ----

const records: readonly OperatorRecord[] = [
  // ---- arithmetic: records ----
  abs,
  absmoments,
  add,
  argmax,
  averagepool,
  batchnormalization,
  clip,
  clipmoments,
  conv,
  convtranspose,
  div,
  erf,
  exp,
  expmoments,
  gemm,
  globalaveragepool,
  leakyrelu,
  log,
  loopindex,
  matmul,
  maxpool,
  maxpoolmoments,
  mul,
  neg,
  pow,
  reducemax,
  reducemean,
  reducesum,
  relu,
  randomnormal,
  relumoments,
  roundmoments,
  sigmoid,
  sigmoidmoments,
  sign,
  softmax,
  softmaxmoments,
  sqrt,
  stepmoments,
  sub,
  sumpool,
  tanh,
  tanhmoments,
  topk,
  // ---- arithmetic: end ----

  // ---- movement and quantizers: records ----
  bipolarquant,
  concat,
  constant,
  decodepower,
  decodetable,
  decodeuniform,
  dequantize,
  dequantizelinear,
  divergence,
  dropout,
  flatten,
  gather,
  identity,
  multithreshold,
  pad,
  quant,
  quantize,
  quantizelinear,
  requantize,
  reshape,
  shape,
  slice,
  samplecollect,
  sampleinformation,
  samplemean,
  samplemoments,
  square,
  squeeze,
  transpose,
  trunc,
  unsqueeze,
  // ---- movement and quantizers: end ----
];

/** Every operator by name. Names are ONNX's and QONNX's without domain (importers map domains to names). */
export const operators: Readonly<Record<string, OperatorRecord>> = Object.fromEntries(records.map((r) => [r.name, r]));

/** Operators that only passes make; no file has them, and none can be written with them. */
export const internalOperators: ReadonlySet<string> = new Set(['Quantize', 'Requantize', 'Dequantize', 'SumPool', 'ReluMoments', 'MaxPoolMoments', 'SoftmaxMoments', 'Divergence', 'Square', 'RandomNormal', 'LoopIndex', 'SampleMean', 'SampleMoments', 'SampleCollect', 'SampleInformation', 'SigmoidMoments', 'TanhMoments', 'AbsMoments', 'ClipMoments', 'ExpMoments', 'RoundMoments', 'StepMoments', 'DecodeUniform', 'DecodePower', 'DecodeTable']);

/** The record of an operator; `at` is the node's name. Raises graph/unknown-operator with the nearest valid name. */
export function operator(name: string, at: string): OperatorRecord {
  if (!Object.hasOwn(operators, name)) {
    fail('graph/unknown-operator', at, `the operator "${name}" is not supported`, suggest(name, Object.keys(operators), 'operator'));
  }
  return operators[name];
}
