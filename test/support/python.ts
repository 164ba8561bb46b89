/**
 * The Python peers (onnx, onnxruntime, qonnx), for conformance tests only: the product needs no Python.
 */
import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';

/** The interpreter that has these packages, or undefined after saying that the test is skipped. */
export function pythonWith(...packages: string[]): string | undefined {
  // torch brings a numpy of its own, so it may live apart
  const variable = packages.includes('torch') ? 'SIGMAFLOW_TORCH_PYTHON' : 'SIGMAFLOW_PYTHON';
  const python = process.env[variable] ?? process.env.SIGMAFLOW_PYTHON ?? 'python3';
  if (spawnSync(python, ['-c', `import ${packages.join(', ')}`]).status === 0) return python;
  console.log(`SKIP: ${python} lacks ${packages.join(', ')} (pip install ${packages.join(' ')}; ${variable} names the interpreter)`);
  return undefined;
}

/** Runs a script of test/python; gives its standard output. */
export function runPython(python: string, script: string, args: readonly string[]): string {
  const file = fileURLToPath(new URL(`../python/${script}`, import.meta.url));
  const { status, stdout, stderr } = spawnSync(python, [file, ...args], { encoding: 'utf8', maxBuffer: 2 ** 26 });
  if (status !== 0) throw new Error(`${script} ended with status ${status}: ${stderr}`);
  return stdout;
}
