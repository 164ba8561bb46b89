/**
 * What Vitis HLS accepts, looked for in the text of a circuit: static sizes and bounds, no recursion, no dynamic memory, no state,
 * each process called once, each stream written by one process and read by another that comes later. It knows the form that our own
 * emitter prints, and is no parser of C++. Not a test itself.
 */
import type { HlsText } from '../../codegen/emit/hls/design.js';

/** Vitis HLS partitions an array into no more (UG1399). */
const mostBanks = 4096;
const forbidden = /\b(new|delete|malloc|calloc|realloc|alloca|free|virtual|vector|std|goto|while|do|throw|try|typeid|dynamic_cast|volatile|asm|thread_local)\b/;

interface Function {
  readonly name: string;
  readonly parameters: readonly { readonly name: string; readonly isStream: boolean }[];
  readonly body: readonly string[];
}

const withoutComments = (text: string): string[] => text.split('\n').map((line) => line.replace(/\/\/.*$/, '').trimEnd()).filter((line) => line !== '');

/** Splits at commas outside of brackets. */
function split(list: string): string[] {
  const parts: string[] = [];
  let depth = 0;
  let from = 0;
  for (let i = 0; i <= list.length; i++) {
    if ('<([{'.includes(list[i] ?? ' ')) depth++;
    else if ('>)]}'.includes(list[i] ?? ' ')) depth--;
    else if ((i === list.length || list[i] === ',') && depth === 0) {
      parts.push(list.slice(from, i).trim());
      from = i + 1;
    }
  }
  return parts.filter((p) => p !== '');
}

/** Functions of a text whose bodies end with a brace at the line's beginning; other lines are told. */
function functionsOf(text: string, faults: string[]): Function[] {
  const functions: Function[] = [];
  let open: { name: string; parameters: Function['parameters']; body: string[] } | undefined;
  for (const line of withoutComments(text)) {
    const head = /^(?:static )?void (\w+)\((.*)\) \{$/.exec(line);
    if (!open && head) {
      const parameters = split(head[2]).map((p) => ({ name: /(\w+)$/.exec(p)![1], isStream: p.startsWith('hls::stream<') }));
      open = { name: head[1], parameters, body: [] };
    } else if (open && line === '}') {
      functions.push(open);
      open = undefined;
    } else if (open) open.body.push(line);
    else faults.push(`outside of functions: ${line}`);
  }
  if (open) faults.push(`${open.name} has no end`);
  return functions;
}

const mentions = (body: readonly string[], word: string): number => body.reduce((n, line) => n + [...line.matchAll(new RegExp(`\\b${word}\\b`, 'g'))].length, 0);

function lintLines({ name, body }: Function, sizes: ReadonlyMap<string, number>): string[] {
  const own = new Map(sizes);
  return body.flatMap((line, i): string[] => {
    const faults: string[] = [];
    const fault = (what: string): void => void faults.push(`${name}: ${what}: ${line.trim()}`);
    const word = forbidden.exec(line);
    if (word && !line.startsWith('#')) fault(`"${word[1]}"`);
    if (/^\s*static\b/.test(line)) fault('state');
    const array = /^\s+[A-Za-z_][\w:<>, ]* (\w+)\[([^\]]*)\];$/.exec(line);
    if (array && !/^\d+$/.test(array[2])) fault('an array whose size is no constant');
    if (array) own.set(array[1], Number(array[2]));
    if (/\bfor \(/.test(line)) {
      const isConstant = /^\s*for \(int (\w+) = -?\d+; \1 < -?\d+; \+\+\1\) \{$/.test(line);
      if (!isConstant && !/^#pragma HLS LOOP_TRIPCOUNT max=\d+$/.test(body[i + 1] ?? '')) fault('a loop without constant bounds or LOOP_TRIPCOUNT');
    }
    const banks = /^#pragma HLS ARRAY_(?:PARTITION|RESHAPE) variable=(\w+) (?:complete|(?:cyclic|block) factor=(\d+) dim=1)$/.exec(line);
    if (line.startsWith('#pragma HLS ARRAY_') && !banks) fault('a pragma of another form');
    if (banks && !own.has(banks[1])) fault('banks of an array that is not there');
    if (banks && (banks[2] === undefined ? (own.get(banks[1]) ?? 0) : Number(banks[2])) > mostBanks) fault(`more than ${mostBanks} banks`);
    return faults;
  });
}

/** What is wrong with a circuit's text, a sentence each. */
export function lint(design: HlsText): string[] {
  const faults: string[] = [];
  const sizes = new Map<string, number>();
  const values = /^[-\w.+:() ]+(, [-\w.+:() ]+)*,$/;
  for (const line of withoutComments(design.weights)) {
    const array = /^static const [\w:<>, ]+ (\w+)\[(\d+)\] = \{$/.exec(line);
    if (array) sizes.set(array[1], Number(array[2]));
    else if (line !== '};' && !values.test(line.trim())) faults.push(`weights: not a constant: ${line.trim().slice(0, 60)}`);
  }
  const processes = functionsOf(design.processes, faults);
  const [top, ...others] = functionsOf(design.top, faults);
  if (!top || others.length > 0) return [...faults, 'there is not one top function'];
  for (const f of [...processes, top]) faults.push(...lintLines(f, sizes));
  for (const f of processes) {
    for (const g of [...processes, top]) if (mentions(f.body, g.name) > 0) faults.push(`${f.name} calls ${g.name}`);
    for (const p of f.parameters.filter((x) => x.isStream)) {
      const [reads, writes] = [mentions(f.body, `${p.name}\\.read`), mentions(f.body, `${p.name}\\.write`)];
      if (reads + writes !== mentions(f.body, p.name)) faults.push(`${f.name}: ${p.name} is not only read or written`);
      if ((reads > 0) === (writes > 0)) faults.push(`${f.name}: ${p.name} is ${reads > 0 ? 'read and written' : 'neither read nor written'}`);
    }
  }
  return [...faults, ...lintTop(top, processes)];
}

function lintTop(top: Function, processes: readonly Function[]): string[] {
  const faults: string[] = [];
  const streams = new Map<string, { writers: number[]; readers: number[] }>();
  const called = new Map<string, number>();
  top.body.forEach((line, i) => {
    if (line.startsWith('#') || /^ {2}\(void\)\w+;$/.test(line)) return;
    const stream = /^ {2}hls::stream<.*> (\w+)\("\1"\);$/.exec(line);
    const call = /^ {2}(\w+)\((.*)\);$/.exec(line);
    const process = call && processes.find((p) => p.name === call[1]);
    if (stream) {
      streams.set(stream[1], { writers: [], readers: [] });
      if (!new RegExp(`^#pragma HLS STREAM variable=${stream[1]} depth=[1-9]\\d*$`).test(top.body[i + 1] ?? '')) faults.push(`${stream[1]} has no depth`);
    } else if (process) {
      called.set(process.name, (called.get(process.name) ?? 0) + 1);
      split(call[2]).forEach((argument, k) => {
        const parameter = process.parameters[k];
        const ends = streams.get(argument);
        if (parameter?.isStream !== (ends !== undefined)) faults.push(`${process.name}: the argument ${argument} is of another kind than its parameter`);
        else ends?.[mentions(process.body, `${parameter.name}\\.write`) > 0 ? 'writers' : 'readers'].push(i);
      });
    } else faults.push(`the top function does more than call processes: ${line.trim()}`);
  });
  for (const { name } of processes) if (called.get(name) !== 1) faults.push(`${name} is called ${called.get(name) ?? 0} times`);
  for (const [name, { writers, readers }] of streams) {
    if (writers.length !== 1 || readers.length !== 1) faults.push(`${name} has ${writers.length} writers and ${readers.length} readers`);
    else if (writers[0] >= readers[0]) faults.push(`${name} is read before it is written`);
  }
  return faults;
}
