/**
 * Lets Node run the TypeScript sources as they are: `node --import ./scripts/typescript.mjs FILE.ts`.
 *
 * Types are stripped by esbuild, file by file; packages are left alone (a loader that looks into the assembler's ten
 * megabytes costs seconds). For checkouts only: the installed package is built (scripts/build.mjs).
 */
import { register } from 'node:module';

register('./typescript-hooks.mjs', import.meta.url);
