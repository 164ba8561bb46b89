/** The bytes of code behind each exported function of a module without imports. Format: WebAssembly core specification, chapter 5. */
import { readSections } from '../../codegen/emit/module.js';

export interface FunctionCode {
  /** In the module: two names of one function have one index. */
  readonly index: number;
  /** Of the body: locals and instructions. */
  readonly bytes: number;
}

/** The code of each exported function by the name under which it is exported. */
export function functionCode(wasm: Uint8Array): Map<string, FunctionCode> {
  const sections = readSections(wasm);
  const reader = (name: string): Reader | undefined => {
    const section = sections.find((s) => s.name === name);
    return section && new Reader(wasm, section.start);
  };
  const code = reader('code');
  const bodies: number[] = [];
  for (let left = code?.unsigned() ?? 0; left > 0; left--) {
    const size = code!.unsigned();
    bodies.push(size);
    code!.at += size;
  }
  const found = new Map<string, FunctionCode>();
  const exports = reader('export');
  for (let left = exports?.unsigned() ?? 0; left > 0; left--) {
    const name = exports!.text();
    const kind = exports!.byte();
    const index = exports!.unsigned();
    if (kind === 0) found.set(name, { index, bytes: bodies[index] });
  }
  return found;
}

class Reader {
  constructor(private readonly bytes: Uint8Array, public at: number) {}
  byte(): number {
    return this.bytes[this.at++];
  }
  unsigned(): number {
    let value = 0;
    for (let shift = 1; ; shift *= 128) {
      const b = this.byte();
      value += (b & 127) * shift;
      if (!(b >= 128)) return value;
    }
  }
  text(): string {
    const length = this.unsigned();
    this.at += length;
    return new TextDecoder().decode(this.bytes.subarray(this.at - length, this.at));
  }
}
