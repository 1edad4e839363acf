// The client in Node, with the real gateway, over connections that break.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import * as fs from 'node:fs/promises';
import path from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { FileStore, StratixClient } from 'stratix-client';
import { WebSocket } from 'ws';
import { Gateway, until } from '../../../scripts/e2e/gateway.js';
import { Proxy } from './proxy.js';
import { record, send } from './stream.js';

const flags = ['--drain-timeout', '1s'];

/** A client that comes back quickly, and what it saw. */
function open(t, gatewayUrl, clientId, options = {}) {
  const client = new StratixClient({
    clientId, gatewayUrl, WebSocket,
    backoff: { base: 5, cap: 100, stable: 1000 }, connectTimeout: 3000, outbox: { messages: 5000 }, ...options,
  });
  const log = record(client);
  t.after(() => client.close());
  return { client, log };
}

async function start(t, more = {}) {
  const gateway = await Gateway.start(t, { flags, ...more });
  const proxy = await Proxy.start(t, gateway.listen);
  return { gateway, proxy };
}

const numbers = (from, n) => Array.from({ length: n }, (_, i) => [from, i + 1]);

/** All came once, in order, nothing was missing, and nobody waits for anything. */
async function settled(gateway, { a, b }, n) {
  await until('all to have come', () => a.log.received.length >= n && b.log.received.length >= n);
  assert.deepEqual(a.log.received, numbers('b', n));
  assert.deepEqual(b.log.received, numbers('a', n));
  assert.deepEqual([a.log.gaps, b.log.gaps, a.log.errors, b.log.errors], [[], [], [], []]);
  await until('all to be acknowledged', async () => (await gateway.metric('stratix_pending_messages')) === 0);
}

test('the promised lines work', async (t) => {
  const { gateway } = await start(t);
  const client = new StratixClient({ clientId: 'client-123', gatewayUrl: `ws://${gateway.listen}/ws`, autoReconnect: true, WebSocket });
  t.after(() => client.close());
  await client.connect();
  const received = new Promise((resolve) => { client.onMessage(resolve); });
  const ack = await client.send('Hello Stratix!');
  assert.deepEqual([ack.stored, ack.status], ['disk', 'queued']);
  const { data, from, seq } = await received;
  assert.deepEqual([data, from, seq], ['Hello Stratix!', 'client-123', 1]);
  await assert.rejects(client.send(1, { to: 'x', headers: { n: 1 } }), { code: 'bad_message', retryable: false });
});

test('requests are answered by clients and by scripts, groups are joined, receipts come', async (t) => {
  const { gateway } = await start(t, { scripts: { 'main.lua': `
    pipeline {
      function(msg) if msg:get("data") == "time" then return msg:reply("noon") end end,
      stage.disk {},
      stage.ring {},
    }` } });
  const url = `ws://${gateway.listen}/ws`;
  const a = open(t, url, 'a');
  const b = new StratixClient({ clientId: 'b', gatewayUrl: url, WebSocket });
  t.after(() => b.close());
  await Promise.all([a.client.connect(), b.connect()]);
  b.onMessage((m) => m.reply(m.data * 2));
  assert.equal((await a.client.request(21, { to: 'b' })).data, 42);
  assert.equal((await a.client.request('time')).data, 'noon');
  await b.join('room:1');
  assert.equal((await a.client.request(4, { to: { group: 'room:1' } })).data, 8);
  const delivered = new Promise((resolve) => { a.client.on('ack', (ack) => { if (ack.status === 'delivered') resolve(ack); }); });
  const first = await a.client.send(1, { to: 'b', receipt: true });
  assert.deepEqual(await delivered, { ...first, status: 'delivered' });
});

test('a thousand messages each way over connections that are cut at every byte of connect, hello, send and receive', async (t) => {
  const { gateway, proxy } = await start(t);
  // Each connection lives a byte longer than the one before, upwards and downwards in turn, from none to long past the first frames.
  const most = 700;
  proxy.plan = (n) => n < 2 * most ? { [n % 2 ? 'up' : 'down']: n >> 1 } : undefined;
  const a = open(t, proxy.url, 'a', { backoff: { base: 1, cap: 4 } });
  const b = open(t, proxy.url, 'b', { backoff: { base: 1, cap: 4 } });
  const connected = [a.client.connect(), b.client.connect()];
  let n = 1000;
  const refused = await Promise.all([send(a.client, 'b', 1, n), send(b.client, 'a', 1, n)]);
  // All places have been cut at, with something to send.
  while (proxy.count < 2 * most) {
    refused.push(...await Promise.all([send(a.client, 'b', n + 1, n + 10), send(b.client, 'a', n + 1, n + 10)]));
    n += 10;
    if (proxy.count < 2 * most) proxy.cut();
  }
  await Promise.all(connected);
  assert.deepEqual(refused.flat(), []);
  await settled(gateway, { a, b }, n);
  t.diagnostic(`${n} messages each way over ${proxy.count} connections`);
});

test('a thousand messages each way over kill -9, saves, cut and refused connections and a pulled cable', async (t) => {
  const { gateway, proxy } = await start(t);
  const a = open(t, proxy.url, 'a', { ping: { interval: 200, timeout: 200 } });
  const b = open(t, proxy.url, 'b', { ping: { interval: 200, timeout: 200 } });
  await Promise.all([a.client.connect(), b.client.connect()]);
  const main = await gateway.read('main.lua');
  const troubles = [
    () => proxy.cut(),
    async () => {
      await gateway.kill();
      await gateway.verify();
      await gateway.revive();
    },
    () => gateway.save('main.lua', `${main}\n-- saved\n`),
    () => gateway.save('main.lua', `${main}\nbroken(`),
    async () => {
      proxy.refusing = true;
      proxy.cut();
      await until('both to have been refused', () => a.client.state !== 'connected' && b.client.state !== 'connected');
      proxy.refusing = false;
    },
    async () => {
      proxy.silent = true;
      await until('both to notice', () => a.client.state !== 'connected' && b.client.state !== 'connected');
      proxy.cut();
      proxy.silent = false;
    },
    async () => {
      a.client.suspend();
      b.client.resume();
      a.client.resume();
    },
    async () => {
      await gateway.stop();
      await gateway.revive();
    },
  ];
  const each = 1000 / troubles.length;
  let n = 0;
  for (const trouble of troubles) {
    const sending = Promise.all([send(a.client, 'b', n + 1, n + each, 4), send(b.client, 'a', n + 1, n + each, 4)]);
    const come = () => [a, b].map(({ log }) => log.received.length);
    await until('some to have come', () => Math.max(...come()) > n);
    n += each;
    assert.ok(Math.min(...come()) < n, 'it is in the middle of the stream');
    await trouble();
    assert.deepEqual((await sending).flat(), []);
  }
  await settled(gateway, { a, b }, n);
});

test('what was sent while there was no gateway survives a restart of the app, in a file', async (t) => {
  const { gateway, proxy } = await start(t);
  const b = open(t, proxy.url, 'b');
  await b.client.connect();
  const store = () => new FileStore(fs, path.join(gateway.home, 'outbox'));
  const first = open(t, proxy.url, 'a', { store: store() });
  await first.client.connect();
  await first.client.send({ n: 1 }, { to: 'b' });
  await send(b.client, 'a', 1, 3);
  await until('they came', () => first.log.received.length === 3);
  proxy.refusing = true;
  proxy.cut();
  const kept = [2, 3, 4].map((n) => first.client.send({ n }, { to: 'b' }).catch((error) => [error.code, error.kept]));
  await until('they wait', () => first.client.outbox.messages === 3);
  await first.client.close();
  assert.deepEqual(await Promise.all(kept), Array(3).fill(['closed', true]));
  proxy.refusing = false;

  const second = open(t, proxy.url, 'a', { store: store() });
  const drained = new Promise((resolve) => { second.client.on('drain', resolve); });
  await second.client.connect();
  await second.client.send({ n: 5 }, { to: 'b' });
  await drained;
  await send(b.client, 'a', 4, 4);
  await until('all to have come', () => b.log.received.length === 5 && second.log.received.length === 1);
  assert.deepEqual(b.log.received, numbers('a', 5));
  assert.deepEqual(second.log.received, [['b', 4]], 'the first one had the others');
  assert.deepEqual([second.log.gaps, b.log.gaps], [[], []]);
});

test('what an app had stored when it was killed arrives once, in order', async (t) => {
  const { gateway, proxy } = await start(t);
  const b = open(t, `ws://${gateway.listen}/ws`, 'b');
  await b.client.connect();
  proxy.plan = () => ({ up: 4000 }); // the killed one gets some of its messages out, and some answers
  const n = 500;
  const file = path.join(gateway.home, 'outbox');
  const app = spawn(process.execPath, [fileURLToPath(new URL('sender.js', import.meta.url)), proxy.url, file, n], { stdio: 'inherit' });
  t.after(() => app.kill('SIGKILL'));
  await until('all to be stored, and some to have come', async () =>
    b.log.received.length > 0 && (await fs.readFile(file, 'utf8').catch(() => '')).includes(`\\"n\\":${n}}`));
  app.kill('SIGKILL');
  await once(app, 'exit');
  assert.ok(b.log.received.length < n, 'it was in the middle');
  proxy.plan = () => undefined;
  const again = open(t, proxy.url, 'a', { store: new FileStore(fs, file) });
  await again.client.connect();
  await until('all to have come', () => b.log.received.length >= n);
  await until('all to be answered', () => again.client.outbox.messages === 0);
  assert.deepEqual(b.log.received, numbers('a', n));
  assert.deepEqual([again.log.gaps, b.log.gaps], [[], []]);
});

test('what cannot come is surfaced as a gap', async (t) => {
  const { gateway, proxy } = await start(t, { scripts: { 'main.lua': `
    pipeline {
      function(msg) if msg:get("data.n") == 2 then msg:store("memory") end end,
      stage.disk {},
      stage.ring {},
    }` } });
  const a = open(t, proxy.url, 'a');
  const b = open(t, proxy.url, 'b');
  await Promise.all([a.client.connect(), b.client.connect()]);
  proxy.refusing = true;
  proxy.cut();
  await until('both to be gone', async () => (await gateway.status()).clients?.connected === 0 || (await gateway.metric('stratix_connections')) === 0);
  const direct = open(t, `ws://${gateway.listen}/ws`, 'c');
  await direct.client.connect();
  await direct.client.send({ n: 1 }, { to: 'b' });
  await direct.client.send({ n: 2 }, { to: 'b' }); // in memory only
  await direct.client.send({ n: 3 }, { to: 'b' });
  await direct.client.send({ n: 4 }, { to: 'b', ttl: 1 });
  await until('it expired', async () => (await gateway.metric('stratix_gaps_total{cause="expired"}')) === 1);
  await gateway.kill();
  await gateway.revive();
  proxy.refusing = false;
  await until('the rest', () => b.log.received.length === 2);
  assert.deepEqual(b.log.received, [['c', 1], ['c', 3]]);
  const named = b.log.gaps.filter((gap) => gap.cause !== 'reset').map((gap) => [gap.from, gap.to, gap.cause]);
  assert.deepEqual(named, [[2, 2, 'lost'], [4, 4, 'expired']]);
});

test('a newer connection with the same ClientID takes over, and the older one does not fight for it', async (t) => {
  const { gateway } = await start(t);
  const older = open(t, `ws://${gateway.listen}/ws`, 'a');
  await older.client.connect();
  const newer = open(t, `ws://${gateway.listen}/ws`, 'a');
  await newer.client.connect();
  await until('the older one to know', () => older.client.state === 'closed');
  assert.equal(older.log.states.at(-1), 'closed: replaced');
  await newer.client.send({ n: 1 }, { to: 'a' });
  assert.equal(newer.client.state, 'connected');
});

test('whom on_connect refuses is told so', async (t) => {
  const { gateway } = await start(t, { scripts: { 'main.lua': 'pipeline {}\nfunction on_connect(conn) conn:reject("not today") end' } });
  const a = open(t, `ws://${gateway.listen}/ws`, 'a');
  await assert.rejects(a.client.connect(), { code: 'refused', message: 'not today', closeCode: 4403 });
});

test('a message that the gateway does not take is rejected, and the others arrive', async (t) => {
  const { gateway } = await start(t, { flags: [...flags, '--max-message', '16KiB'] });
  const a = open(t, `ws://${gateway.listen}/ws`, 'a');
  await a.client.connect();
  const sending = [1, 2, 3].map((n) => a.client.send({ n, filler: n === 2 ? 'x'.repeat(20_000) : '' }, { to: 'a' }));
  const results = await Promise.allSettled(sending);
  assert.deepEqual(results.map((r) => r.reason?.code ?? r.value.stored), ['disk', 'too_big', 'disk']);
  await until('the others', () => a.log.received.length === 2);
  assert.deepEqual(a.log.received, [['a', 1], ['a', 3]]);
});
