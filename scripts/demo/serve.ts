/** Serves the files of one folder on this machine, as any static host would. */
import { readFileSync, readdirSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { extname, join } from 'node:path';

const types: Readonly<Record<string, string>> = {
  '.html': 'text/html; charset=utf-8', '.js': 'text/javascript', '.css': 'text/css', '.json': 'application/json', '.gz': 'application/gzip',
};

/** The address; with port 0, or one that is taken, any free port. `close` ends it. */
export function serveFolder(folder: string, port: number): Promise<{ readonly address: string; readonly close: () => void }> {
  const names = new Set(readdirSync(folder));
  const server = createServer(({ url }, response) => {
    const name = /^\/([^?]*)/.exec(url ?? '')?.[1] || 'index.html';
    // names of the folder's own files only: no path leads out of it
    if (!names.has(name)) return void response.writeHead(404, { 'Content-Type': 'text/plain' }).end('there is no such file');
    response.writeHead(200, { 'Content-Type': types[extname(name)] ?? 'application/octet-stream', 'Cache-Control': 'no-cache' }).end(readFileSync(join(folder, name)));
  });
  return new Promise((done, failed) => {
    server.once('error', (error: NodeJS.ErrnoException) => (error.code === 'EADDRINUSE' && port !== 0 ? done(serveFolder(folder, 0)) : failed(error)));
    server.listen(port, '127.0.0.1', () => done({
      address: `http://127.0.0.1:${(server.address() as AddressInfo).port}/`,
      close: () => {
        server.close();
        server.closeAllConnections();
      },
    }));
  });
}
