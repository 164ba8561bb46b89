/**
 * Files as the commands read and write them: every failure is a diagnostic, and an output file is there whole or not at
 * all. Not here: what the bytes mean.
 */
import fs from 'node:fs';
import path from 'node:path';
import { fail, suggest } from '../../codegen/ir/diagnostic.js';

/** No model, module or array file is read beyond this. */
const byteLimit = 2 ** 31 - 1;

const reasons: Readonly<Record<string, string>> = {
  ENOENT: 'there is no such file',
  ENOTDIR: 'a part of the path is a file, not a folder',
  EISDIR: 'it is a folder',
  EACCES: 'the permission is lacking',
  EPERM: 'the permission is lacking',
  EROFS: 'the file system is read-only',
  ENOSPC: 'the disk is full',
  ENAMETOOLONG: 'the name is too long',
  EEXIST: 'a part of the path is a file, not a folder',
};

const reason = (error: unknown): string => {
  const { code, message } = error as NodeJS.ErrnoException;
  return (code && reasons[code]) ?? message;
};

/** All bytes of a file. Raises file/unreadable; names the nearest file of the folder for a typo. */
export function readBytes(file: string): Uint8Array {
  try {
    const stat = fs.statSync(file);
    if (stat.isDirectory()) return fail('file/unreadable', file, 'expected a file, found a folder', 'Name a file in it.');
    if (!stat.isFile() && !stat.isFIFO()) return fail('file/unreadable', file, 'expected a file, found a device');
    if (stat.size > byteLimit) return fail('file/unreadable', file, `the file has ${stat.size} bytes; at most ${byteLimit} are read`);
    const { buffer, byteOffset, byteLength } = fs.readFileSync(file);
    return new Uint8Array(buffer, byteOffset, byteLength); // not a Buffer, whose slice() does not copy
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code;
    if (code === undefined) throw error;
    return fail('file/unreadable', file, reason(error), code === 'ENOENT' ? nearestFile(file) : 'Check the path and its permissions.');
  }
}

function nearestFile(file: string): string {
  const folder = path.dirname(file);
  let names: string[];
  try {
    names = fs.readdirSync(folder);
  } catch {
    return `The folder ${folder} is not there either. Check the path.`;
  }
  const text = suggest(path.basename(file), names, 'file');
  return text.startsWith('Did you mean') ? text : 'Check the path.';
}

/** What an output file will hold. */
export interface Output {
  readonly file: string;
  readonly bytes: Uint8Array | string;
}

/**
 * Writes all files, or none: each goes to a temporary name beside its place and is renamed when all are written. Makes
 * missing folders. Raises file/unwritable.
 */
export function writeAll(outputs: readonly Output[], option = '-o or --output'): void {
  const temporary: string[] = [];
  const made: string[] = [];
  let file = '';
  try {
    for (const output of outputs) {
      file = output.file;
      const first = fs.mkdirSync(path.dirname(path.resolve(file)), { recursive: true });
      if (first !== undefined) made.push(first);
      if (isFolder(file)) fail('file/unwritable', file, 'expected the name of a file, found a folder', 'Name a file in it.');
      const name = path.join(path.dirname(file), `.${path.basename(file)}.${process.pid}.part`);
      temporary.push(name);
      fs.writeFileSync(name, output.bytes);
    }
    outputs.forEach((output, i) => {
      file = output.file;
      fs.renameSync(temporary[i], file);
    });
  } catch (error) {
    for (const name of temporary) fs.rmSync(name, { force: true });
    for (const folder of made.reverse()) removeEmpty(folder);
    if ((error as NodeJS.ErrnoException).code === undefined) throw error;
    fail('file/unwritable', file, reason(error), `Choose another place with ${option}.`);
  }
}

/** Raises file/unwritable where a file for output cannot be: before the work is done, not after it. */
export function checkFile(file: string, option?: string): void {
  checkFolder(path.dirname(path.resolve(file)), option);
  if (isFolder(file)) fail('file/unwritable', file, 'expected the name of a file, found a folder', 'Name a file in it.');
}

/** Raises file/unwritable where a folder for outputs cannot be: before the work is done, not after it. */
export function checkFolder(folder: string, option = '-o or --output'): void {
  const advice = `Choose another place with ${option}.`;
  let place = path.resolve(folder);
  while (!fs.existsSync(place) && path.dirname(place) !== place) place = path.dirname(place);
  if (!isFolder(place)) fail('file/unwritable', folder, `expected a folder, found that ${path.relative('', place) || place} is a file`, advice);
  try {
    fs.accessSync(place, fs.constants.W_OK);
  } catch (error) {
    fail('file/unwritable', folder, reason(error), advice);
  }
}

/**
 * Raises file/unwritable where a folder of files cannot be written whole: a file is there, or others' files are. With `force` it may
 * hold what was written before, which is known by the files named in `signs`.
 */
export function checkProjectFolder(folder: string, signs: readonly string[], force: boolean): void {
  checkFolder(folder);
  const names = isFolder(folder) ? fs.readdirSync(folder) : [];
  if (names.length === 0) return;
  const isOwn = signs.every((name) => names.includes(name));
  if (!isOwn) fail('file/unwritable', folder, `expected an empty folder, found ${names.length} other ${names.length === 1 ? 'entry' : 'entries'} in it (${names[0]})`, 'Choose another place with -o or --output.');
  if (!force) fail('file/unwritable', folder, 'there is a project in this folder already', 'Replace it with --force, or choose another place with -o or --output.');
}

/**
 * Writes files by path into a folder, all or none: they go to a temporary folder beside it, which takes its place at the end. Of a
 * folder that is there already only the entries of the same names are replaced. Raises file/unwritable.
 */
export function writeFolder(folder: string, files: Readonly<Record<string, Uint8Array | string>>): void {
  const place = path.resolve(folder);
  const temporary = path.join(path.dirname(place), `.${path.basename(place)}.${process.pid}.part`);
  let made: string | undefined;
  try {
    made = fs.mkdirSync(path.dirname(place), { recursive: true });
    for (const [name, bytes] of Object.entries(files)) {
      const file = path.join(temporary, ...name.split('/'));
      fs.mkdirSync(path.dirname(file), { recursive: true });
      fs.writeFileSync(file, bytes);
    }
    if (!fs.existsSync(place)) {
      fs.renameSync(temporary, place);
      return;
    }
    for (const name of fs.readdirSync(temporary)) {
      fs.rmSync(path.join(place, name), { recursive: true, force: true });
      fs.renameSync(path.join(temporary, name), path.join(place, name));
    }
    fs.rmdirSync(temporary);
  } catch (error) {
    fs.rmSync(temporary, { recursive: true, force: true });
    if (made !== undefined) removeEmpty(made);
    if ((error as NodeJS.ErrnoException).code === undefined) throw error;
    fail('file/unwritable', folder, reason(error), 'Choose another place with -o or --output.');
  }
}

const isFolder = (place: string): boolean => fs.statSync(place, { throwIfNoEntry: false })?.isDirectory() ?? false;

function removeEmpty(folder: string): void {
  try {
    for (const name of fs.readdirSync(folder)) removeEmpty(path.join(folder, name));
    fs.rmdirSync(folder);
  } catch {
    // It holds something by now: it stays.
  }
}

/** Reads external data of a model: only files inside the model's folder, links followed. Raises onnx/external-data. */
export function externalReader(modelFile: string): (location: string) => Uint8Array {
  const folder = path.dirname(path.resolve(modelFile));
  return (location) => {
    const refuse = (message: string): never =>
      fail('onnx/external-data', location, message, `Put the file into the model's folder, ${path.dirname(modelFile)}, or save the model with its data inside.`);
    const inside = (place: string, base: string): boolean => place.startsWith(base.endsWith(path.sep) ? base : base + path.sep);
    const file = path.resolve(folder, location);
    if (path.isAbsolute(location) || location.includes('\0') || !inside(file, folder)) return refuse("the external data lies outside the model's folder");
    if (!fs.existsSync(file)) return refuse('the file with the external data is not there');
    if (!inside(fs.realpathSync(file), fs.realpathSync(folder))) return refuse("the external data lies outside the model's folder");
    return readBytes(file);
  };
}
