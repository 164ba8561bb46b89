/**
 * A hand-made float32 micro-kernel: the multiply-add rate that this engine reaches when nothing but the inner loop counts.
 * 4 rows x 8 columns in registers, operands in the first-level cache, as in a matrix product with a short reduction.
 */
const depth = 256;
const repeats = 64;

/** Multiply-adds of one call, in units of one: time per call / this is microseconds per multiply-add. */
export const microKernelMacs = depth * repeats * 32;

export const microKernel = `
export function run(): void {
  for (let r = 0; r < ${repeats}; r++) {
    let c00 = f32x4.splat(0), c01 = f32x4.splat(0), c10 = f32x4.splat(0), c11 = f32x4.splat(0);
    let c20 = f32x4.splat(0), c21 = f32x4.splat(0), c30 = f32x4.splat(0), c31 = f32x4.splat(0);
    let a: usize = 0, b: usize = 0;
    do {
      const b0 = v128.load(b, 16384), b1 = v128.load(b, 16400);
      const a0 = v128.load32_splat(a, 1024), a1 = v128.load32_splat(a, 2048), a2 = v128.load32_splat(a, 3072), a3 = v128.load32_splat(a, 4096);
      c00 = f32x4.add(c00, f32x4.mul(a0, b0)); c01 = f32x4.add(c01, f32x4.mul(a0, b1));
      c10 = f32x4.add(c10, f32x4.mul(a1, b0)); c11 = f32x4.add(c11, f32x4.mul(a1, b1));
      c20 = f32x4.add(c20, f32x4.mul(a2, b0)); c21 = f32x4.add(c21, f32x4.mul(a2, b1));
      c30 = f32x4.add(c30, f32x4.mul(a3, b0)); c31 = f32x4.add(c31, f32x4.mul(a3, b1));
      a += 4; b += 32;
    } while (a != ${depth * 4});
    v128.store(32768, c00); v128.store(32784, c01); v128.store(32800, c10); v128.store(32816, c11);
    v128.store(32832, c20); v128.store(32848, c21); v128.store(32864, c30); v128.store(32880, c31);
  }
}
`;
