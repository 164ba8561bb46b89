/**
 * A bundle: the builds of one model side by side, and a loader that fetches the one that an engine runs best. Pure: names and
 * manifests in, texts out.
 */
import type { Manifest } from '../../sdk/runtime/manifest.js';
import { declaration, typeName } from './declaration.js';

/** The file of a build. */
export function buildFile(name: string, target: string): string {
  return `${name}.${target}.wasm`;
}

/**
 * The text of `NAME.mjs`: `load()` gives the model, in Node, in browsers, and through bundlers that know
 * `new URL(file, import.meta.url)`. Only the file that is picked is fetched.
 */
export function bundleLoader(name: string, targets: readonly string[]): string {
  const files = targets.map((target) => `  ${target}: new URL(${JSON.stringify(`./${encodeURIComponent(buildFile(name, target))}`)}, import.meta.url),`);
  return `import { load as open, pickBuild } from 'sigmaflow/runtime';
const files = {
${files.join('\n')}
};
const fs = 'node:fs/promises';
export async function load(build = pickBuild(Object.keys(files))) {
  const file = files[build];
  return open(file.protocol === 'file:' ? (await import(/* webpackIgnore: true */ /* @vite-ignore */ fs)).readFile(file) : fetch(file));
}
`;
}

/** The text of `NAME.d.mts`, the loader's types. */
export function bundleDeclaration(name: string, manifest: Manifest, targets: readonly string[]): string {
  const type = typeName(manifest.name);
  return `import type { Model } from 'sigmaflow/runtime';

${declaration(manifest, { file: `${name}.mjs`, targets })}
/** The model, from the best of its builds that this engine runs, or from the one that is named. */
export declare function load(build?: ${targets.map((target) => `'${target}'`).join(' | ')}): Promise<Model<${type}>>;
`;
}
