/** Numbers with units on the command line: `100MHz`, `20us`. Nothing here knows a command. */
import { usage, type Arguments } from './command.js';

/** Factors to the base unit, by lower-case name. */
type Units = Readonly<Record<string, number>>;

const frequencies: Units = { hz: 1e-6, khz: 1e-3, mhz: 1, ghz: 1000 };
const times: Units = { ns: 1e-9, us: 1e-6, 'µs': 1e-6, 'μs': 1e-6, ms: 1e-3, s: 1 };

/** An option such as `--clock 100MHz`, in MHz; a number alone counts as MHz. */
export const megahertz = (args: Arguments, name: string): number | undefined => quantity(args, name, frequencies, 'mhz', 'a frequency such as 100MHz');

/** An option such as `--latency 20us`, in seconds. */
export const seconds = (args: Arguments, name: string): number | undefined => quantity(args, name, times, undefined, 'a time such as 20us');

function quantity(args: Arguments, name: string, units: Units, bare: string | undefined, expected: string): number | undefined {
  const text = args.text(name);
  if (text === undefined) return undefined;
  const [, number, unit] = /^(\d+\.?\d*(?:e[+-]?\d+)?|\.\d+)\s*([a-zµμ]*)$/i.exec(text.trim()) ?? [];
  const factor = number === undefined ? undefined : unit === '' ? (bare === undefined ? undefined : units[bare]) : units[unit.toLowerCase()];
  const value = factor === undefined ? NaN : Number(number) * factor;
  if (value > 0 && Number.isFinite(value)) return value;
  return usage(args.command, `--${name}`, `expected ${expected}, found "${text}"`, `Units: ${Object.keys(units).filter((u) => u !== 'μs').map((u) => (bare ? u.replace('hz', 'Hz').replace(/^[mg]/, (c) => c.toUpperCase()) : u)).join(', ')}.`);
}
