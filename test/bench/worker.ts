/** A worker in a Node process of its own: messages in, answers out (engines/work.ts). */
import { readFile } from 'node:fs/promises';
import type { Load, Round } from './engines/engine.js';
import { loaders } from './engines/index.js';
import { Work } from './engines/work.js';

const work = new Work(loaders, async (file) => new Uint8Array(await readFile(file)), () => {
  const { user, system } = process.cpuUsage();
  return user + system;
});

process.on('message', async (message: Load | Round) => void process.send!(await work.answer(message)));
