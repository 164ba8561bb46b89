/** Model and module files as the commands take them: told apart by their bytes, never by their names. */
import path from 'node:path';
import { DiagnosticError, fail } from '../../codegen/ir/diagnostic.js';
import type { Arguments, Option } from './command.js';
import { externalReader, readBytes } from './files.js';

export const isModule = (bytes: Uint8Array): boolean => bytes[0] === 0 && bytes[1] === 0x61 && bytes[2] === 0x73 && bytes[3] === 0x6d;

export interface ModelFile {
  /** As it was given. */
  readonly file: string;
  /** The file's name without `.onnx`. */
  readonly name: string;
  readonly bytes: Uint8Array;
  readonly readExternal: (location: string) => Uint8Array;
}

/** The name under which a model's files are written. */
export const modelName = (file: string): string => path.basename(file).replace(/\.onnx$/i, '') || 'model';

export function modelFile(file: string, bytes: Uint8Array): ModelFile {
  return { file, name: modelName(file), bytes, readExternal: externalReader(file) };
}

/** Reads a model; refuses a module, which is a model's result. */
export function readModel(file: string): ModelFile {
  const bytes = readBytes(file);
  if (isModule(bytes)) fail('onnx/not-a-model', file, 'expected an ONNX model, found a WebAssembly module', 'Give the .onnx file that it was made from.');
  return modelFile(file, bytes);
}

/** Diagnostics that name no node or tensor are about the whole file: they get its name. */
export function atFile<T>(file: string, work: () => T): T {
  const named = (error: unknown): never => {
    if (error instanceof DiagnosticError && error.diagnostic.at === undefined) throw new DiagnosticError({ ...error.diagnostic, at: file });
    throw error;
  };
  try {
    const result = work();
    return result instanceof Promise ? (result.catch(named) as T) : result;
  } catch (error) {
    return named(error);
  }
}

/** Options that several commands share. */
export const batchOption: Option = { name: 'batch', value: 'N', doc: 'inferences in one call, 1 to 65536 (default 1)' };
export const largestBatch = 65536;

export const targets = ['scalar', 'simd128', 'relaxed'] as const;
export type WasmTarget = (typeof targets)[number];
export const targetOption: Option = { name: 'target', value: 'NAME', doc: 'scalar, simd128 or relaxed (default simd128)', choices: targets };
export const targetOf = (args: Arguments): WasmTarget => (args.text('target') as WasmTarget | undefined) ?? 'simd128';
export const processorOption: Option = { name: 'processor', value: 'NAME', doc: 'what tiles are made for: x86-64 (default) or arm64; changes times, never a result', choices: ['x86-64', 'arm64'] };
export const processorOf = (args: Arguments): 'x86-64' | 'arm64' | undefined => args.text('processor') as 'x86-64' | 'arm64' | undefined;
