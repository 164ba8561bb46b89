/**
 * Who may import whom: the table of codegen/README.md and the rules of the design, checked on the import lines of source
 * texts. Pure: files by path in, violations in words out. The tree itself is checked in imports.test.ts.
 */
import path from 'node:path';
import ts from 'typescript';

/** Texts by path from the project's root, with forward slashes. */
export type Sources = Readonly<Record<string, string>>;

interface Import {
  readonly from: string;
  /** As written. */
  readonly specifier: string;
  /** The imported file's path where it is one of this project, else undefined. */
  readonly to?: string;
  readonly typeOnly: boolean;
}

// ---- The rules -----------------------------------------------------------------------------------------------------

/** What each folder may import beside itself. A folder that is not here is a violation: a new one needs a rule. */
const allowed: Readonly<Record<string, readonly string[]>> = {
  'codegen/ir': [],
  'codegen/functions': ['codegen/ir'],
  'codegen/targets': ['codegen/ir'],
  'codegen/ops': ['codegen/ir', 'codegen/functions'],
  'codegen/passes': ['codegen/ir', 'codegen/ops', 'codegen/functions'],
  'codegen/import': ['codegen/ir', 'codegen/ops', 'codegen/passes'],
  // The two directions share the ONNX schema and the names of attributes.
  'codegen/export': ['codegen/ir', 'codegen/ops', 'codegen/passes', 'codegen/import'],
  'codegen/schedule': ['codegen/ir', 'codegen/ops', 'codegen/targets'],
  'codegen/emit': ['codegen/ir', 'codegen/targets'],
  'codegen/compile.ts': ['codegen'],
  'sdk/runtime': [],
  'sdk/metrics': [],
  'sdk/data': ['codegen/ir'],
  'sdk/pool': ['sdk/runtime'],
  'sdk/host': ['codegen', 'sdk/pool', 'sdk/runtime'],
  'sdk/tune': ['codegen', 'sdk/host', 'sdk/measure.ts'],
  'sdk/model': ['codegen'],
  'sdk/train': ['codegen', 'sdk'],
  'sdk/noise': ['codegen', 'sdk'],
  'sdk/demo': ['codegen', 'sdk'],
  'sdk/profile': ['codegen', 'sdk/host', 'sdk/runtime', 'sdk/compile.ts', 'sdk/measure.ts', 'sdk/html.ts'],
  'sdk/uncertainty': ['codegen', 'sdk/metrics', 'sdk/runtime', 'sdk/compile.ts', 'sdk/html.ts'],
  'sdk/hls': ['codegen', 'sdk/html.ts'],
  'sdk/html.ts': [],
  'sdk/measure.ts': [],
  'sdk/cli': ['codegen', 'sdk'],
  'sdk/compile.ts': ['codegen', 'sdk/host'],
  'sdk/quantize.ts': ['codegen', 'sdk'],
  'sdk/calibrate.ts': ['codegen', 'sdk'],
  'sdk/index.ts': ['codegen', 'sdk'],
};

const manifestFile = 'sdk/runtime/manifest.ts';
/** The manifest's format belongs to the runtime, which may import nothing; those who write manifests import it from there. */
const manifestWriters = ['codegen/compile.ts', ...['manifest', 'module', 'declaration', 'bundle', 'wasi'].map((name) => `codegen/emit/${name}.ts`)];

/** Where hosts are named. Bytes and texts go everywhere else as arguments, so that it runs in a browser too. */
const hostFolders = ['sdk/host/', 'sdk/cli/', 'sdk/data/'];

/** Packages, and the folders that may import them. All else does without. */
const packages: Readonly<Record<string, readonly string[]>> = {
  '@bufbuild/protobuf': ['codegen/import/', 'codegen/export/'],
  assemblyscript: ['sdk/host/assembler.ts'],
  fflate: ['sdk/data/', 'sdk/cli/'],
};

// ---- Reading import lines ------------------------------------------------------------------------------------------

function importsOf(from: string, text: string): Import[] {
  const found: Import[] = [];
  const add = (specifier: ts.Node | undefined, typeOnly: boolean): void => {
    if (!specifier || !ts.isStringLiteralLike(specifier)) return;
    const { text: written } = specifier;
    const to = written.startsWith('.') ? path.posix.join(path.posix.dirname(from), written).replace(/\.js$/, '.ts') : undefined;
    found.push({ from, specifier: written, to, typeOnly });
  };
  const visit = (node: ts.Node): void => {
    if (ts.isImportDeclaration(node)) add(node.moduleSpecifier, node.importClause?.isTypeOnly ?? false);
    else if (ts.isExportDeclaration(node)) add(node.moduleSpecifier, node.isTypeOnly);
    else if (ts.isImportTypeNode(node) && ts.isLiteralTypeNode(node.argument)) add(node.argument.literal, true);
    else if (ts.isCallExpression(node) && node.expression.kind === ts.SyntaxKind.ImportKeyword) add(node.arguments[0], false);
    ts.forEachChild(node, visit);
  };
  visit(ts.createSourceFile(from, text, ts.ScriptTarget.ES2022));
  return found;
}

/** The entry of `allowed` that a file belongs to. */
function ruleOf(file: string): string | undefined {
  const parts = file.split('/');
  return [file, parts.slice(0, 2).join('/')].find((key) => Object.hasOwn(allowed, key));
}

const within = (file: string, folder: string): boolean => file === folder || file.startsWith(folder.endsWith('/') ? folder : `${folder}/`);

// ---- Checks --------------------------------------------------------------------------------------------------------

/** Every import that breaks a rule, as a sentence that says which rule. Type-only imports count: a type is a dependence. */
export function forbiddenImports(sources: Sources): string[] {
  return Object.entries(sources).flatMap(([file, text]) => {
    const rule = ruleOf(file);
    if (!rule) return [`${file}: this folder has no rule; say in ${'test/rules/imports.ts'} what it may import.`];
    return importsOf(file, text).flatMap((i) => {
      const why = objection(i, rule, sources);
      return why === undefined ? [] : [`${file} imports ${i.specifier}: ${why}`];
    });
  });
}

function objection({ from, specifier, to }: Import, rule: string, sources: Sources): string | undefined {
  if (to !== undefined) {
    if (!Object.hasOwn(sources, to)) return 'there is no such file within codegen and sdk.';
    if (within(to, rule) || allowed[rule].some((folder) => within(to, folder))) return undefined;
    if (to === manifestFile) {
      return manifestWriters.includes(from) ? undefined : `of codegen only those who write manifests may import their format: ${manifestWriters.join(', ')}.`;
    }
    if (within(rule, 'sdk/runtime') || within(rule, 'sdk/metrics')) return `${rule} imports nothing but itself: it is all that an app carries, and must stay small.`;
    return `${rule} may import ${allowed[rule].length === 0 ? 'nothing' : allowed[rule].join(', ')} beside itself. Move what both need to where both may look, or pass it as an argument.`;
  }
  if (specifier.startsWith('node:')) {
    return hostFolders.some((folder) => within(from, folder)) ? undefined : `node: modules may be imported only in ${hostFolders.join(', ')}; elsewhere bytes and texts are arguments, so that it runs in a browser.`;
  }
  const name = specifier.split('/').slice(0, specifier.startsWith('@') ? 2 : 1).join('/');
  const places = Object.hasOwn(packages, name) ? packages[name] : undefined;
  if (!places) return `the package ${name} is not one of those that sigmaflow depends on (${Object.keys(packages).join(', ')}).`;
  return places.some((place) => within(from, place)) ? undefined : `the package ${name} may be imported only in ${places.join(', ')}.`;
}

/** Circles of files that import one another's values; each is told once, from its first file in alphabetical order. */
export function importCycles(sources: Sources): string[] {
  const edges = new Map(Object.entries(sources).map(([file, text]) => [file, importsOf(file, text).filter((i) => !i.typeOnly && i.to !== undefined).map((i) => i.to!)]));
  const state = new Map<string, 'open' | 'done'>();
  const trail: string[] = [];
  const cycles = new Set<string>();
  const visit = (file: string): void => {
    if (state.get(file) === 'done') return;
    if (state.get(file) === 'open') {
      const circle = trail.slice(trail.indexOf(file));
      const start = circle.indexOf([...circle].sort()[0]);
      cycles.add([...circle.slice(start), ...circle.slice(0, start), circle[start]].join(' -> '));
      return;
    }
    state.set(file, 'open');
    trail.push(file);
    for (const to of edges.get(file) ?? []) visit(to);
    trail.pop();
    state.set(file, 'done');
  };
  for (const file of [...edges.keys()].sort()) visit(file);
  return [...cycles].map((cycle) => `${cycle}: files may not import one another in a circle; move what they share to a third file.`);
}
