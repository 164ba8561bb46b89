/**
 * Lets Node run this checkout's TypeScript: `node --import ./scripts/typescript.mjs FILE.ts`.
 *
 * Only the project's own .ts files are touched (types stripped by esbuild, one file at a time; `./x.js` finds x.ts), so that
 * packages load at full speed: tsx also rewrites the 13 MB of binaryen, which takes seconds a process.
 */
import { register } from 'node:module';

if (!globalThis.sigmaflowTypeScript) {
  globalThis.sigmaflowTypeScript = true;
  register('./typescriptHooks.mjs', import.meta.url);
  process.setSourceMapsEnabled(true);
}
