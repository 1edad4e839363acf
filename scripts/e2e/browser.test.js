// Headless Chromium: its own WebSocket stack, and pages of other origins.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { readFile, writeFile } from 'node:fs/promises';
import http from 'node:http';
import path from 'node:path';
import { after, before, describe, test } from 'node:test';
import { pathToFileURL } from 'node:url';
import WebSocket from 'ws';
import { launch, skip } from './chromium.js';
import { Client, withoutTime } from './client.js';
import { Gateway, until } from './gateway.js';
import { Resuming } from './resuming.js';

const html = '<!doctype html><title>page</title>';

// What runs in the page: one WebSocket, and what happened to it so far.
const connect = (url) => {
  const ws = new WebSocket(url);
  window.ws = ws;
  window.inbox = [];
  window.end = new Promise((resolve) => { ws.onclose = (e) => resolve({ code: e.code, reason: e.reason }); });
  ws.onmessage = (e) => window.inbox.push(JSON.parse(e.data));
  return Promise.race([
    new Promise((resolve) => { ws.onopen = () => resolve({ extensions: ws.extensions }); }),
    window.end,
  ]);
};

describe('a page in Chromium', { skip }, () => {
  let browser;
  let server; // serves the page, on an origin that is not the gateway's
  let origin;

  before(async () => {
    const script = await readFile(new URL('resuming.js', import.meta.url));
    server = http.createServer((req, res) => {
      const isScript = req.url === '/resuming.js';
      res.setHeader('Content-Type', isScript ? 'text/javascript' : 'text/html').end(isScript ? script : html);
    }).listen(0, '127.0.0.1');
    await once(server, 'listening');
    origin = `http://localhost:${server.address().port}`;
    browser = await launch('--allow-file-access-from-files'); // files are an origin of their own then, as in Electron
  });

  after(async () => {
    await browser?.close();
    server?.close();
  });

  /** Opens a page that can send, and take the frames that came. */
  async function open(t, url) {
    const page = await browser.newPage();
    t.after(() => page.close());
    await page.goto(url);
    page.send = (frame) => page.evaluate((text) => window.ws.send(text), JSON.stringify(frame));
    page.next = async () => {
      await page.waitForFunction(() => window.inbox.length > 0);
      return page.evaluate(() => window.inbox.shift());
    };
    return page;
  }

  test('of a listed origin sends, receives, survives a save and sees why it is replaced', async (t) => {
    const gateway = await Gateway.start(t, { flags: ['--origins', origin] });
    const page = await open(t, origin);
    const { extensions } = await page.evaluate(connect, gateway.url('client-web'));
    assert.match(extensions, /permessage-deflate/);

    await page.send({ type: 0, messageId: 'm1', data: 'Hello 𝄞' });
    assert.deepEqual(withoutTime(await page.next()), { type: 0, seq: 1, from: 'client-web', messageId: 'm1', data: 'Hello 𝄞' });
    assert.deepEqual(await page.next(), { type: 1, messageId: 'm1', stored: 'disk', status: 'delivered' });
    await page.send({ type: 4 });
    assert.deepEqual(await page.next(), { type: 5 });

    const large = 'all work and no play '.repeat(1500);
    await page.send({ type: 0, data: large });
    assert.equal((await page.next()).data, large);
    const bytes = await gateway.metric('stratix_message_bytes_total{direction="out"}');
    assert.ok(await gateway.metric('stratix_wire_bytes_total{direction="out"}') < bytes / 10, 'the large one was compressed');

    const desk = await Client.open(gateway, 'desk-1');
    assert.equal((await gateway.save('routes.json', '{ "client-": { "client": "desk-1" } }')).msg, 'scripts are live');
    await page.send({ type: 0, data: 'the new way' });
    assert.equal((await desk.next()).data, 'the new way');
    await desk.ask({ type: 0, messageId: 'm2', to: 'client-web', data: 'and back' });
    assert.equal((await page.next()).data, 'and back');

    await Client.open(gateway, 'client-web');
    assert.deepEqual(await page.evaluate(() => window.end),
      { code: 4001, reason: 'replaced by a newer connection with this clientId' });
  });

  test('that speaks stratix.v1 resumes after kill -9: nothing is lost, nothing comes twice', async (t) => {
    const gateway = await Gateway.start(t, { flags: ['--origins', origin, '--drain-timeout', '1s'] });
    const page = await open(t, origin);
    await page.evaluate(async (url) => {
      const { Resuming } = await import('/resuming.js');
      window.client = new Resuming(WebSocket, url);
    }, gateway.url('client-web'));
    const inPage = (what) => page.evaluate((name) => {
      const { [name]: found } = window.client;
      return found instanceof Map ? found.size : found;
    }, what);
    const desk = new Resuming(WebSocket, gateway.url('desk-1'));
    t.after(() => desk.close());

    const rounds = 3;
    const each = 300; // messages each way
    for (let round = 0; round < rounds; round++) {
      const before = (await inPage('received')).length;
      const first = round * each;
      await page.evaluate(([first, each]) => {
        for (let n = first; n < first + each; n++) window.client.send({ type: 0, messageId: `m${n}`, to: 'desk-1', data: n });
      }, [first, each]);
      for (let n = first; n < first + each; n++) desk.send({ type: 0, messageId: `m${n}`, to: 'client-web', data: n });
      await page.waitForFunction((before) => window.client.received.length > before, before);
      if (round === rounds - 1) break;
      await gateway.kill();
      await gateway.verify();
      await gateway.revive();
    }
    const n = rounds * each;
    await page.waitForFunction((n) => window.client.received.length >= n && window.client.unanswered.size === 0, n);
    await until('all to have come and to be answered', () => desk.received.length >= n && desk.unanswered.size === 0);
    const data = Array.from({ length: n }, (_, i) => i);
    assert.deepEqual((await inPage('received')).map((m) => m.data), data);
    assert.deepEqual(desk.received.map((m) => m.data), data);
    assert.deepEqual([await inPage('twice'), desk.twice, await inPage('lost'), desk.lost], [[], [], [], []]);
    assert.deepEqual((await inPage('hellos')).map((h) => h.recovered), [false, true, true]);
    await until('all to be acknowledged', async () => (await gateway.metric('stratix_pending_messages')) === 0);
  });

  test('of an origin that nobody listed is refused', async (t) => {
    const gateway = await Gateway.start(t);
    const page = await open(t, origin);
    assert.equal((await page.evaluate(connect, gateway.url('client-web'))).code, 1006);
    assert.equal(await gateway.metric('stratix_upgrades_refused_total{reason="foreign_origin"}'), 1);
  });

  test('from a file, as in Electron, is let in where file:// is listed', async (t) => {
    const gateway = await Gateway.start(t, { flags: ['--origins', 'file://'] });
    const file = path.join(gateway.home, 'page.html');
    await writeFile(file, html);
    const page = await open(t, pathToFileURL(file).href);
    assert.match((await page.evaluate(connect, gateway.url('client-web'))).extensions, /permessage-deflate/);
  });

  test('is said goodbye to at a shutdown', async (t) => {
    const gateway = await Gateway.start(t, { flags: ['--origins', origin] });
    const page = await open(t, origin);
    await page.evaluate(connect, gateway.url('client-web'));
    gateway.process.kill('SIGTERM');
    const { retryAfter, ...goodbye } = await page.next();
    assert.deepEqual(goodbye, { type: 6, reason: 'drain' });
    assert.ok(retryAfter > 0);
    assert.deepEqual(await page.evaluate(() => window.end), { code: 1001, reason: 'the gateway is shutting down' });
    assert.deepEqual(await gateway.ended, { code: 0, signal: null });
  });
});
