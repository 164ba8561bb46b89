/**
 * Writes docs/operators.md, the table of supported operators, from the operator records. Run it after a record changed:
 *
 *   node --import ./scripts/typescript.mjs scripts/support-table.ts
 *
 * Nothing of the table is written by hand; a test compares the file with what this makes.
 */
import { writeFileSync } from 'node:fs';
import { pathToFileURL } from 'node:url';
import { isConstantAttribute, type Attribute } from '../codegen/ir/graph.js';
import { operators } from '../codegen/ops/index.js';
import type { AttributeSchema, OperatorRecord } from '../codegen/ops/record.js';

export const supportTableFile = new URL('../docs/operators.md', import.meta.url);

/** The whole text of docs/operators.md. */
export function supportTable(): string {
  const records = Object.values(operators).sort((a, b) => (a.name < b.name ? -1 : 1));
  return `# Operators

Made from the operator records by \`scripts/support-table.ts\`; do not edit. ${records.length} operators. A model with any other
operator, attribute or form is refused by name.

- **Types**: what the first input may be; the tests run each on every engine.
- **Made by**: a kernel of its own, other operators, or known at compile time (no kernel).
- **Moments**: mean and variance of the output in the probabilistic forward pass: exact (for independent inputs),
  matched, or approximate.

| operator | what it computes | types | made by | gradient | moments |
|---|---|---|---|---|---|
${records.map(row).join('\n')}

## Inputs and attributes

${records.map(details).join('\n\n')}
`;
}

const escaped = (text: string): string => text.replaceAll('|', '\\|').replaceAll('*', '\\*').replaceAll('<', '\\<');

function row(r: OperatorRecord): string {
  const by = r.lower ? 'kernel' : r.expand ? 'other operators' : 'compile time';
  return `| ${r.name} | ${escaped(r.doc)} | ${types(r)} | ${by} | ${r.gradient ? 'yes' : '-'} | ${r.moments?.label ?? '-'} |`;
}

/** The kinds of element that the first input has in the samples; for integers the widest that is allowed. */
function types(r: OperatorRecord): string {
  const given = r.samples.flatMap((s) => (s.inputs[0] ? [s.inputs[0].dtype ?? 'float32'] : []));
  const kinds = [given.includes('float32') ? ['float32'] : [], given.some((t) => t !== 'float32') ? [`integers to ${r.integer?.maxBits ?? 32} bits`] : []].flat();
  return kinds.join(', ') || '-';
}

function details(r: OperatorRecord): string {
  const inputs = r.inputs.map((i) => `${i.name}${i.variadic ? ' ...' : ''}${i.optional ? ' (optional)' : ''}`).join(', ') || 'none';
  const lines = [`**${r.name}**: inputs ${inputs}; outputs ${r.outputs.join(', ')}.`];
  const attributes = Object.entries(r.attributes).map(([name, schema]) => `- \`${name}\` (${schema.type}${standing(schema)}): ${escaped(schema.doc)}`);
  return attributes.length === 0 ? lines[0] : [...lines, '', ...attributes].join('\n');
}

function standing(schema: AttributeSchema): string {
  if (schema.required) return ', required';
  if (schema.default === undefined) return ', optional';
  return `, default ${show(schema.default)}`;
}

function show(value: Attribute): string {
  return isConstantAttribute(value) ? 'a tensor' : typeof value === 'string' ? `"${value}"` : Array.isArray(value) ? `[${value.join(', ')}]` : String(value);
}

if (process.argv[1] && import.meta.url === pathToFileURL(process.argv[1]).href) writeFileSync(supportTableFile, supportTable());
