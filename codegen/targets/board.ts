/**
 * Boards: what a machine has that models run on, read from the data of a board file (boards/NAME/board.json; the same
 * fields in boards/board.schema.json). Pure: who reads files is sdk/cli/boards.ts. Not here: what schedules know of a
 * processor (processor.ts) or of the fabric (fpga.ts).
 */
import { fail, suggest } from '../ir/diagnostic.js';
import { processors } from './processor.js';

/** What a part has. Figures of its data sheet. */
export interface Resources {
  /** Lookup tables of six inputs. */
  readonly lut: number;
  /** Of those, the ones that can be memory or shift registers. */
  readonly lutram: number;
  /** Flip-flops. */
  readonly ff: number;
  /** Block memories of 18 Kbit; a block of 36 Kbit counts as two. */
  readonly bram18: number;
  /** Multiplying slices. */
  readonly dsp: number;
}

/** A pin of the package and its electrical standard, as constraints of Vivado name them. */
export interface Pin {
  readonly pin: string;
  readonly standard: string;
}

export interface Pins {
  /** Its frequency in MHz. */
  readonly clock: Pin & { readonly frequency: number };
  /** The level at which the board resets. */
  readonly reset: Pin & { readonly active: 'low' | 'high' };
  /** The serial line, as the part sees it. */
  readonly transmit: Pin;
  readonly receive: Pin;
}

export interface FpgaBoard {
  readonly kind: 'fpga';
  /** As commands take it. */
  readonly name: string;
  /** As people say it. */
  readonly title: string;
  /** As Vitis HLS and Vivado name it. */
  readonly part: string;
  /** The board's name in Vivado's board store; without it a project names the part alone. */
  readonly boardPart?: string;
  readonly resources: Resources;
  /** In MHz: of a project that asks for none, and the most that may be asked for. */
  readonly clock: { readonly default: number; readonly most: number };
  /** How the circuit is reached: the ARM cores of a Zynq, or a MicroBlaze that is made of the same fabric. */
  readonly interface: 'zynq' | 'microblaze';
  /** Where a MicroBlaze finds clock, reset and serial line; every board with that interface has them. */
  readonly pins?: Pins;
  /** The processor that calls the circuit, and its clock in MHz. */
  readonly host: { readonly core: string; readonly clock: number };
  /** Memory outside the part, in MiB, and the bits of a word on its bus. */
  readonly memory: { readonly size: number; readonly bits: number };
  /**
   * From the circuit to the memory that it shares with the host: bits of a word, which goes each cycle, and cycles of the circuit's
   * clock from a request to the first word and from the last word to its acknowledgement. Filled in where the file says nothing.
   */
  readonly bus: Bus;
}

/** Cycles of a call in which memory answers: once for what is read, all inputs at the same time, and once for what is written. */
export const busCycles = ({ bus }: FpgaBoard): number => bus.read + bus.write;

export interface Bus {
  readonly bits: number;
  readonly read: number;
  readonly write: number;
}

/**
 * Cycles of the bus where a board file says nothing: what Vitis HLS itself takes for the latency of memory where nothing is said
 * (UG1399 2020.2, options for controlling AXI4 burst behavior). No measurement.
 */
const busLatency = 64;

/** A Zynq's high-performance port has 64 bits, the block memory beside a MicroBlaze the processor's 32. */
const buses: Readonly<Record<FpgaBoard['interface'], Bus>> = {
  zynq: { bits: 64, read: busLatency, write: busLatency },
  microblaze: { bits: 32, read: busLatency, write: busLatency },
};

export interface ProcessorBoard {
  readonly kind: 'processor';
  readonly name: string;
  readonly title: string;
  /** The description that tiles are made for (processor.ts). */
  readonly processor: string;
  /** The core's name, for people. */
  readonly core: string;
  /** Cores, and the clock in MHz; absent where they are not known before the model runs. */
  readonly cores?: number;
  readonly clock?: number;
  /** WebAssembly features that its engines have and its core has instructions for. */
  readonly features: readonly WasmFeature[];
}

export type Board = FpgaBoard | ProcessorBoard;

export const wasmFeatures = ['simd', 'relaxed-simd'] as const;
export type WasmFeature = (typeof wasmFeatures)[number];

/** The best WebAssembly target that a board has the features for. */
export function targetOfBoard(board: ProcessorBoard): 'scalar' | 'simd128' | 'relaxed' {
  if (!board.features.includes('simd')) return 'scalar';
  return board.features.includes('relaxed-simd') ? 'relaxed' : 'simd128';
}

/** Reads one field: returns its value, or raises target/board at the field's path. */
type Read = (value: unknown, field: Field) => unknown;
interface Field {
  readonly at: string;
  /** As `clock.default`. */
  readonly path: string;
}
interface Rule {
  readonly read: Read;
  /** What the field holds, for the diagnostic of a missing one. */
  readonly expected: string;
  readonly optional?: boolean;
}
type Rules = Readonly<Record<string, Rule>>;

function wrong({ at, path }: Field, expected: string, value: unknown): never {
  return fail('target/board', at, `"${path}" must be ${expected}, found ${shown(value)}`, `Correct "${path}"; boards/board.schema.json has every field.`);
}

/** A value as JSON, cut where it is long. */
function shown(value: unknown): string {
  const text = JSON.stringify(value) ?? String(value);
  return text.length > 60 ? `${text.slice(0, 57)}...` : text;
}

function rule(expected: string, accepts: (value: unknown) => boolean): Rule {
  return { expected, read: (value, field) => (accepts(value) ? value : wrong(field, expected, value)) };
}
const optional = (r: Rule): Rule => ({ ...r, optional: true });
const text = (expected: string, pattern = /\S/): Rule => rule(expected, (v) => typeof v === 'string' && pattern.test(v));
const number = (expected: string, least: number, most: number, whole: boolean): Rule =>
  rule(`${expected}, ${least} to ${most}`, (v) => typeof v === 'number' && v >= least && v <= most && (!whole || Number.isInteger(v)));
const whole = (what: string, least = 0, most = 1e8): Rule => number(`a whole number of ${what}`, least, most, true);
const megahertz = number('a number of MHz', 1, 10000, false);

function choice(values: readonly string[]): Rule {
  const expected = values.map((v) => `"${v}"`).join(' or ');
  const read: Read = (value, field) => {
    if (values.includes(value as string)) return value;
    if (typeof value !== 'string') return wrong(field, expected, value);
    return fail('target/board', field.at, `"${field.path}" must be ${expected}, found ${shown(value)}`, suggest(value, values));
  };
  return { expected, read };
}

function list(values: readonly string[]): Rule {
  const one = choice(values);
  const expected = `a list of ${one.expected}`;
  const read: Read = (value, field) => {
    if (!Array.isArray(value)) return wrong(field, expected, value);
    value.forEach((v, i) => one.read(v, { ...field, path: `${field.path}[${i}]` }));
    return new Set(value).size === value.length ? [...value] : wrong(field, `${expected}, each once`, value);
  };
  return { expected, read };
}

function object(rules: Rules): Rule {
  const expected = `an object with ${Object.keys(rules).map((name) => `"${name}"`).join(', ')}`;
  return { expected, read: (value, field) => (isObject(value) ? readObject(value, rules, field) : wrong(field, expected, value)) };
}

const isObject = (value: unknown): value is Readonly<Record<string, unknown>> => typeof value === 'object' && value !== null && !Array.isArray(value);

function readObject(value: Readonly<Record<string, unknown>>, rules: Rules, { at, path }: Field): Record<string, unknown> {
  const field = (name: string): Field => ({ at, path: path === '' ? name : `${path}.${name}` });
  for (const name of Object.keys(value)) {
    if (!Object.hasOwn(rules, name)) fail('target/board', at, `there is no field "${field(name).path}"`, suggest(name, Object.keys(rules), 'field'));
  }
  const out: Record<string, unknown> = {};
  for (const [name, { read, expected, optional }] of Object.entries(rules)) {
    if (Object.hasOwn(value, name)) out[name] = read(value[name], field(name));
    else if (!optional) fail('target/board', at, `the field "${field(name).path}" is missing: ${expected}`, `Add "${field(name).path}"; the boards in boards/ have examples.`);
  }
  return out;
}

const common: Rules = {
  $schema: optional(text('the name of a schema')),
  kind: choice(['fpga', 'processor']),
  name: text('a name of lower-case letters, digits and dashes', /^[a-z0-9]+(-[a-z0-9]+)*$/),
  title: text('a name for people'),
};

const pin: Rules = { pin: text('a pin such as "E3"', /^[A-Z]+[0-9]+$/), standard: text('an electrical standard such as "LVCMOS33"', /^[A-Z][A-Z0-9_]*$/) };

const kinds: Readonly<Record<Board['kind'], Rules>> = {
  fpga: {
    ...common,
    part: text('a part such as "xc7z020clg400-1"', /^x[A-Za-z0-9]+(-[A-Za-z0-9]+)+$/),
    boardPart: optional(text('a name of Vivado\'s board store such as "digilentinc.com:arty-a7-100:part0:1.1"', /^[^\s:]+:[^\s:]+:[^\s:]+:[^\s:]+$/)),
    resources: object({ lut: whole('lookup tables', 1), lutram: whole('lookup tables'), ff: whole('flip-flops', 1), bram18: whole('memories of 18 Kbit'), dsp: whole('slices') }),
    clock: object({ default: megahertz, most: megahertz }),
    interface: choice(['zynq', 'microblaze']),
    pins: optional(object({ clock: object({ ...pin, frequency: megahertz }), reset: object({ ...pin, active: choice(['low', 'high']) }), transmit: object(pin), receive: object(pin) })),
    host: object({ core: text('the name of a core'), clock: megahertz }),
    memory: object({ size: whole('MiB', 1), bits: whole('bits', 8, 4096) }),
    bus: optional(object({ bits: optional(rule('32 or 64', (v) => v === 32 || v === 64)), read: optional(whole('cycles', 0, 100000)), write: optional(whole('cycles', 0, 100000)) })),
  },
  processor: {
    ...common,
    processor: choice(Object.keys(processors)),
    core: text('the name of a core'),
    cores: optional(whole('cores', 1, 4096)),
    clock: optional(megahertz),
    features: list(wasmFeatures),
  },
};

/**
 * The board that a board file describes. `json` is the parsed file, `at` its name for diagnostics. Raises target/board for a
 * field that is missing, wrong or unknown.
 */
export function parseBoard(json: unknown, at: string): Board {
  if (!isObject(json)) return fail('target/board', at, `expected an object that describes a board, found ${shown(json)}`, 'Write a file like boards/pynq-z2/board.json.');
  if (!Object.hasOwn(json, 'kind')) fail('target/board', at, 'the field "kind" is missing: "fpga" or "processor"', 'Add "kind"; the boards in boards/ have examples.');
  const kind = common.kind.read(json.kind, { at, path: 'kind' }) as Board['kind'];
  const { $schema: _, ...board } = readObject(json, kinds[kind], { at, path: '' });
  const parsed = (board.interface === undefined ? board : { ...board, bus: { ...buses[board.interface as FpgaBoard['interface']], ...(board.bus as Partial<Bus>) } }) as unknown as Board;
  if (parsed.kind === 'fpga') {
    const { clock, resources } = parsed;
    if (parsed.interface === 'microblaze' && !parsed.pins) fail('target/board', at, 'the field "pins" is missing, which the interface "microblaze" needs: where clock, reset and serial line are', 'Add "pins"; boards/arty-a7-100t/board.json has an example.');
    if (clock.default > clock.most) fail('target/board', at, `"clock.default" is ${clock.default} MHz, above "clock.most", ${clock.most} MHz`, 'Correct one of the two.');
    if (resources.lutram > resources.lut) fail('target/board', at, `"resources.lutram" is ${resources.lutram}, above "resources.lut", ${resources.lut}, of which they are a part`, 'Correct one of the two.');
  } else if (parsed.features.includes('relaxed-simd') && !parsed.features.includes('simd')) {
    fail('target/board', at, '"features" has "relaxed-simd" without "simd", which it extends', 'Add "simd".');
  }
  return parsed;
}
