import fs from 'node:fs';
import { plan } from '../../sdk/cli/engines.js';
import { DiagnosticError } from '../../codegen/ir/diagnostic.js';
const bytes = new Uint8Array(fs.readFileSync(process.argv[2]));
let seed = Number(process.argv[3] ?? 1);
const rnd = () => { seed = (seed * 1664525 + 1013904223) >>> 0; return seed / 2 ** 32; };
const kinds: Record<string, number> = {};
const end = Date.now() + 150000;
let n = 0;
// structure bytes: everything that is not inside raw tensors; find ascii-ish regions
while (Date.now() < end) {
  const b = bytes.slice();
  const m = 1 + Math.floor(rnd() * 4);
  const textual: number[] = [];
  for (let k = 0; k < m; k++) {
    let at = 0;
    for (let t = 0; t < 200; t++) { at = Math.floor(rnd() * b.length); let printable = 0; for (let j = at - 8; j < at + 8; j++) if (b[j] >= 32 && b[j] < 127) printable++; if (printable >= 6) break; }
    b[at] = Math.floor(rnd() * 256);
  }
  const t = Date.now();
  let kind = 'ok';
  try { plan({ file: 'f.onnx', name: 'f', bytes: b, readExternal: () => { throw new Error('ext'); } }, { target: 'simd128' }); }
  catch (e) { kind = e instanceof DiagnosticError ? e.diagnostic.code : 'FAULT ' + (e as Error).stack!.split('\n').slice(0, 4).join(' | '); if (kind === 'program/invalid') kind += ' ' + (e as Error).message; }
  const d = Date.now() - t;
  if (d > 8000) console.log('slow', d, kind);
  kinds[kind] = (kinds[kind] ?? 0) + 1; n++;
}
console.log(n, kinds);
