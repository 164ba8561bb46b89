/**
 * Constant vectors of straight-line text, each written once: every occurrence takes 18 bytes of the binary, a variable's use 2.
 * Engines keep equal constants in one register either way. Text only, once a body is complete.
 */
const constantVector = /\b[if]\d+x\d+\.splat\((?:<f32>)?(?:-?\d[\d.e+-]*|\(-\d[\d.e+-]*\))\)/g;

const isDeclaration = /^const \w+: v128 = [if]\d+x\d+\.splat\([^()]*(?:\([^()]*\))?\);$/;

/** The lines with a variable for each constant vector that occurs more than once; lines of inner blocks, which are indented, stay. */
export function shareConstants(lines: readonly string[], names: { fresh(prefix: string): string }): readonly string[] {
  // A value that is such a constant itself stays one: the assembler folds what is computed from it.
  const own = (line: string): boolean => !line.startsWith(' ') && !isDeclaration.test(line);
  const counts = new Map<string, number>();
  for (const line of lines) if (own(line)) for (const [text] of line.matchAll(constantVector)) counts.set(text, (counts.get(text) ?? 0) + 1);
  const variables = new Map<string, string>();
  return lines.flatMap((line) => {
    if (!own(line)) return [line];
    const declarations: string[] = [];
    const shared = line.replace(constantVector, (text) => {
      if (counts.get(text)! < 2) return text;
      let name = variables.get(text);
      if (!name) {
        name = names.fresh('constant');
        variables.set(text, name);
        declarations.push(`const ${name}: v128 = ${text};`);
      }
      return name;
    });
    return [...declarations, shared];
  });
}
