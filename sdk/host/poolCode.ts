/**
 * The workers' code. In a checkout a file; the build replaces this file by one that holds the text, so that a pool needs no
 * file beside it, whatever a bundler makes of the package (scripts/build.mjs).
 */

/** The text of a script, or where a module is. */
export interface WorkerCode {
  readonly text?: string;
  readonly url?: URL;
}

export const nodeCode: WorkerCode = { url: new URL('./poolWorker.node.ts', import.meta.url) };
export const browserCode: WorkerCode = { url: new URL('./poolWorker.browser.ts', import.meta.url) };
