/**
 * Which build of a model this engine runs best, found by executing the instructions: engines validate some that they then
 * refuse or get wrong. Node 20 with relaxed SIMD switched on computes another dot product in its baseline code than in its
 * optimized code, which takes over after some 60,000 calls; what is executed here is baseline code.
 */
import type { Manifest } from './manifest.js';

/** A target that modules are compiled for. */
export type Build = Manifest['target'];

// Two vectors. The second holds 0 to 127 only: the operands on which relaxed dot products are defined everywhere.
const a = [128, 128, 128, 128, 127, 127, 127, 127, 1, 254, 3, 252, 5, 250, 7, 248];
const b = [127, 127, 127, 127, 127, 127, 127, 127, 9, 8, 7, 6, 5, 4, 3, 2];
const c = [1, -2, 3, -4];

/** For each build the instruction that it needs most, applied to a and b (and c), and the lanes that must come out. */
const probes = {
  simd128: [[0xfd, 0xba, 1], [-2130673920, 2130608642, -2626530, -2626514]], // i32x4.dot_i16x8_s
  relaxed: [[...vector(c), 0xfd, 0x93, 2], [-65023, 64514, -7, 2]], // i32x4.relaxed_dot_i8x16_i7x16_add_s
} as const;

/** Best first. */
const builds: readonly Build[] = ['relaxed', 'simd128', 'scalar'];
const known: { [build in Build]?: boolean } = { scalar: true };

/** The best build, of these, that this engine runs. Takes well under a millisecond, once. */
export function pickBuild(among: readonly string[] = builds): Build {
  return builds.find((build) => among.includes(build) && (known[build] ??= runs(build as keyof typeof probes))) ?? 'scalar';
}

/** True where this engine gives the one right answer to the instruction that a build needs most. */
export function runs(build: keyof typeof probes): boolean {
  const [instruction, lanes] = probes[build];
  // (i32) -> i32: are all lanes of instruction(a + splat(x), b) as they should be?
  const body = [0, ...constant(a), 0x20, 0, 0xfd, 15, 0xfd, 110, ...constant(b), ...instruction, ...vector(lanes), 0xfd, 55, 0xfd, 163, 1, 11];
  try {
    const module = new WebAssembly.Module(Uint8Array.of(
      0, 97, 115, 109, 1, 0, 0, 0, 1, 6, 1, 96, 1, 127, 1, 127, 3, 2, 1, 0, 7, 5, 1, 1, 102, 0, 0, 10, body.length + 2, 1, body.length, ...body,
    ));
    return (new WebAssembly.Instance(module).exports as { f(x: number): number }).f(0) === 1;
  } catch {
    return false; // not known to this engine, or no WebAssembly at all
  }
}

function vector(lanes: readonly number[]): number[] {
  return constant(new Uint8Array(Int32Array.from(lanes).buffer));
}

/** v128.const */
function constant(bytes: Iterable<number>): number[] {
  return [0xfd, 12, ...bytes];
}
