/**
 * What the machine can do at most, measured by hand-made micro-kernels: multiply-adds a second for each way of multiplying
 * that a target has, and bytes a second for working sets of several sizes. What profiles and benchmarks compare with.
 *
 * Not here: when and how often the micro-kernels run (measure.ts), and what a network's kernel needs (facts.ts).
 */
import type { Toolchain } from '../../codegen/compile.js';
import type { Target } from '../../codegen/targets/target.js';

/**
 * Ways of multiplying and adding: one float32 or 32-bit product a lane; pairs of 16-bit products
 * (`i32x4.dot_i16x8_s`); quads of 8-bit by 7-bit products (`i32x4.relaxed_dot_i8x16_i7x16_add_s`); 1-bit products by
 * exclusive or and population count.
 */
export type RateName = 'float32' | 'int32' | 'dot16' | 'dot8' | 'popcount';

/** Steps of the one reduction; operands lie in the first-level cache, sums (4 rows of 2 vectors) in registers. */
const depth = 256;
const vectorLanes = 4;

interface Multiply {
  readonly name: RateName;
  /** Products of one 32-bit lane. */
  readonly products: number;
  /** Text of the accumulator `c` with the product of `a` and `b` added. */
  readonly add: (c: string, a: string, b: string) => string;
  readonly zero: string;
  /** Of a sum. */
  readonly type: 'v128' | 'f32' | 'i32';
}

/** What an engine may have; `relaxed` stands for what relaxed SIMD adds. */
export type Instructions = 'scalar' | 'simd128' | 'relaxed';

const multiplies: Readonly<Record<Instructions, readonly Multiply[]>> = {
  scalar: [
    { name: 'float32', products: 1, add: (c, a, b) => `${c} + ${a} * ${b}`, zero: '0', type: 'f32' },
    { name: 'int32', products: 1, add: (c, a, b) => `${c} + ${a} * ${b}`, zero: '0', type: 'i32' },
  ],
  simd128: [
    { name: 'float32', products: 1, add: (c, a, b) => `f32x4.add(${c}, f32x4.mul(${a}, ${b}))`, zero: 'f32x4.splat(0)', type: 'v128' },
    { name: 'int32', products: 1, add: (c, a, b) => `i32x4.add(${c}, i32x4.mul(${a}, ${b}))`, zero: 'i32x4.splat(0)', type: 'v128' },
    { name: 'dot16', products: 2, add: (c, a, b) => `i32x4.add(${c}, i32x4.dot_i16x8_s(${a}, ${b}))`, zero: 'i32x4.splat(0)', type: 'v128' },
    { name: 'popcount', products: 32, add: (c, a, b) => `i8x16.add(${c}, i8x16.popcnt(v128.xor(${a}, ${b})))`, zero: 'i32x4.splat(0)', type: 'v128' },
  ],
  relaxed: [
    { name: 'dot8', products: 4, add: (c, a, b) => `i32x4.relaxed_dot_i8x16_i7x16_add_s(${a}, ${b}, ${c})`, zero: 'i32x4.splat(0)', type: 'v128' },
  ],
};

const rows = 4, columns = 2;
/** Where row r and column c of the operands begin, and where the sums go. */
const firstRow = 1024, firstColumn = 16384, results = 32768;

function microKernel(m: Multiply): string {
  const vector = m.type === 'v128';
  const bytes = vector ? 16 : 4;
  const each = (f: (r: number, c: number, i: number) => string): string[] => Array.from({ length: rows * columns }, (_, i) => f(Math.floor(i / columns), i % columns, i));
  const loadRow = (r: number): string => `${vector ? 'v128.load32_splat' : `load<${m.type}>`}(a, ${firstRow * (r + 1)})`;
  const loadColumn = (c: number): string => `${vector ? 'v128.load' : `load<${m.type}>`}(b, ${firstColumn + bytes * c})`;
  return [
    `export function ${m.name}(times: i32): void {`,
    '  for (let t = 0; t < times; t++) {',
    `    let ${each((r, c) => `c${r}${c}: ${m.type} = ${m.zero}`).join(', ')};`,
    '    let a: usize = 0, b: usize = 0;',
    '    do {',
    ...Array.from({ length: columns }, (_, c) => `      const b${c} = ${loadColumn(c)};`),
    ...Array.from({ length: rows }, (_, r) => `      const a${r} = ${loadRow(r)};`),
    ...each((r, c) => `      c${r}${c} = ${m.add(`c${r}${c}`, `a${r}`, `b${c}`)};`),
    `      a += 4; b += ${bytes * columns};`,
    `    } while (a != ${depth * 4});`,
    ...each((r, c, i) => `    ${vector ? 'v128.store' : `store<${m.type}>`}(${results + bytes * i}, c${r}${c});`),
    '  }',
    '}',
  ].join('\n');
}

/** Multiply-adds of one time through a micro-kernel. */
const multiplyAdds = (m: Multiply): number => depth * rows * columns * (m.type === 'v128' ? vectorLanes * m.products : 1);

/** Loads all of a working set (four sums, so that none waits for another), and stores all of it. */
function memoryKernels(vector: boolean): string {
  const [type, bytes, zero] = vector ? ['v128', 16, 'i64x2.splat(0)'] : ['i64', 8, '0'];
  const lines = (line: (i: number) => string): string[] => Array.from({ length: 8 }, (_, i) => `      ${line(i)}`);
  const kernel = (name: string, before: string, body: readonly string[], after: string): string[] => [
    `export function ${name}(bytes: i32, times: i32): void {`,
    `  const end: usize = <usize>bytes + ${workingSet};`,
    '  for (let t = 0; t < times; t++) {',
    before,
    `    for (let p: usize = ${workingSet}; p < end; p += ${8 * bytes}) {`,
    ...body,
    '    }',
    after,
    '  }',
    '}',
  ];
  const load = (i: number): string => (vector ? `s${i % 4} = v128.xor(s${i % 4}, v128.load(p, ${16 * i}));` : `s${i % 4} ^= load<i64>(p, ${8 * i});`);
  return [
    ...kernel(
      'read', `    let s0: ${type} = ${zero}, s1: ${type} = ${zero}, s2: ${type} = ${zero}, s3: ${type} = ${zero};`, lines(load),
      vector ? `    v128.store(${results}, v128.xor(v128.xor(s0, s1), v128.xor(s2, s3)));` : `    store<i64>(${results}, s0 ^ s1 ^ s2 ^ s3);`,
    ),
    ...kernel('write', `    const value: ${type} = ${vector ? 'i32x4.splat(t)' : 't'};`, lines((i) => (vector ? `v128.store(p, value, ${16 * i});` : `store<i64>(p, value, ${8 * i});`)), ''),
  ].join('\n');
}

/** Where working sets begin. */
const workingSet = 65536;

/** Working sets of which bandwidth is measured: within caches of every usual size, and beyond them. */
const workingSets = [16, 64, 256, 1024, 4096, 16384, 65536].map((kilobytes) => kilobytes * 1024);

/** Micro-kernels as a WebAssembly module. It exports, besides the rates' functions, `read(bytes, times)` and `write(bytes, times)`. */
export interface PeakModule {
  readonly binary: Uint8Array;
  /** Functions that take how many times they run; the multiply-adds of one time. */
  readonly rates: readonly { readonly name: RateName; readonly multiplyAdds: number }[];
}

/** Bytes that `read` and `write` cover at once: working sets are multiples of it. */
export const memoryStep = 128;

/** The micro-kernels of these instructions, and those of memory for working sets of up to `largestBytes`. */
export async function peakModule(instructions: Instructions, largestBytes: number, assemble: Toolchain['assemble']): Promise<PeakModule> {
  const list = multiplies[instructions];
  const source = [...list.map(microKernel), memoryKernels(instructions !== 'scalar')].join('\n');
  const { binary } = await assemble({ 'peaks.ts': source }, {
    entry: 'peaks.ts', memoryBase: workingSet, optimizeLevel: 1, shrinkLevel: 0,
    features: { scalar: [], simd128: ['simd'], relaxed: ['simd', 'relaxed-simd'] }[instructions],
    pages: 1 + Math.ceil((workingSet + largestBytes) / 65536),
  });
  return { binary, rates: list.map((m) => ({ name: m.name, multiplyAdds: multiplyAdds(m) })) };
}

/** A micro-kernel on this engine. */
export interface Probe {
  /** Runs it so many times. */
  readonly call: (times: number) => void;
}
export interface RateProbe extends Probe {
  readonly name: RateName;
  /** Of one time. */
  readonly multiplyAdds: number;
}
export interface BandwidthProbe extends Probe {
  /** The working set, read or written once each time. */
  readonly bytes: number;
  readonly way: 'read' | 'written';
}
export interface Probes {
  readonly rates: readonly RateProbe[];
  readonly bandwidths: readonly BandwidthProbe[];
}

/**
 * The micro-kernels of a target, ready to run on this engine: all ways of multiplying that the target has, and reading and
 * writing of working sets up to the first size of at least `largestBytes`.
 */
export async function probes(target: Target, largestBytes: number, assemble: Toolchain['assemble']): Promise<Probes> {
  const sizes = workingSets.filter((_, i) => i === 0 || workingSets[i - 1] < largestBytes);
  const open = async (instructions: Instructions, bytes: number) => {
    const { binary, rates } = await peakModule(instructions, bytes, assemble);
    const exports = new WebAssembly.Instance(new WebAssembly.Module(binary as BufferSource)).exports as unknown as Record<RateName, RateProbe['call']> & Record<'read' | 'write', (bytes: number, times: number) => void>;
    return { exports, rates: rates.map((r): RateProbe => ({ ...r, call: exports[r.name] })) };
  };
  const { exports, rates } = await open(target.lanes > 1 ? 'simd128' : 'scalar', sizes[sizes.length - 1]);
  if (target.features.includes('relaxed-simd')) rates.push(...(await open('relaxed', 0)).rates);
  // Pages that nothing has written are one page of zeros, which every cache holds.
  exports.write(sizes[sizes.length - 1], 1);
  const bandwidths = sizes.flatMap((bytes): BandwidthProbe[] => [
    { bytes, way: 'read', call: (times) => exports.read(bytes, times) },
    { bytes, way: 'written', call: (times) => exports.write(bytes, times) },
  ]);
  return { rates, bandwidths };
}
