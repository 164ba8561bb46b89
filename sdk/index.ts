/**
 * sigmaflow: compile models and run them. What an application that only runs modules needs is in `sigmaflow/runtime`,
 * which is smaller by far.
 */
export { compile, compileBundle, modelGraph, type Bundle, type Options } from './compile.js';
export type { Artifact, CompileOptions } from '../codegen/compile.js';
export { DiagnosticError, diagnosticCodes, formatDiagnostic, type Diagnostic, type DiagnosticCode } from '../codegen/ir/diagnostic.js';
export type { DataType } from '../codegen/ir/datatype.js';
export type { Attribute, Constant, Dim, Graph, Node, Posterior, Shape, Value } from '../codegen/ir/graph.js';
export { profile, type Machine, type Profile, type ProfileOptions, type StepProfile } from './profile/profile.js';
export { profileReport } from './profile/report.js';
export { importOnnx, type ImportOptions } from '../codegen/import/onnx.js';
export { exportQcdq } from '../codegen/export/qcdq.js';
export { exportQonnx } from '../codegen/export/qonnx.js';
export { quantize, type CalibrationInputs, type CalibrationTensor, type LayerReport, type QuantizationReport, type QuantizedModel, type QuantizeOptions, type QuantizeProgress } from './quantize.js';
export { parseTuning, type TuningFile, type TuningRecord } from '../codegen/schedule/records.js';
export { tune, type TuneOptions, type TuneProgress } from './tune/tune.js';
export { architectures } from './model/architectures.js';
export * from './model/layers.js';
export { network, type NetworkOptions } from './model/network.js';
export { moments, type Moments, type MomentSite, type MomentsOptions } from '../codegen/passes/twins/moments.js';
export type { TwinName, TwinOptions } from '../codegen/passes/twins/twin.js';
export { fitCalibration, fitTemperature, type CalibrationFit, type FitOptions, type TemperatureFit, type ValidationData } from './uncertainty/calibration.js';
export { scoreOutputs, type Output, type ScoreSource } from './uncertainty/outputs.js';
export { describeNormalization, normalize, parseNormalization, type Normalization } from './uncertainty/preprocessing.js';
export { uncertaintyReport, type PictureOf, type StudyFacts } from './uncertainty/report.js';
export type { Picture } from './uncertainty/png.js';
export * from './runtime/index.js';
