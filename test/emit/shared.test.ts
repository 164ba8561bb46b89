/** Kernels that differ in the places of their buffers alone share one function, and compute the interpreter's bits. */
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { emitAssemblyScript } from '../../codegen/emit/assemblyscript.js';
import { schedule } from '../../codegen/schedule/schedule.js';
import { targets } from '../../codegen/targets/target.js';
import { toolchain } from '../../sdk/host/assembler.js';
import { runOnEmitters } from '../ops/harness.js';
import { hostFor } from '../support/hosts.js';
import { network } from '../schedule/networks.js';

const window = { pads: [1, 1, 1, 1] };
/** Four convolutions with a border; all but the last, whose result has none, write into buffers of one kind. */
const chain = network([1, 8, 5, 6], (net) => {
  let x = 'x';
  for (let i = 0; i < 4; i++) x = net.node('Conv', [x, net.weight(8, 8, 3, 3)], window);
  return x;
});

for (const target of Object.values(targets)) {
  test(`${target.name}: one function for equal convolutions, one for equal borders`, async () => {
    const unit = schedule(chain.unit, target);
    const source = emitAssemblyScript(unit.program, target);
    const functions = [...source.matchAll(/^function (\w+)/gm)].map(([, name]) => name);
    const calls = (name: string): number => [...source.matchAll(new RegExp(`^  ${name}\\(`, 'gm'))].length;
    // the last one's result has no border: it is apart
    assert.is(Math.max(...functions.filter((name) => !name.includes('halo')).map(calls)), 3);
    const blocks = unit.program.blocks.filter((b) => b.kind === 'kernel');
    assert.is(functions.reduce((sum, name) => sum + calls(name), 0), blocks.length);
    // four sides of four bordered tensors: rows and columns
    const halos = functions.filter((name) => name.includes('halo'));
    assert.is(halos.length, 2);
    assert.is(halos.reduce((sum, name) => sum + calls(name), 0), 16);
    const host = hostFor(target.name);
    if (host) assert.equal(await runOnEmitters([chain], target, toolchain(), host), []);
  });
}

test.run();
