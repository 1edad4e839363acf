// Headless Chromium, and a server that gives pages to it as the app gives them to its window.
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import http from 'node:http';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { chromium } from 'playwright-core';

const executablePath = process.env.CHROMIUM ?? '/usr/bin/chromium';

/** Why there is no browser; false if there is one. */
export const skip = !existsSync(executablePath)
  && `there is no ${executablePath}: apt-get install chromium, or set CHROMIUM to a Chromium or Chrome`;

export const dist = fileURLToPath(new URL('../dist', import.meta.url));

export function launch() {
  return chromium.launch({
    executablePath,
    args: ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking',
      '--disable-component-update', '--disable-sync'],
  });
}

const types = { '.html': 'text/html; charset=utf-8', '.js': 'text/javascript; charset=utf-8', '.css': 'text/css; charset=utf-8' };

/** Serves files by path, with a Content-Security-Policy if there is one; resolves with the server, which has an origin. */
export async function serve(files, policy) {
  const server = http.createServer(async (request, response) => {
    const name = files[request.url];
    if (name === undefined) {
      response.writeHead(404).end();
      return;
    }
    if (policy) response.setHeader('Content-Security-Policy', policy());
    response.setHeader('Content-Type', types[path.extname(name)]).end(await readFile(name));
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  server.origin = `http://localhost:${server.address().port}`;
  return server;
}
