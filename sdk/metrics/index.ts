/**
 * `sigmaflow/metrics`: how good and how honest predictions are. Plain arrays in, numbers out; for the output of any model, imports
 * nothing else.
 */
export { accuracy, brierScore, negativeLogLikelihood, predictedClasses } from './classification.js';
export { expectedCalibrationError, minimize, reliability, temperature, type BinOptions, type ReliabilityBin } from './calibration.js';
export { auroc, aupr, deferralThreshold, falsePositiveRateAt, riskCoverage, rocCurve, type Coverage, type RocPoint } from './detection.js';
export { entropy, meanVariance, softmax, uncertainty, type Uncertainty } from './predictive.js';
