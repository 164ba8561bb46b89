/**
 * The simulation headers ap_int.h and ap_fixed.h: all 308 conversions of the shared vectors (hls4ml's headers made them), and
 * random programs of arithmetic whose values BigInt says; the same texts through hls4ml's headers and SystemC's number types, so that
 * what BigInt says is what others mean too. Parts of numbers by hand. One program a library and kind, compiled without optimization;
 * hls4ml's headers take g++ eight times as long as ours, so they see the beginning of each random program, and not the vectors.
 */
import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { readNpz } from '../../sdk/data/npy.js';
import { sharedFile } from '../support/shared.js';
import { randomArithmetic, type Library } from './arithmetic.js';
import { simulation } from './csim.js';
import { hls4mlHeaders } from './hls4ml.js';
import { parts } from './parts.js';

const hasCompiler = spawnSync('g++', ['--version']).status === 0;
if (!hasCompiler) console.log('SKIP C simulation: g++ is missing; apt-get install -y g++');
const foreign = hls4mlHeaders();
const hasSystemc = existsSync('/usr/include/systemc');
if (!hasSystemc) console.log('SKIP SystemC: /usr/include/systemc is missing; apt-get install -y libsystemc-dev');
const libraries: Library[] = !hasCompiler ? [] : ['ours', ...(foreign ? (['hls4ml'] as const) : []), ...(hasSystemc ? (['systemc'] as const) : [])];

const tool = `#include <ap_fixed.h>
#include <iostream>
template <class T> T make(const char *digits, int) { return T(ap_int<128>(digits, 10)); }
template <class T> T makeFixed(const char *digits, int) {
  T to;
  to.range(T::width - 1, 0) = ap_int<128>(digits, 10);
  return to;
}
template <class T> void printRaw(T x, int, int) { std::cout << ap_uint<T::width>(x.range(T::width - 1, 0)) << "\\n"; }
template <class T> void print(const T &x) { std::cout << x << "\\n"; }
`;
const systemc = `#define SC_INCLUDE_FX
#include <systemc>
#include <cmath>
using namespace sc_dt;
typedef sc_bigint<300> wide;
template <class T> T make(const char *digits, int) {
  wide x;
  x = digits;
  return T(x);
}
template <class T> T makeFixed(const char *digits, int fraction) { return T(std::ldexp(std::strtod(digits, 0), -fraction)); }
template <class T> void printRaw(const T &x, int bits, int fraction) {
  std::cout << ((unsigned long long)(long long)std::ldexp(x.to_double(), fraction) & (~0ull >> (64 - bits))) << "\\n";
}
template <class T> void print(const T &x) { std::cout << x << "\\n"; }
`;

/** What the statements print, as lines. */
function run(library: Library, body: string, definitions = ''): string[] {
  const folder = mkdtempSync(join(tmpdir(), 'sigmaflow-headers-'));
  try {
    const main = library === 'systemc' ? 'int sc_main(int, char **)' : 'int main()';
    writeFileSync(join(folder, 'a.cpp'), `${library === 'systemc' ? systemc : tool}${definitions}\n${main} {\n${body}\nreturn 0;\n}\n`);
    const flags = library === 'ours' ? ['-Wall', '-Wextra', '-Werror', '-I', simulation] : library === 'hls4ml' ? ['-isystem', foreign!] : [];
    const compiled = spawnSync('g++', [`-std=c++${library === 'systemc' ? 17 : 14}`, '-O0', ...flags, '-o', join(folder, 'a'), join(folder, 'a.cpp'), ...(library === 'systemc' ? ['-lsystemc'] : [])], { encoding: 'utf8' });
    if (compiled.status !== 0) throw new Error(`${library}: ${compiled.stderr.slice(0, 3000)}`);
    const { status, stdout, stderr } = spawnSync(join(folder, 'a'), { encoding: 'utf8', maxBuffer: 2 ** 26, env: { ...process.env, SC_COPYRIGHT_MESSAGE: 'DISABLE' } });
    if (status !== 0) throw new Error(`${library}: ${stderr}`);
    return stdout.trim().split('\n');
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/** Raises with the first statements whose lines differ. */
function same(library: Library, found: readonly string[], expected: readonly string[], statements: readonly string[]): void {
  assert.is(found.length, expected.length, library);
  const wrong = expected.flatMap((line, i) => (found[i] === line ? [] : [`${statements[i]} gives ${found[i]}, and ${line} is expected`]));
  assert.is(wrong.length, 0, `${library}: ${wrong.length} of ${expected.length} lines differ:\n${wrong.slice(0, 10).join('\n')}`);
}

interface Vector {
  readonly width: number;
  readonly integer: number;
  readonly signed: number;
  readonly quantization: string;
  readonly overflow: string;
}

for (const library of libraries.filter((l) => l !== 'hls4ml')) {
  test(`${library}: the 308 conversions`, () => {
    const [list, archive] = [sharedFile('hls_vectors/ap_fixed.json'), sharedFile('hls_vectors/ap_fixed.npz')];
    if (!list || !archive) return;
    const vectors = JSON.parse(new TextDecoder().decode(list)) as Vector[];
    assert.is(vectors.length, 308);
    const { x, y } = readNpz(archive);
    const [xs, ys] = [Array.from(x.data as Float64Array), Array.from(y.data as Float64Array)];
    const prefix = library === 'systemc' ? 'sc' : 'ap';
    const types = vectors.map((v) => `${prefix}_${v.signed ? '' : 'u'}fixed<${v.width}, ${v.integer}, ${prefix.toUpperCase()}_${v.quantization}, ${v.overflow.replace('AP', prefix.toUpperCase())}>`);
    // As bits of the number, which are shorter to print; from a double, and from a number that holds it exactly.
    const definitions = `static const double xs[] = {${xs.join(', ')}};
template <class T> void all(int bits, int fraction) {
  for (int i = 0; i < ${xs.length}; ++i) {
    const T to(${prefix}_fixed<40, 20>(xs[i]));
    if (!(to == T(xs[i]))) std::cout << "unlike ";
    printRaw(to, bits, fraction);
  }
}
`;
    const found = run(library, types.map((t, i) => `all<${t} >(${vectors[i].width}, ${vectors[i].width - vectors[i].integer});`).join('\n'), definitions);
    const expected = vectors.flatMap((v, c) => xs.map((_, i) => String(BigInt.asUintN(v.width, BigInt(ys[c * xs.length + i] * 2 ** (v.width - v.integer))))));
    same(library, found, expected, vectors.flatMap((_, c) => xs.map((value) => `${types[c]}(${value})`)));
  });
}

for (const [seed, count, isFixed, most] of [[1, 260, false, 128], [2, 260, true, 128], [3, 260, true, 52]] as const) {
  for (const library of libraries) {
    if (library === 'systemc' && isFixed && most > 52) continue; // its text here goes through binary64
    test(`${library}: ${isFixed ? 'fixed-point' : 'integer'} arithmetic to ${most} bits`, () => {
      const { text, lines } = randomArithmetic(seed, count, isFixed, most);
      const all = text[library].split('\n');
      const printing = all.flatMap((l, i) => (l.includes('print') ? [i] : []));
      const statements = all.slice(0, printing[(library === 'hls4ml' ? 40 : count) - 1] + 1);
      const printed = statements.filter((l) => l.includes('print'));
      same(library, run(library, statements.join('\n')), lines.slice(0, printed.length), printed);
    });
  }
}

test('bits, ranges, concatenation, assignment', () => {
  const statements = parts.map(([statement]) => statement);
  const expected = parts.map(([, value]) => value);
  for (const library of libraries.filter((l) => l !== 'systemc')) same(library, run(library, statements.map((s) => `{ ${s} }`).join('\n')), expected, statements);
});

test('what would lose bits in silence does not compile or stops', () => {
  if (!hasCompiler) return;
  for (const [statement, reason] of [
    ['print(ap_uint<65>(1) * ap_uint<64>(1));', /C simulation has 1 to 128 bits/],
    ['ap_uint<8> x = 1; x(3, 0) += 1; print(x);', /use of deleted function/],
    ['ap_uint<8> x = 1; print(x(8, 1));', /bits 8 to 1 of an integer of 8 bits/],
    ['ap_fixed<8, 4> x = 1.0 / 0.0; print(x);', /is not finite/],
    ['ap_int<8> x = 1; print(x / (x - 1));', /divided by zero/],
  ] as const) assert.throws(() => run('ours', statement), reason, statement);
});

test.run();
