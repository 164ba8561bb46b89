/** The import rules hold in codegen and sdk, and the checker sees what would break them. */
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { readFileSync } from 'node:fs';
import { forbiddenImports, importCycles, type Sources } from './imports.js';
import { readSources } from './sources.js';

const sources = readSources('codegen', 'sdk');

const none = (violations: readonly string[]): void => assert.is(violations.length, 0, `${violations.length} violations:\n${violations.join('\n')}`);

test('who imports whom', () => {
  assert.ok(Object.keys(sources).length > 100);
  none(forbiddenImports(sources));
});

test('no circles', () => none(importCycles(sources)));

test('AssemblyScript imports AssemblyScript only', () => {
  for (const [file, text] of Object.entries(readSources('assembly'))) {
    for (const [, specifier] of text.matchAll(/^(?:import|export) [^;]*from '([^']+)'/gm)) {
      assert.ok(specifier.startsWith('./') || specifier.startsWith('util/'), `${file} imports ${specifier}: only its own folder and asc's standard library are there when a model is assembled`);
    }
  }
});

test('packages that codegen and sdk import are dependencies', () => {
  const { dependencies } = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8'));
  assert.equal(Object.keys(dependencies).sort(), ['@bufbuild/protobuf', 'assemblyscript', 'fflate']);
});

// ---- What the checker sees ----

const files: Sources = {
  'codegen/ir/graph.ts': '',
  'codegen/ir/print.ts': '',
  'codegen/ops/relu.ts': '',
  'codegen/emit/manifest.ts': "import type { Manifest } from '../../sdk/runtime/manifest.js';",
  'codegen/compile.ts': "import { relu } from './ops/relu.js';\nimport type { Manifest } from '../sdk/runtime/manifest.js';",
  'sdk/runtime/manifest.ts': '',
  'sdk/host/node.ts': "const fs = await import('node:fs');",
};

function told(file: string, text: string): string[] {
  return forbiddenImports({ ...files, [file]: text });
}

test('allowed: the folders below, the manifest for those who write it, node: in host', () => {
  assert.equal(forbiddenImports(files), []);
  assert.equal(told('codegen/ops/add.ts', "export { relu } from './relu.js';\nimport type { Graph } from '../ir/graph.js';"), []);
});

test('told in words: a folder above, also for a type, a re-export or a dynamic import', () => {
  const advice = 'codegen/ir may import nothing beside itself. Move what both need to where both may look, or pass it as an argument.';
  for (const line of ["import { relu } from '../ops/relu.js';", "import type { Relu } from '../ops/relu.js';", "export * from '../ops/relu.js';", "const relu = await import('../ops/relu.js');", "let relu: typeof import('../ops/relu.js');"]) {
    assert.equal(told('codegen/ir/graph.ts', line), [`codegen/ir/graph.ts imports ../ops/relu.js: ${advice}`], line);
  }
  assert.equal(told('codegen/schedule/x.ts', "import { m } from '../emit/manifest.js';"), [
    'codegen/schedule/x.ts imports ../emit/manifest.js: codegen/schedule may import codegen/ir, codegen/ops, codegen/targets beside itself. Move what both need to where both may look, or pass it as an argument.',
  ]);
});

test('told in words: the runtime, the manifest, hosts, packages, new folders, missing files', () => {
  assert.equal(told('sdk/runtime/model.ts', "import { g } from '../../codegen/ir/graph.js';"), [
    'sdk/runtime/model.ts imports ../../codegen/ir/graph.js: sdk/runtime imports nothing but itself: it is all that an app carries, and must stay small.',
  ]);
  assert.equal(told('sdk/runtime/model.ts', "import { strFromU8 } from 'fflate';"), ['sdk/runtime/model.ts imports fflate: the package fflate may be imported only in sdk/data/, sdk/cli/.']);
  assert.equal(told('codegen/emit/kernel.ts', "import { manifestVersion } from '../../sdk/runtime/manifest.js';"), [
    'codegen/emit/kernel.ts imports ../../sdk/runtime/manifest.js: of codegen only those who write manifests may import their format: codegen/compile.ts, codegen/emit/manifest.ts, codegen/emit/module.ts, codegen/emit/declaration.ts, codegen/emit/bundle.ts, codegen/emit/wasi.ts.',
  ]);
  assert.equal(told('codegen/ops/relu.ts', "import fs from 'node:fs';"), [
    'codegen/ops/relu.ts imports node:fs: node: modules may be imported only in sdk/host/, sdk/cli/, sdk/data/; elsewhere bytes and texts are arguments, so that it runs in a browser.',
  ]);
  assert.equal(told('sdk/host/x.ts', "import binaryen from 'binaryen';"), ['sdk/host/x.ts imports binaryen: the package binaryen is not one of those that sigmaflow depends on (@bufbuild/protobuf, assemblyscript, fflate).']);
  assert.equal(told('codegen/tuning/x.ts', ''), ['codegen/tuning/x.ts: this folder has no rule; say in test/rules/imports.ts what it may import.']);
  assert.equal(told('codegen/ops/relu.ts', "import { g } from '../ir/graphs.js';"), ['codegen/ops/relu.ts imports ../ir/graphs.js: there is no such file within codegen and sdk.']);
});

test('told in words: circles of values, not of types', () => {
  const circle = (last: string): Sources => ({ 'a.ts': "import { b } from './b.js';", 'b.ts': "import { c } from './c.js';", 'c.ts': last });
  assert.equal(importCycles(circle("import { a } from './a.js';")), ['a.ts -> b.ts -> c.ts -> a.ts: files may not import one another in a circle; move what they share to a third file.']);
  assert.equal(importCycles(circle("import type { A } from './a.js';")), []);
  assert.equal(importCycles({ 'a.ts': "export * from './a.js';" }), ['a.ts -> a.ts: files may not import one another in a circle; move what they share to a third file.']);
});

test.run();
