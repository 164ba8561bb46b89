/** Operations that few operators make or none, through AssemblyScript: the interpreter's bits. The samples are in test/ops. */
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { emitAssemblyScript } from '../../codegen/emit/assemblyscript.js';
import { finishModule } from '../../codegen/emit/module.js';
import { verify } from '../../codegen/ir/verify.js';
import { schedule } from '../../codegen/schedule/schedule.js';
import { scalar, simd128, type Target } from '../../codegen/targets/target.js';
import { toolchain } from '../../sdk/host/assembler.js';
import { compareOutputs, writeInputs } from '../ops/harness.js';
import { languageCases } from '../support/language.js';

/** What AssemblyScript's emitter refuses: no operator makes it. */
const refused = /^indices from data/;
/** Int32 against uint32 needs lanes of 64 bits; packing starts from whole elements. */
const notInVectors = /^(minimum|maximum|comparison) of kinds|^fields/;

async function compare(target: Target, without: readonly RegExp[]): Promise<void> {
  const cases = languageCases().filter((c) => !without.some((r) => r.test(c.name)));
  assert.ok(cases.length > 20);
  let start = 64;
  const units = cases.map((c) => {
    const unit = schedule(c.unit, target, { start });
    verify(unit);
    start = Math.ceil(unit.program.arenaBytes! / 16) * 16;
    return unit;
  });
  const sources = Object.fromEntries(units.map((u, i) => [`program${i}.ts`, emitAssemblyScript(u.program, target, `run${i}`)]));
  sources['all.ts'] = units.map((_, i) => `export { run${i} } from "./program${i}";`).join('\n');
  const { binary } = await toolchain().assemble(sources, { entry: 'all.ts', features: target.features, memoryBase: start, pages: Math.ceil(start / 65536) + 1, optimizeLevel: 1, shrinkLevel: 0 });
  const data = units.flatMap((u) => Object.values(u.program.buffers).flatMap((b) => (b.hash === undefined ? [] : [{ offset: b.offset!, bytes: u.data.get(b.hash)! }])));
  const { exports } = new WebAssembly.Instance(new WebAssembly.Module(finishModule(binary, { data }) as BufferSource));
  const memory = (exports.memory as WebAssembly.Memory).buffer;
  cases.forEach((c, i) => {
    writeInputs(c, units[i], memory);
    (exports[`run${i}`] as () => number)();
    compareOutputs(c, units[i], memory, `the module on ${target.name}`);
  });
}

test('scalar', () => compare(scalar, [refused]));
test('simd128', () => compare(simd128, [refused, notInVectors]));

test.run();
