/** Folding files, as a project's folding.json has them: read, and checked against the kernels of a model. */
import { fail, suggest } from '../../codegen/ir/diagnostic.js';
import { foldables } from '../../codegen/schedule/fabric/folding.js';
import type { Folding } from '../../codegen/schedule/fabric/kernel.js';
import type { Processes } from '../../codegen/schedule/fabric/prepare.js';
import { readBytes } from './files.js';

const example = 'Write {"KERNEL": {"pe": 4, "simd": 2}, ...}, as folding.json of a project has it.';

/** The folding of the kernels that a file names. Raises hls/folding. `prepared`: a process a kernel. */
export function readFolding(file: string, prepared: Processes): Record<string, Folding> {
  const kernels = new Map(foldables(prepared).map((k) => [k.name, k]));
  const folding: Record<string, Folding> = {};
  for (const [name, value] of Object.entries(parse(file))) {
    const kernel = kernels.get(name);
    if (!kernel) return fail('hls/folding', file, `the model has no kernel "${name}"`, suggest(name, [...kernels.keys()], 'kernel'));
    const { pe = 1, simd = 1, cores, process, ...others } = isObject(value) ? value : { other: value };
    if (Object.keys(others).length > 0 || !isCount(pe) || !isCount(simd)) {
      return fail('hls/folding', file, `"${name}" must be an object with whole numbers "pe" and "simd" from 1 on, found ${JSON.stringify(value)}`, example);
    }
    if (cores !== undefined && !isCount(cores)) fail('hls/folding', file, `"cores" of "${name}" must be a whole number from 1 on, found ${JSON.stringify(cores)}`, 'Leave "cores" away where operations share none.');
    const earlier = [...kernels.keys()].slice(0, [...kernels.keys()].indexOf(name));
    if (process !== undefined && (typeof process !== 'string' || !earlier.includes(process))) {
      fail('hls/folding', file, `"${name}" cannot run in the process ${JSON.stringify(process)}: that must be a kernel ahead of it`, earlier.length === 0 ? 'Leave "process" away: it is the first.' : suggest(String(process), earlier, 'kernel'));
    }
    for (const [what, by, allowed] of [['pe', pe, kernel.pe], ['simd', simd, kernel.simd]] as const) {
      if (!allowed.includes(by)) fail('hls/folding', file, `"${name}" cannot have ${what} ${by}: it must divide ${allowed[allowed.length - 1]}`, allowed.length === 1 ? `Leave "${what}" away: nothing there can be folded.` : `Take one of ${allowed.join(', ')}.`);
    }
    folding[name] = { pe, simd, ...(cores === undefined ? {} : { cores }), ...(typeof process === 'string' ? { process } : {}) };
  }
  return folding;
}

const isObject = (v: unknown): v is Record<string, unknown> => typeof v === 'object' && v !== null && !Array.isArray(v);
const isCount = (n: unknown): n is number => typeof n === 'number' && Number.isInteger(n) && n >= 1;

function parse(file: string): Record<string, unknown> {
  try {
    const json: unknown = JSON.parse(new TextDecoder().decode(readBytes(file)));
    return isObject(json) ? json : fail('hls/folding', file, 'expected an object with a folding by kernel', example);
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
    return fail('hls/folding', file, `expected JSON, found text that is not: ${error.message}`, example);
  }
}
