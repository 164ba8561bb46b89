/** LEB128, the numbers of WebAssembly's binary format (core specification, 5.2.2). */

/** A number and the position after it; NaN where the bytes end too early or go on for more than 32 bits. */
export function readUnsigned(bytes: Uint8Array, at: number): [value: number, next: number] {
  let value = 0;
  for (let i = 0; i < 5; i++) {
    const b = bytes[at + i];
    value += (b & 127) * 2 ** (7 * i);
    if (b < 128) return [value, at + i + 1];
  }
  return [NaN, NaN];
}

export function unsignedBytes(value: number): number[] {
  const out: number[] = [];
  for (; value >= 128; value = Math.floor(value / 128)) out.push((value % 128) | 128);
  out.push(value);
  return out;
}

/** i32.const takes a signed number; offsets from 2^31 on become negative ones. */
export function signedBytes(value: number): number[] {
  const out: number[] = [];
  for (let v = value | 0; ; v >>= 7) {
    const last = (v >> 6 === 0) || (v >> 6 === -1);
    out.push((v & 127) | (last ? 0 : 128));
    if (last) return out;
  }
}
