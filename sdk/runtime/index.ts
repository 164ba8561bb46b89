/** sigmaflow/runtime: loads and runs compiled models. No dependencies, no files, no network. */
export { ModelError, type ModelErrorCode } from './error.js';
export { load, loadSync, Model, readManifest, type ModuleSource } from './model.js';
export type { Manifest, ManifestInner, ManifestTensor, StorageType } from './manifest.js';
export { pickBuild, type Build } from './pick.js';
export type { Prediction } from './predict.js';
export type { Inputs } from './inputs.js';
export { Session, type ModelTypes, type Views } from './session.js';
export { TensorView, type TensorData, type TensorInput } from './tensor.js';
