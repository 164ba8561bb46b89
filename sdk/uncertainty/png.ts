/**
 * Small pictures as PNG in a data address, for pages that need nothing else. Stored, not compressed: a digit is a kilobyte.
 * Formats: PNG (ISO/IEC 15948), zlib (RFC 1950), deflate (RFC 1951), base64 (RFC 4648).
 */

export interface Picture {
  readonly width: number;
  readonly height: number;
  /** Grey, or red, green, blue. */
  readonly channels: 1 | 3;
  /** [height, width, channels], row-major. */
  readonly pixels: Uint8Array;
}

/** The picture as `data:image/png;base64,...`. */
export function pngAddress(picture: Picture): string {
  return `data:image/png;base64,${btoa(Array.from(png(picture), (byte) => String.fromCharCode(byte)).join(''))}`;
}

/** The bytes of a PNG file. */
export function png({ width, height, channels, pixels }: Picture): Uint8Array {
  const row = width * channels;
  const lines = new Uint8Array(height * (row + 1)); // each line begins with its filter, none
  for (let y = 0; y < height; y++) lines.set(pixels.subarray(y * row, (y + 1) * row), y * (row + 1) + 1);
  const header = new Uint8Array(13);
  const view = new DataView(header.buffer);
  view.setUint32(0, width);
  view.setUint32(4, height);
  header.set([8, channels === 1 ? 0 : 2], 8);
  return join([Uint8Array.of(0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a), chunk('IHDR', header), chunk('IDAT', stored(lines)), chunk('IEND', new Uint8Array(0))]);
}

/** The picture at most `most` wide and high: every n-th pixel. */
export function shrink(picture: Picture, most = 64): Picture {
  const step = Math.ceil(Math.max(picture.width, picture.height) / most);
  if (step === 1) return picture;
  const { channels } = picture;
  const [width, height] = [Math.ceil(picture.width / step), Math.ceil(picture.height / step)];
  const pixels = new Uint8Array(width * height * channels);
  for (let y = 0; y < height; y++) for (let x = 0; x < width; x++) for (let c = 0; c < channels; c++) pixels[(y * width + x) * channels + c] = picture.pixels[(y * step * picture.width + x * step) * channels + c];
  return { width, height, channels, pixels };
}

function chunk(type: string, data: Uint8Array): Uint8Array {
  const named = join([Uint8Array.from(type, (c) => c.charCodeAt(0)), data]);
  return join([word(data.length), named, word(crc(named))]);
}

/** A zlib stream of stored blocks. */
function stored(data: Uint8Array): Uint8Array {
  const parts: Uint8Array[] = [Uint8Array.of(0x78, 0x01)];
  for (let at = 0; at < data.length; at += 65535) {
    const { length } = data.subarray(at, at + 65535);
    parts.push(Uint8Array.of(Number(at + length === data.length), length & 255, length >> 8, ~length & 255, (~length >> 8) & 255), data.subarray(at, at + length));
  }
  let [a, b] = [1, 0];
  for (const byte of data) {
    a = (a + byte) % 65521;
    b = (b + a) % 65521;
  }
  return join([...parts, word(b * 65536 + a)]);
}

function crc(data: Uint8Array): number {
  let value = -1;
  for (const byte of data) {
    value ^= byte;
    for (let bit = 0; bit < 8; bit++) value = value & 1 ? (value >>> 1) ^ 0xedb88320 : value >>> 1;
  }
  return ~value >>> 0;
}

const word = (x: number): Uint8Array => Uint8Array.of(x >>> 24, (x >>> 16) & 255, (x >>> 8) & 255, x & 255);

function join(parts: readonly Uint8Array[]): Uint8Array {
  const all = new Uint8Array(parts.reduce((sum, p) => sum + p.length, 0));
  let at = 0;
  for (const part of parts) {
    all.set(part, at);
    at += part.length;
  }
  return all;
}
