/**
 * `sigmaflow doctor`: what this machine can run, found by trying, and the install line for what it lacks. Only Node is
 * needed by the product; the rest serves tests, devices and the other back ends.
 */
import { spawnSync } from 'node:child_process';
import { createRequire } from 'node:module';
import os from 'node:os';
import type { Command } from './command.js';
import { answers, moduleOf, relaxedHint, relaxedHost } from './relaxed.js';
import { table } from './text.js';

interface Finding {
  readonly what: string;
  /** What was found; undefined where it is lacking. */
  readonly found?: string;
  /** What it is good for. */
  readonly serves: string;
  /** The one line that installs it. */
  readonly install: string;
}

export const command: Command = {
  name: 'doctor',
  usage: '[options]',
  about: 'Says what this machine can run, and how to install what it lacks.\nThe product needs Node alone; everything else is for tests, devices and conformance.',
  positionals: [],
  options: [{ name: 'json', doc: 'print the findings as JSON' }],
  examples: ['sigmaflow doctor'],
  async run(args, context) {
    const findings = examine();
    if (args.flag('json')) {
      context.print(JSON.stringify({ version: context.version, platform: platform(), findings }, null, 2));
      return 0;
    }
    context.print(`sigmaflow ${context.version} on ${platform()}\n`);
    const lacking = findings.filter((f) => f.found === undefined);
    context.print(table(findings.map((f) => [f.found === undefined ? '--' : 'ok', f.what, f.found ?? 'lacking', f.serves])));
    if (lacking.length === 0) context.print('\nNothing is lacking.');
    else context.print(`\nTo get what is lacking:\n${installLines(lacking.map((f) => f.install)).map((line) => `  ${line}`).join('\n')}`);
    return 0;
  },
};

/** One line an installer: `pip install a` and `pip install b` become `pip install a b`. */
function installLines(lines: readonly string[]): string[] {
  const installers = ['npm install ', 'apt-get install ', 'pip install '];
  const grouped = installers.flatMap((installer) => {
    const names = lines.filter((l) => l.startsWith(installer)).flatMap((l) => l.slice(installer.length).split(' '));
    return names.length === 0 ? [] : [installer + [...new Set(names)].join(' ')];
  });
  return [...grouped, ...new Set(lines.filter((l) => !installers.some((i) => l.startsWith(i))))];
}

const platform = (): string => `${os.platform()} ${os.arch()}, ${os.availableParallelism()} processors`;

function examine(): Finding[] {
  const [major] = process.versions.node.split('.').map(Number);
  const relaxed = relaxedHost();
  const python = firstWord(['python3'], ['--version']);
  const packages = python === undefined ? {} : pythonPackages(['wasmtime', 'numpy', 'onnx', 'onnxruntime', 'qonnx', 'brevitas']);
  const wasmtime = firstWord(['wasmtime'], ['--version']) ?? (packages.wasmtime ? `${packages.wasmtime} (Python)` : undefined);
  const pip = (name: string, serves: string): Finding => ({ what: `Python ${name}`, found: packages[name] ?? undefined, serves, install: `pip install ${name}` });
  return [
    { what: 'Node.js', found: major >= 20 ? process.versions.node : undefined, serves: 'compiling and running', install: 'Node 20 or later from nodejs.org' },
    { what: 'assembler', found: packageVersion('assemblyscript'), serves: 'compiling', install: 'npm install assemblyscript' },
    { what: 'WebAssembly', found: answers(plainModule, 7) ? 'yes' : undefined, serves: 'target scalar', install: 'Node 20 or later from nodejs.org' },
    { what: 'WebAssembly SIMD', found: answers(simdModule, 7) ? 'yes' : undefined, serves: 'target simd128', install: 'Node 20 or later on a processor with SSE4.1 or NEON' },
    { what: 'relaxed SIMD', found: relaxed === 'here' ? 'yes' : relaxed, serves: 'target relaxed; its dot product is executed for this', install: relaxedHint },
    { what: 'node:wasi', found: hasWasi() ? 'yes' : undefined, serves: 'running .wasi.wasm in Node', install: 'Node 20 or later from nodejs.org' },
    { what: 'Chromium', found: firstWord(['chromium', 'chromium-browser', 'google-chrome'], ['--version']), serves: 'browser tests', install: 'apt-get install chromium' },
    { what: 'wasmtime', found: wasmtime, serves: 'running .wasi.wasm on devices', install: 'pip install wasmtime' },
    { what: 'g++', found: firstWord(['g++'], ['--version']), serves: 'C simulation of hardware projects', install: 'apt-get install g++' },
    { what: 'Python', found: python, serves: 'conformance tests and training scripts', install: 'apt-get install python3 python3-pip' },
    pip('numpy', 'conformance tests and training scripts'),
    pip('onnx', 'conformance tests and training scripts'),
    pip('onnxruntime', 'comparisons'),
    pip('qonnx', 'conformance tests'),
    pip('brevitas', 'training scripts'),
  ];
}

// ---- WebAssembly, tried by executing ----

const plainModule = moduleOf([0x41, 7]);
/** i32x4.extract_lane 3 (i32x4.splat 7) */
const simdModule = moduleOf([0x41, 7, 0xfd, 17, 0xfd, 27, 3]);

const hasWasi = (): boolean => {
  try {
    return createRequire(import.meta.url).resolve('node:wasi') === 'node:wasi';
  } catch {
    return false;
  }
};

// ---- Programs and packages ----

function packageVersion(name: string): string | undefined {
  try {
    return (createRequire(import.meta.url)(`${name}/package.json`) as { version: string }).version;
  } catch {
    return undefined;
  }
}

/** The version that the first of these programs says it has. */
function firstWord(programs: readonly string[], args: readonly string[]): string | undefined {
  for (const program of programs) {
    const { status, stdout } = spawnSync(program, args, { encoding: 'utf8', timeout: 10_000 });
    if (status === 0) return /\d+(\.\d+)+/.exec(stdout)?.[0] ?? 'yes';
  }
  return undefined;
}

/** Versions of Python packages, null where one is lacking. */
function pythonPackages(names: readonly string[]): Record<string, string | null> {
  const script = `import importlib.metadata as m, json
def v(n):
  try: return m.version(n)
  except Exception: return None
print(json.dumps({n: v(n) for n in ${JSON.stringify(names)}}))`;
  const { status, stdout } = spawnSync('python3', ['-c', script], { encoding: 'utf8', timeout: 20_000 });
  return status === 0 ? (JSON.parse(stdout) as Record<string, string | null>) : {};
}
