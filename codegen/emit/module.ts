/**
 * The WebAssembly container: splices data segments into a module, and adds the manifest.
 *
 * Not here: instructions (the assembler makes them), and reading the manifest (sdk/runtime). Pure: bytes in, bytes out.
 * Format: WebAssembly core specification, chapter 5 (binary format).
 */
import { manifestSection, type Manifest } from '../../sdk/runtime/manifest.js';
import { fail } from '../ir/diagnostic.js';
import { readUnsigned, signedBytes, unsignedBytes } from './leb128.js';
import { narrowSegment, widenBodies, widenTypes, type DataSegment, type Widened } from './widen.js';

export type { DataSegment } from './widen.js';

export interface FinishOptions {
  readonly data: readonly DataSegment[];
  readonly manifest?: Manifest;
  /** Keeps the `name` section (function names in stack traces and profilers). All other custom sections are dropped. */
  readonly names?: boolean;
}

export interface Section {
  readonly id: number;
  /** `code`, `data` ..., for custom sections their own name. */
  readonly name: string;
  /** Start of the content, after id and size; for custom sections after their name too. */
  readonly start: number;
  readonly end: number;
}

const sectionNames = ['custom', 'type', 'import', 'function', 'table', 'memory', 'global', 'export', 'start', 'element', 'code', 'data', 'dataCount', 'tag'];
const custom = 0, type = 1, imported = 2, functions = 3, memory = 5, start = 8, code = 10, data = 11, dataCount = 12;
/** Rank of each section id in a valid module; dataCount comes before code, tag after memory. */
const order = [1, 2, 3, 4, 5, 13, 6, 7, 8, 9, 12, 10, 11];
const preamble = Uint8Array.of(0, 0x61, 0x73, 0x6d, 1, 0, 0, 0);

/** A run of zeros at least this long is left out: a further segment costs about nine bytes. */
const shortestGap = 16;
/** Engines refuse more than 100,000 data segments. */
const mostSegments = 10_000;

/**
 * Returns the module with these data segments added after its own, and with the manifest as a custom section.
 *
 * Memory is zero at the start, so runs of zeros are not stored.
 * @throws program/invalid where a segment does not fit the module's memory.
 */
export function finishModule(binary: Uint8Array, options: FinishOptions): Uint8Array<ArrayBuffer> {
  const sections = readSections(binary);
  checkFits(binary, sections, options.data);
  const narrowed = options.data.map((s) => narrowSegment(s));
  const widened = narrowed.flatMap((n) => (n ? [n.widened] : []));
  const pieces = withoutZeros(options.data.map((s, i) => narrowed[i]?.segment ?? s));
  const own = sections.find((s) => s.id === data);
  const ownBytes = own ? binary.subarray(own.start, own.end) : Uint8Array.of(0);
  const [ownCount, ownStart] = readUnsigned(ownBytes, 0);
  const count = ownCount + pieces.length;

  const bodies = new Map<number, Uint8Array[]>();
  for (const s of sections) if (s.id !== custom) bodies.set(s.id, [binary.subarray(s.start, s.end)]);
  if (widened.length > 0) addStart(bodies, widened);
  if (count > 0) bodies.set(data, [unsigned(count), ownBytes.subarray(ownStart), ...pieces.flatMap(activeSegment)]);
  if (bodies.has(dataCount)) bodies.set(dataCount, [unsigned(count)]);

  const out: Uint8Array[] = [preamble];
  for (const id of order) {
    const body = bodies.get(id);
    if (body) out.push(...section(id, body));
  }
  const names = sections.find((s) => s.id === custom && s.name === 'name');
  if (options.names && names) out.push(...customSection('name', binary.subarray(names.start, names.end)));
  if (options.manifest) out.push(...customSection(manifestSection, new TextEncoder().encode(JSON.stringify(options.manifest))));
  return concatenate(out);
}

/** Adds the functions that widen constants, of which the second is the start function. */
function addStart(bodies: Map<number, Uint8Array[]>, widened: readonly Widened[]): void {
  const entries = (id: number): Uint8Array => bodies.get(id)?.[0] ?? Uint8Array.of(0);
  const [types] = readUnsigned(entries(type), 0);
  const first = importedFunctions(entries(imported)) + readUnsigned(entries(functions), 0)[0];
  const old = bodies.get(start)?.[0];
  const add = (id: number, added: readonly (readonly number[])[]): void => {
    const [count, from] = readUnsigned(entries(id), 0);
    bodies.set(id, [unsigned(count + added.length), entries(id).subarray(from), ...added.map((a) => Uint8Array.from(a))]);
  };
  add(type, widenTypes);
  add(functions, widenTypes.map((_, i) => unsignedBytes(types + i)));
  add(code, widenBodies(widened, first, old && readUnsigned(old, 0)[0]).map((body) => [...unsignedBytes(body.length), ...body]));
  bodies.set(start, [unsigned(first + 1)]);
}

/** How many functions a module of the assembler's imports: of WASI's, and nothing else. */
function importedFunctions(bytes: Uint8Array): number {
  return readUnsigned(bytes, 0)[0];
}

/** All sections of a module, in file order. */
export function readSections(bytes: Uint8Array, name = 'module'): Section[] {
  if (bytes.length < 8 || preamble.some((b, i) => bytes[i] !== b)) {
    fail('module/not-a-module', name, `expected a WebAssembly module, which begins with 00 61 73 6d 01 00 00 00; found ${hexStart(bytes)}`, 'Give the .wasm file that `sigmaflow compile` wrote.');
  }
  const sections: Section[] = [];
  for (let at = 8; at < bytes.length; ) {
    const id = bytes[at];
    const [size, start] = readUnsigned(bytes, at + 1);
    const end = start + size;
    if (!(end <= bytes.length) || id >= sectionNames.length) {
      fail('module/not-a-module', name, `the section at byte ${at} ${id >= sectionNames.length ? `has the unknown id ${id}` : `ends at byte ${end} of ${bytes.length}`}`, 'The file is damaged or cut off. Compile the model again.');
    }
    if (id === custom) {
      const [length, nameStart] = readUnsigned(bytes, start);
      const contentStart = Math.min(nameStart + length, end);
      sections.push({ id, name: new TextDecoder().decode(bytes.subarray(nameStart, contentStart)), start: contentStart, end });
    } else sections.push({ id, name: sectionNames[id], start, end });
    at = end;
  }
  return sections;
}

function hexStart(bytes: Uint8Array): string {
  return bytes.length === 0 ? 'no bytes' : Array.from(bytes.subarray(0, 8), (b) => b.toString(16).padStart(2, '0')).join(' ');
}

function checkFits(binary: Uint8Array, sections: readonly Section[], segments: readonly DataSegment[]): void {
  const section = sections.find((s) => s.id === memory);
  let pages = 0;
  if (section) {
    const [, flagsAt] = readUnsigned(binary, section.start);
    [pages] = readUnsigned(binary, flagsAt + 1);
  }
  for (const { offset, bytes } of segments) {
    if (offset < 0 || offset + bytes.length > pages * 65536) {
      fail('program/invalid', undefined, `constant bytes ${offset} to ${offset + bytes.length} lie outside the module's memory of ${pages} pages`, 'This is a fault of the compiler. Report it with the model.');
    }
  }
}

/** Cuts segments at runs of zeros, at longer ones only where there would be too many pieces. */
function withoutZeros(segments: readonly DataSegment[]): DataSegment[] {
  for (let gap = shortestGap; ; gap *= 2) {
    const pieces = segments.flatMap((segment) => cutAtZeros(segment, gap));
    if (pieces.length <= Math.max(mostSegments, segments.length)) return pieces;
  }
}

function cutAtZeros({ offset, bytes }: DataSegment, gap: number): DataSegment[] {
  const pieces: DataSegment[] = [];
  let start = -1;
  let end = 0; // after the last byte of the piece that is not zero
  for (let i = 0; i < bytes.length; i++) {
    if (bytes[i] === 0) continue;
    if (start >= 0 && i - end >= gap) {
      pieces.push({ offset: offset + start, bytes: bytes.subarray(start, end) });
      start = -1;
    }
    if (start < 0) start = i;
    end = i + 1;
  }
  if (start >= 0) pieces.push({ offset: offset + start, bytes: bytes.subarray(start, end) });
  return pieces;
}

/** Active, memory 0: flag 0, i32.const offset, end, bytes. */
function activeSegment({ offset, bytes }: DataSegment): Uint8Array[] {
  return [Uint8Array.from([0, 0x41, ...signedBytes(offset), 0x0b, ...unsignedBytes(bytes.length)]), bytes];
}

function section(id: number, body: readonly Uint8Array[]): Uint8Array[] {
  return [Uint8Array.of(id), unsigned(body.reduce((sum, b) => sum + b.length, 0)), ...body];
}

function customSection(name: string, content: Uint8Array): Uint8Array[] {
  const text = new TextEncoder().encode(name);
  return section(custom, [unsigned(text.length), text, content]);
}

const unsigned = (value: number): Uint8Array => Uint8Array.from(unsignedBytes(value));

function concatenate(parts: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  const out = new Uint8Array(parts.reduce((sum, p) => sum + p.length, 0));
  let at = 0;
  for (const part of parts) {
    out.set(part, at);
    at += part.length;
  }
  return out;
}
