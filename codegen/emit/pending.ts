/**
 * Vectors and bits that wait to be narrowed together and stored with their neighbours (store.ts and bits.ts collect them), and
 * how lanes of 32 bits become narrow ones.
 */
import type { Context, PendingBits } from './context.js';

const byte = 8;

/** Writes what waits. Before anything that could read it, and before its scope ends. */
export function flushStores(context: Context): void {
  flushBits(context);
  for (const { scope, line } of context.held?.splice(0) ?? []) scope.lines.push(line);
  const { pending } = context;
  if (!pending) return;
  context.pending = undefined;
  const { scope, parts, runs, bits, signed, bounds } = pending;
  const name = context.names.fresh('t');
  scope.lines.push(`const ${name}: v128 = ${narrowed(parts, bits, signed, bounds)};`);
  let from = 0;
  for (const { pointer, offset, count } of runs) {
    const length = count * context.target.lanes * bits;
    scope.lines.push(...laneStores(name, length, pointer, offset, from));
    from += length;
  }
}

/** Bits of a vector from bit `from` on, by the widest stores that there are. */
export function laneStores(name: string, bits: number, pointer: string, offset: number, from = 0): string[] {
  if (bits === 128) return [`v128.store(${pointer}, ${name}, ${offset});`];
  const lines: string[] = [];
  for (let done = 0; done < bits; ) {
    const width = [64, 32, 16].find((w) => w <= bits - done && (from + done) % w === 0) ?? 8;
    lines.push(`v128.store${width}_lane(${pointer}, ${name}, ${(from + done) / width}, ${offset + done / 8});`);
    done += width;
  }
  return lines;
}

/** Vectors of 32-bit lanes as one of 16 or 8, each value clamped to `bounds`, within which it lies where they are undefined. */
export function narrowed(parts: readonly string[], bits: number, signed: boolean, bounds: readonly [number, number] | undefined): string {
  // Without signs the first narrowing stops at 65535, which the second would take for a negative number.
  const unsigned = bits === 16 && (bounds ? bounds[0] >= 0 : !signed);
  const zero = 'i32x4.splat(0)';
  const halves = Array.from({ length: Math.ceil(parts.length / 2) }, (_, i) => `i16x8.narrow_i32x4_${unsigned ? 'u' : 's'}(${parts[2 * i]}, ${parts[2 * i + 1] ?? zero})`);
  let text = bits === 16 ? halves[0] : `i8x16.narrow_i16x8_${signed ? 's' : 'u'}(${halves[0]}, ${halves[1] ?? zero})`;
  if (!bounds) return text;
  // What the narrowing has not clamped.
  const isSigned = bits === 8 ? signed : !unsigned;
  const [least, most] = isSigned ? [-(2 ** (bits - 1)), 2 ** (bits - 1) - 1] : [0, 2 ** bits - 1];
  const kind = bits === 8 ? 'i8x16' : 'i16x8';
  const sign = isSigned ? 's' : 'u';
  if (bounds[0] > least) text = `${kind}.max_${sign}(${text}, ${kind}.splat(${bounds[0]}))`;
  if (bounds[1] < most) text = `${kind}.min_${sign}(${text}, ${kind}.splat(${bounds[1]}))`;
  return text;
}

// ---- Bits ----

/** Writes the bits that wait. */
function flushBits(context: Context): void {
  const { pendingBits } = context;
  if (!pendingBits) return;
  context.pendingBits = undefined;
  const { scope, pointer, offset, shift, laneStride, parts } = pendingBits;
  if (laneStride === 1) flushLanes(pendingBits, context);
  else if (laneStride === undefined) {
    const bits = parts.map((name, i) => (shift + i === 0 ? name : `(${name} << ${shift + i})`)).join(' | ');
    scope.lines.push(byteStore(bits, parts.length, shift, pointer, offset));
  } else {
    // One bit of every lane: masks are all ones.
    const name = context.names.fresh('bits');
    const bits = parts.map((part, i) => `v128.and(${part}, i32x4.splat(${1 << (shift + i)}))`);
    scope.lines.push(`const ${name}: v128 = ${bits.reduce((a, b) => `v128.or(${a}, ${b})`)};`);
    for (let lane = 0; lane < context.target.lanes; lane++) {
      const to = offset + (lane * laneStride) / byte;
      if (parts.length === byte) scope.lines.push(`v128.store8_lane(${pointer}, ${name}, ${byte / 2 * lane}, ${to});`);
      else scope.lines.push(byteStore(`i32x4.extract_lane(${name}, ${lane})`, parts.length, shift, pointer, to));
    }
  }
}

/** Neighbouring lanes, four bits a vector. */
function flushLanes({ scope, pointer, offset, shift, parts }: PendingBits, context: Context): void {
  const zero = 'i32x4.splat(0)';
  const pairs = Array.from({ length: Math.ceil(parts.length / 2) }, (_, i) => `i16x8.narrow_i32x4_s(${parts[2 * i]}, ${parts[2 * i + 1] ?? zero})`);
  const name = context.names.fresh('bits');
  const text = parts.length === 1 ? `i32x4.bitmask(${parts[0]})` : parts.length === 2 ? `i16x8.bitmask(${pairs[0]})` : `i8x16.bitmask(i8x16.narrow_i16x8_s(${pairs[0]}, ${pairs[1]}))`;
  scope.lines.push(`const ${name}: i32 = ${text};`);
  const bits = context.target.lanes * parts.length;
  if (bits === 2 * byte) {
    scope.lines.push(`store<u16>(${pointer}, ${name}, ${offset});`);
    return;
  }
  const first = Math.min(bits, byte - shift);
  scope.lines.push(byteStore(shift === 0 ? name : `(${name} << ${shift})`, first, shift, pointer, offset));
  if (bits > first) scope.lines.push(byteStore(`(${name} >> ${first})`, bits - first, 0, pointer, offset + 1));
}

/** `bits` lie in place, and above them anything that fills no byte. */
function byteStore(bits: string, count: number, shift: number, pointer: string, offset: number): string {
  if (count === byte) return `store<u8>(${pointer}, ${bits}, ${offset});`;
  const mask = ((1 << count) - 1) << shift;
  return `store<u8>(${pointer}, (<i32>load<u8>(${pointer}, ${offset}) & ${255 - mask}) | ((${bits}) & ${mask}), ${offset});`;
}
