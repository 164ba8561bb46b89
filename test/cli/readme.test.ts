/**
 * Every command of the README's `sh` blocks and every `ts` block, executed in order in one empty folder, in which
 * `examples` is the repository's. `npx sigmaflow` is the bin beside this test; the blocks' `sigmaflow` is sdk/.
 */
import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { readIdx } from '../../sdk/data/idx.js';
import { writeNpy } from '../../sdk/data/npy.js';
import { bin, root, temporaryFolder } from './command.js';

const readme = fs.readFileSync(path.join(root, 'README.md'), 'utf8');
const folder = temporaryFolder();
const { at, save } = folder;
fs.symlinkSync(path.join(root, 'examples'), at('examples'));

const blocks = (language: string): string[] => [...readme.matchAll(new RegExp(`^\`\`\`${language}\\n([^]*?)^\`\`\``, 'gm'))].map((m) => m[1]);
/** What installs or is this very test run, and other people's programs. */
const notRun = /^(npm (ci|test|install|i)\b|git |cd |wasmtime )/;
const commands = blocks('sh')
  .join('\n')
  .replace(/\\\n\s*/g, ' ')
  .split(/\n|&&/)
  .map((line) => line.replace(/(^|\s)#.*$/, '').trim())
  .filter((line) => line !== '' && !notRun.test(line));

/** Digits for every .npy that a command reads and none has written: digit.npy is one, others are sixteen. */
function provideInputs(argv: readonly string[]): void {
  argv.forEach((arg, i) => {
    if (argv[i - 1] !== '--input' && argv[i - 1] !== '-i') return;
    const file = arg.slice(arg.indexOf('=') + 1);
    if (!file.endsWith('.npy') || fs.existsSync(at(file))) return;
    const images = readIdx(new Uint8Array(fs.readFileSync(at('examples/data/mnist600-images.idx3-ubyte.gz')))).data;
    const count = /(^|\/)digit\.npy$/.test(file) ? 1 : 16;
    save(file, writeNpy({ shape: [count, 1, 28, 28], data: Float32Array.from(images.subarray(0, count * 784), (p) => p / 255) }));
  });
}

for (const line of commands) {
  test(line, () => {
    const [program, ...argv] = line.split(/\s+/);
    if (program === 'npx' && argv[0] === 'sigmaflow') {
      provideInputs(argv);
      const { status, err } = bin(argv.slice(1), { cwd: path.dirname(at('x')) });
      assert.is(status, 0, err);
    } else {
      assert.is(program, 'npm', `this test cannot run "${line}"`);
      const { status, stderr } = spawnSync('npm', argv, { cwd: root, encoding: 'utf8', timeout: 240_000 });
      assert.is(status, 0, stderr);
    }
  });
}

/** What a block takes for granted: `bytes` of the module that its comment names, `pixels` of one digit. */
function given(block: string): string {
  const uses = (name: string): boolean => new RegExp(`\\b${name}\\b`).test(block) && !new RegExp(`(const|let) ${name}\\b`).test(block);
  const module = /[\w./-]+\.wasm/.exec(block)?.[0];
  return [
    ...(uses('bytes') ? ["import fs from 'node:fs';", `const bytes = fs.readFileSync('${module}');`] : []),
    ...(uses('images') ? ['const images = Float32Array.from({ length: 784 * 10 }, (_, i) => (i % 28) / 28);'] : []),
    ...(uses('pixels') ? ['const pixels = Float32Array.from({ length: 784 }, (_, i) => (i % 28) / 28);'] : []),
  ].join('\n');
}

const checkOf = (text: string): string => (/\blogits\b/.test(text) ? "if (logits.data.length % 10 !== 0 || !logits.data.every(Number.isFinite)) throw new Error('no answer');" : '');

const poolEntry = path.join(root, 'sdk/host/pool.node.ts');
const node = (...argv: string[]) => spawnSync(process.execPath, argv, { cwd: at('.'), encoding: 'utf8', timeout: 120_000 });
const programs = blocks('ts').map((text, i) => ({ text, file: `block${i}.ts` }));

test('the TypeScript blocks are typed', () => {
  save('package.json', '{ "type": "module" }');
  const options = {
    target: 'ES2022', module: 'NodeNext', moduleResolution: 'NodeNext', lib: ['ES2022', 'DOM'], strict: true, noEmit: true, skipLibCheck: true,
    types: ['node'], typeRoots: [path.join(root, 'node_modules', '@types')],
    paths: { sigmaflow: [path.join(root, 'sdk/index.ts')], 'sigmaflow/pool': [poolEntry], 'sigmaflow/*': [path.join(root, 'sdk/*/index.ts')] },
  };
  save('tsconfig.json', JSON.stringify({ compilerOptions: options, files: programs.map(({ file }) => file) }));
  for (const { text, file } of programs) save(file, [given(text), text, checkOf(text)].join('\n'));
  const checked = node(path.join(root, 'node_modules/typescript/bin/tsc'), '-p', '.');
  assert.is(checked.status, 0, checked.stdout);
});

programs.forEach(({ text, file }, i) => {
  test(`TypeScript block ${i + 1}`, () => {
    // What the package's exports would resolve to (the package test installs it for real).
    const sources = text.replace(/'sigmaflow(\/\w+)?'/g, (_, sub = '') => `'${pathToFileURL(sub === '/pool' ? poolEntry : path.join(root, 'sdk', sub, 'index.ts')).href}'`);
    const run = node('--import', new URL('../../scripts/typescript.mjs', import.meta.url).href, save(file, [given(text), sources, checkOf(text)].join('\n')));
    assert.is(run.status, 0, run.stderr);
  });
});

test('the README has commands and a TypeScript block', () => {
  assert.ok(commands.length >= 3, `${commands.length} commands`);
  assert.ok(blocks('ts').length >= 1);
});

test.after(folder.remove);
test.run();
