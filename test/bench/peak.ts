/**
 * Hand-made micro-kernels: what this engine reaches when nothing but the inner loop counts. Sources and their work only;
 * assembled and timed by the benchmark, in the same rounds as the networks.
 *
 * The products: 4 rows x 8 columns in registers, operands in the first-level cache, as in a matrix product with a short
 * reduction. The reader: vectors in order, four at a time, from a block of a network's size (so from the cache that holds it).
 */
export type PeakName = 'float32' | 'dot16' | 'relaxedDot' | 'read';

export interface Peak {
  readonly source: string;
  readonly features: readonly string[];
  /** 64 KB pages. */
  readonly pages: number;
  /** Multiply-adds of one call; bytes for `read`. */
  readonly work: number;
}

const repeats = 64;
const rows = [0, 1, 2, 3];

/** `steps` turns of one reduction step: two vectors of b, one word of a for each row, eight accumulators. */
function product(steps: number, accumulate: (a: string, b: string, c: string) => string): string {
  const sums = rows.flatMap((r) => [`c${r}0`, `c${r}1`]);
  return `
export function run(): void {
  for (let r = 0; r < ${repeats}; r++) {
    ${sums.map((c) => `let ${c} = i32x4.splat(0);`).join(' ')}
    let a: usize = 0, b: usize = 0;
    do {
      const b0 = v128.load(b, 16384), b1 = v128.load(b, 16400);
      ${rows.map((r) => `const a${r} = v128.load32_splat(a, ${1024 * (r + 1)});`).join(' ')}
      ${rows.map((r) => `c${r}0 = ${accumulate(`a${r}`, 'b0', `c${r}0`)}; c${r}1 = ${accumulate(`a${r}`, 'b1', `c${r}1`)};`).join('\n      ')}
      a += 4; b += 32;
    } while (a != ${steps * 4});
    ${sums.map((c, i) => `v128.store(${32768 + 16 * i}, ${c});`).join(' ')}
  }
}
`;
}

const steps = 256;

/** The kernel of a name; `bytes` for `read`: how much it reads. */
export function peakKernel(name: PeakName, bytes = 0): Peak {
  const work = steps * repeats * 32;
  if (name === 'float32') return { source: product(steps, (a, b, c) => `f32x4.add(${c}, f32x4.mul(${a}, ${b}))`), features: ['simd'], pages: 4, work };
  if (name === 'dot16') return { source: product(steps, (a, b, c) => `i32x4.add(${c}, i32x4.dot_i16x8_s(${a}, ${b}))`), features: ['simd'], pages: 4, work: work * 2 };
  if (name === 'relaxedDot') {
    return { source: product(steps, (a, b, c) => `i32x4.relaxed_dot_i8x16_i7x16_add_s(${b}, ${a}, ${c})`), features: ['simd', 'relaxed-simd'], pages: 4, work: work * 4 };
  }
  const block = Math.max(64, Math.floor(bytes / 64) * 64);
  const times = Math.max(1, Math.round(4e6 / block));
  const source = `
export function run(): void {
  let s0 = i32x4.splat(0), s1 = s0, s2 = s0, s3 = s0;
  for (let r = 0; r < ${times}; r++) {
    for (let p: usize = 65536; p != ${65536 + block}; p += 64) {
      s0 = v128.xor(s0, v128.load(p)); s1 = v128.xor(s1, v128.load(p, 16)); s2 = v128.xor(s2, v128.load(p, 32)); s3 = v128.xor(s3, v128.load(p, 48));
    }
  }
  v128.store(1024, v128.xor(v128.xor(s0, s1), v128.xor(s2, s3)));
}
`;
  return { source, features: ['simd'], pages: 2 + Math.ceil(block / 65536), work: block * times };
}
