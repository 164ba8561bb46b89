/** Boards as commands take them: a name of the package's folder boards, or a board file of one's own; what modules are made for. */
import fs from 'node:fs';
import path from 'node:path';
import { fail, suggest } from '../../codegen/ir/diagnostic.js';
import { parseBoard, targetOfBoard, wasmFeatures, type Board } from '../../codegen/targets/board.js';
import { targets } from '../../codegen/targets/target.js';
import { usage, type Arguments, type Option } from './command.js';
import { readBytes } from './files.js';
import { processorOf, targetOf, type WasmTarget } from './models.js';

/** Names of the boards that the package brings; `root` is the package's folder. */
export function boardNames(root: string): string[] {
  const folder = path.join(root, 'boards');
  return fs.readdirSync(folder).filter((name) => fs.existsSync(path.join(folder, name, 'board.json'))).sort();
}

/**
 * The board of a name, or of a JSON file: whatever has a slash or ends in `.json` is a file. Raises target/board, and
 * file/unreadable for a file that cannot be read.
 */
export function readBoard(nameOrFile: string, root: string): Board {
  const isFile = /[\\/]|\.json$/i.test(nameOrFile);
  const names = boardNames(root);
  if (!isFile && !names.includes(nameOrFile)) fail('target/board', nameOrFile, 'there is no such board', suggest(nameOrFile, names, 'board'), 'A board of your own: give its file, BOARD.json.');
  const file = isFile ? nameOrFile : path.join(root, 'boards', nameOrFile, 'board.json');
  const text = new TextDecoder().decode(readBytes(file));
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch (error) {
    return fail('target/board', file, `expected JSON, found text that is not: ${(error as Error).message}`, 'Correct it; boards/pynq-z2/board.json is an example.');
  }
  return parseBoard(json, file);
}

export const boardOption: Option = { name: 'board', value: 'NAME', doc: 'what the module is for: raspberry-pi-3, -4, -5, browser, or a board file; chooses target and processor' };

/** What a module is made for, by the options --board, --target and --processor. */
export interface Machine {
  readonly target: WasmTarget;
  readonly processor?: 'x86-64' | 'arm64';
  /** What another command takes for the same machine. */
  readonly options: string;
  /** For people, where a board was named. */
  readonly title?: string;
}

/** Raises target/unsupported for the board of an FPGA and for a target that the board has no instructions for. */
export function machineOf(args: Arguments, root: string): Machine {
  const name = args.text('board');
  if (name === undefined) return { target: targetOf(args), processor: processorOf(args), options: `--target ${targetOf(args)}` };
  if (args.flag('processor')) usage(args.command, '--processor', 'the board says its processor', 'Leave --processor away, or --board.');
  const board = readBoard(name, root);
  if (board.kind === 'fpga') fail('target/unsupported', name, `${board.title} is an FPGA, on which no WebAssembly runs`, `For a circuit: npx sigmaflow hls MODEL.onnx --board ${name} -o DIR`);
  const target = args.flag('target') ? targetOf(args) : targetOfBoard(board);
  const lacking = wasmFeatures.find((feature) => targets[target].features.includes(feature) && !board.features.includes(feature));
  if (lacking) fail('target/unsupported', name, `the target ${target} needs ${lacking}, and ${board.title} has ${board.features.join(', ') || 'no such features'}`, `Leave --target away: the board's is ${targetOfBoard(board)}.`);
  return { target, processor: board.processor as Machine['processor'], options: `--board ${name}${args.flag('target') ? ` --target ${target}` : ''}`, title: board.title };
}
