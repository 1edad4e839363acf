// The client in headless Chromium, which is what Electron's renderer is, with the real gateway.
import assert from 'node:assert/strict';
import { createHmac } from 'node:crypto';
import path from 'node:path';
import { after, before, describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { StratixClient } from 'stratix-client';
import { WebSocket } from 'ws';
import { Gateway, until } from '../../../scripts/e2e/gateway.js';
import { dist, launch, serve, skip } from './chromium.js';
import { Proxy } from './proxy.js';
import { record, send } from './stream.js';

const here = fileURLToPath(new URL('.', import.meta.url));
const numbers = (from, n) => Array.from({ length: n }, (_, i) => [from, i + 1]);

/** Runs in the page: makes the client anew, as a window that opens does. */
async function begin({ gatewayUrl, store }) {
  const { IndexedDBStore, StratixClient } = await import('/stratix-client.js');
  const stream = await import('/stream.js');
  window.send = stream.send;
  window.client = new StratixClient({
    clientId: 'web', gatewayUrl, backoff: { base: 5, cap: 100, stable: 1000 }, ping: { interval: 300, timeout: 300 }, wakeTimeout: 300,
    connectTimeout: 3000, outbox: { messages: 5000 }, store: store && new IndexedDBStore(store),
  });
  window.log = stream.record(window.client);
}

describe('a page in Chromium', { skip }, () => {
  let browser;
  let server;

  before(async () => {
    server = await serve({
      '/': path.join(here, 'page.html'), '/stratix-client.js': path.join(dist, 'stratix-client.min.js'), '/stream.js': path.join(here, 'stream.js'),
    });
    browser = await launch();
  });

  after(async () => {
    await browser?.close();
    server?.close();
  });

  /** A gateway behind a proxy, a page with a client, and a peer in Node. */
  async function start(t, store) {
    const gateway = await Gateway.start(t, { flags: ['--origins', server.origin, '--drain-timeout', '1s'] });
    const proxy = await Proxy.start(t, gateway.listen);
    const context = await browser.newContext();
    t.after(() => context.close());
    const page = await context.newPage();
    await page.goto(server.origin);
    await page.evaluate(begin, { gatewayUrl: proxy.url, store });
    const peer = new StratixClient({ clientId: 'peer', gatewayUrl: `ws://${gateway.listen}/ws`, WebSocket, backoff: { base: 5, cap: 100 } });
    t.after(() => peer.close());
    const log = record(peer);
    await peer.connect();
    return { gateway, proxy, context, page, peer, log };
  }

  test('exchanges a thousand messages each way, offline, cut off, over kill -9 and saves: each once, in order', async (t) => {
    const { gateway, proxy, context, page, peer, log } = await start(t);
    await page.evaluate(() => window.client.connect());
    const main = await gateway.read('main.lua');
    const state = (want) => page.waitForFunction((want) => window.client.state === want, want);
    const troubles = [
      () => proxy.cut(),
      async () => {
        await gateway.kill();
        await gateway.revive();
      },
      async () => {
        await context.setOffline(true);
        proxy.cut();
        await state('waiting');
        await context.setOffline(false);
      },
      async () => {
        proxy.silent = true; // and the page is told that it is offline: it asks, and hears nothing
        await context.setOffline(true);
        await page.waitForFunction(() => ['checking', 'waiting'].includes(window.client.state));
        await state('waiting');
        proxy.cut();
        proxy.silent = false;
        await context.setOffline(false);
      },
      () => gateway.save('main.lua', `${main}\n-- saved\n`),
      () => gateway.save('main.lua', `${main}\nbroken(`),
      async () => {
        proxy.refusing = true;
        proxy.cut();
        await state('waiting');
        proxy.refusing = false;
      },
      // Connections that live a few bytes longer each time: cut in the handshake, the hello, sending and receiving.
      () => {
        let n = 0;
        proxy.plan = () => n < 60 ? { [n++ % 2 ? 'up' : 'down']: 11 * n } : undefined;
        proxy.cut();
        return until('all places to be cut at', () => n === 60);
      },
    ];
    const each = 1000 / troubles.length;
    let n = 0;
    for (const trouble of troubles) {
      const range = [n + 1, n + each];
      const sending = Promise.all([
        page.evaluate(([first, last]) => window.send(window.client, 'peer', first, last, 4), range),
        send(peer, 'web', ...range, 4),
      ]);
      await until('some to have come', () => log.received.length > n);
      n += each;
      await trouble();
      assert.deepEqual((await sending).flat(), []);
    }
    await until('all to have come', async () => log.received.length >= n && await page.evaluate(() => window.log.received.length) >= n);
    const web = await page.evaluate(() => window.log);
    assert.deepEqual(log.received, numbers('web', n));
    assert.deepEqual(web.received, numbers('peer', n));
    assert.deepEqual([log.gaps, web.gaps, log.errors, web.errors], [[], [], [], []]);
    await until('all to be acknowledged', async () => (await gateway.metric('stratix_pending_messages')) === 0);
    t.diagnostic(`${n} messages each way; the page connected ${web.states.filter((s) => s === 'connected').length} times`);
  });

  test('brings its token as a subprotocol, and in no URL', async (t) => {
    const secret = '0123456789abcdef0123456789abcdef';
    const encode = (value) => Buffer.from(JSON.stringify(value)).toString('base64url');
    const unsigned = `${encode({ alg: 'HS256' })}.${encode({ sub: 'web', exp: Math.floor(Date.now() / 1000) + 600 })}`;
    const token = `${unsigned}.${createHmac('sha256', secret).update(unsigned).digest('base64url')}`;
    const gateway = await Gateway.start(t, {
      flags: ['--origins', server.origin], scripts: { 'main.lua': `pipeline { stage.jwt { key = "${secret}", algorithms = { "HS256" } } }` },
    });
    const context = await browser.newContext();
    t.after(() => context.close());
    const page = await context.newPage();
    await page.goto(server.origin);
    const urls = [];
    page.on('websocket', (ws) => urls.push(ws.url()));
    const gatewayUrl = `ws://${gateway.listen}/ws`;
    const state = await page.evaluate(async (options) => {
      const { StratixClient } = await import('/stratix-client.js');
      const client = new StratixClient({ clientId: 'web', ...options });
      await client.connect();
      return client.state;
    }, { gatewayUrl, token });
    assert.deepEqual([state, urls], ['connected', [`${gatewayUrl}?clientId=web`]]);
  });

  test('keeps its outbox and its position in IndexedDB over a reload', async (t) => {
    const { proxy, page, peer, log } = await start(t, 'outbox');
    await page.evaluate(() => window.client.connect());
    await send(peer, 'web', 1, 2);
    await page.waitForFunction(() => window.log.received.length === 2);
    await page.evaluate(() => window.client.send({ n: 1 }, { to: 'peer' }));
    proxy.refusing = true;
    proxy.cut();
    await page.evaluate(() => {
      for (const n of [2, 3, 4]) window.client.send({ n }, { to: 'peer' });
    });
    // Stored, that is: a newer client of the same database would find them.
    await page.waitForFunction(async () => {
      const { IndexedDBStore } = await import('/stratix-client.js');
      return (await new IndexedDBStore('outbox').load()).entries.length === 3;
    });
    await page.reload();
    proxy.refusing = false;
    await page.evaluate(begin, { gatewayUrl: proxy.url, store: 'outbox' });
    await page.evaluate(async () => {
      const drained = new Promise((resolve) => { window.client.on('drain', resolve); });
      await window.client.connect();
      await window.client.send({ n: 5 }, { to: 'peer' });
      await drained;
    });
    await send(peer, 'web', 3, 3);
    await page.waitForFunction(() => window.log.received.length > 0);
    await until('all to have come', () => log.received.length >= 5);
    assert.deepEqual(log.received, numbers('web', 5));
    const web = await page.evaluate(() => window.log);
    assert.deepEqual([web.received, web.gaps], [[['peer', 3]], []]);
  });
});
