/** Files stay short, say what they are, and the AssemblyScript library is documented. */
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import ts from 'typescript';
import { readSources } from './sources.js';

const longest = 450;
/** Generated from onnx.proto by protobuf's compiler. */
const generated = 'codegen/import/onnx_pb.ts';

const none = (violations: readonly string[]): void => assert.is(violations.length, 0, violations.join('\n'));

const tooLong = (text: string): boolean => text.trimEnd().split('\n').length > longest;
const opensWithComment = (text: string): boolean => /^\s*\/[/*]/.test(text);

/** Exported functions without a doc comment. */
function undocumented(text: string): string[] {
  const file = ts.createSourceFile('file.ts', text, ts.ScriptTarget.ES2022, true);
  return file.statements.flatMap((statement) => {
    const exported = ts.isFunctionDeclaration(statement) && statement.modifiers?.some((m) => m.kind === ts.SyntaxKind.ExportKeyword);
    return exported && ts.getJSDocCommentsAndTags(statement).length === 0 ? [statement.name?.text ?? 'default'] : [];
  });
}

test('no file is longer than 450 lines', () => {
  const sources = readSources('codegen', 'sdk', 'assembly', 'test', 'scripts');
  assert.ok(Object.hasOwn(sources, generated) && tooLong(sources[generated]));
  none(Object.entries(sources).filter(([file, text]) => file !== generated && tooLong(text)).map(([file, text]) => `${file} has ${text.split('\n').length} lines, more than ${longest}: split it by what its parts are for.`));
});

test('every file opens with what it is and is not', () => {
  assert.not.ok(opensWithComment("import x from './x.js';\n// late"));
  none(Object.entries(readSources('codegen', 'sdk', 'assembly', 'scripts')).filter(([, text]) => !opensWithComment(text)).map(([file]) => `${file} opens without a comment that says what it is and what it is not.`));
});

test('every exported function of the AssemblyScript library is documented', () => {
  assert.equal(undocumented('/** Says. */\nexport function a(): void {}\n@inline\nexport function b(): void {}\nfunction c(): void {}\n/** Says. */\n@inline\nexport function d(): void {}'), ['b']);
  const sources = readSources('assembly');
  assert.ok(Object.keys(sources).length > 0);
  none(Object.entries(sources).flatMap(([file, text]) => undocumented(text).map((name) => `${file}: ${name} has no doc comment.`)));
});

test.run();
