/**
 * The TypeScript declaration beside a module: its inputs and outputs by name, so that `load<Name>(bytes)` is typed.
 *
 * Imports nothing: the file stands alone beside the .wasm.
 */
import type { Manifest, ManifestTensor, StorageType } from '../../sdk/runtime/manifest.js';

const arrayTypes: Readonly<Record<StorageType, string>> = {
  float32: 'Float32Array', int8: 'Int8Array', uint8: 'Uint8Array', int16: 'Int16Array', uint16: 'Uint16Array', int32: 'Int32Array', uint32: 'Uint32Array',
};

/** Where the model comes from through a bundle's loader. */
export interface LoaderNames {
  readonly file: string;
  readonly targets: readonly string[];
}

/** The text of `NAME.d.ts`; the types beside a loader, where there is one. */
export function declaration(manifest: Manifest, loader?: LoaderNames): string {
  const name = typeName(manifest.name);
  const data = manifest.inputs.filter((t) => !t.control);
  const type = data[0] && `${propertyName(data[0].name)}: ${arrayTypes[data[0].storage]}`;
  const use = loader
    ? [`import { load } from './${comment(loader.file)}';`, 'const model = await load();']
    : ["import { load } from 'sigmaflow/runtime';", `import type { ${name} } from './${comment(manifest.name)}.js';`, `const model = await load<${name}>(bytes);`];
  return `/**
 * ${comment(manifest.name)}: ${manifest.batch === 1 ? 'one inference' : `${manifest.batch} inferences`} a call, for ${loader?.targets.join(', ') ?? `${manifest.target}${manifest.fastMath ? ' with fast math' : ''}`}.
 *
${use.map((line) => ` *     ${line}`).join('\n')}
 *     const outputs = model.run(inputs); // inputs: { ${comment(type ?? '')}${data.length > 1 ? ', ...' : ''} }
 */
export interface ${name} {
  inputs: {
${manifest.inputs.map(property).join('\n')}
  };
  outputs: {
${manifest.outputs.map(property).join('\n')}
  };
}
`;
}

function property(tensor: ManifestTensor): string {
  const shape = tensor.batched ? ['N', ...tensor.shape.slice(1)] : tensor.shape;
  const usual = tensor.control ? `; ${tensor.control.default.join(', ')} where it is not given` : '';
  const scale = tensor.scale === undefined ? '' : `; value = ${tensor.zeroPoint ? `(code - ${tensor.zeroPoint})` : 'code'} * ${tensor.scale}`;
  return `    /** ${tensor.dtype} ${shape.length === 0 ? 'scalar' : `[${shape.join(', ')}]`}${scale}${usual} */\n    ${propertyName(tensor.name)}${tensor.control ? '?' : ''}: ${arrayTypes[tensor.storage]};`;
}

/** `lenet_w4a4` is LenetW4a4; a name that begins with a digit gets a leading `Model`. */
export function typeName(name: string): string {
  const words = name.split(/[^A-Za-z0-9]+/).filter((word) => word !== '');
  const joined = words.map((word) => word[0].toUpperCase() + word.slice(1)).join('');
  return /^[A-Z]/.test(joined) ? joined : `Model${joined}`;
}

function propertyName(name: string): string {
  return /^[A-Za-z_$][\w$]*$/.test(name) ? name : JSON.stringify(name);
}

/** Model files may bear any name; none may end the comment. */
function comment(text: string): string {
  return text.replace(/\*\//g, '* /').replace(/\s+/g, ' ');
}
