/**
 * `sigmaflow/metrics`: how good and how honest predictions are. Plain arrays in, numbers out; for the output of any model, imports
 * nothing else.
 */
export { accuracy, brierScore, negativeLogLikelihood, predictedClasses, rightAnswers, wrongDistribution } from './classification.js';
export { expectedCalibrationError, minimize, reliability, temperature, type BinOptions, type ReliabilityBin } from './calibration.js';
export { auroc, aupr, deferralThreshold, falsePositiveRateAt, riskCoverage, riskCoverageArea, rocCurve, truePositiveRateAt, type Coverage, type RocPoint } from './detection.js';
export { histogram, type Histogram } from './histogram.js';
export { logitUncertainty, type LogitSampleOptions } from './logits.js';
export { divergence, entropy, meanVariance, softmax, uncertainty, type Uncertainty } from './predictive.js';
export {
  deterministicScores, likelihoodFloor, sampleScores, scoreNames, scoresOf, uncertaintyStudy, type Deferral, type Detection, type Gallery, type ScoredSet, type ScoreName, type SetRole, type SetSummary,
  type Study, type StudyHistogram, type StudyOptions,
} from './study.js';
