/** Boards as commands take them: a name of the package's folder boards, or a board file of one's own. */
import fs from 'node:fs';
import path from 'node:path';
import { fail, suggest } from '../../codegen/ir/diagnostic.js';
import { parseBoard, type Board } from '../../codegen/targets/board.js';
import { readBytes } from './files.js';

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
