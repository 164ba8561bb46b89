/** LiteRT.js in Node, on the CPU. As shipped it starts in browsers only; the shim below is what it needs of one. */
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';
import vm from 'node:vm';
import type { Load, Read, Runner } from './engine.js';
import { litertFiles, litertRunner, type LiteRt } from './litertRunner.js';

/** What its loader expects of a browser's worker. */
function shim(folder: string): void {
  const scope = globalThis as Record<string, unknown>;
  scope.self = globalThis;
  scope.document = {};
  scope.require = createRequire(import.meta.url);
  scope.__dirname = folder;
  scope.__filename = path.join(folder, 'litert.js');
  scope.importScripts = (file: string) => vm.runInThisContext(readFileSync(file, 'utf8'), { filename: file });
}

let started: Promise<LiteRt> | undefined;

async function start(build: Load['build']): Promise<LiteRt> {
  const name = '@litertjs/core';
  const folder = path.join(path.dirname(createRequire(import.meta.url).resolve(`${name}/package.json`)), 'wasm');
  shim(`${folder}${path.sep}`);
  const runtime = (await import(name)) as LiteRt;
  await runtime.loadLiteRt(path.join(folder, litertFiles[build ?? 'compat']));
  return runtime;
}

export async function litert(message: Load, read: Read): Promise<Runner> {
  return litertRunner(await (started ??= start(message.build)), message, await read(message.file));
}
