// Tokens with the real gateway and stage.jwt: refused, expiring, renewed on the open connection. And an operator's disconnect.
import assert from 'node:assert/strict';
import { createHmac, generateKeyPairSync, sign } from 'node:crypto';
import { createServer } from 'node:http';
import { test } from 'node:test';
import { StratixClient } from 'stratix-client';
import { WebSocket } from 'ws';
import { Gateway, until } from '../../../scripts/e2e/gateway.js';
import { Proxy } from './proxy.js';
import { record, send } from './stream.js';

const secret = '0123456789abcdef0123456789abcdef';

const encode = (value) => Buffer.from(JSON.stringify(value)).toString('base64url');

/** A token for a client that is good for so many seconds. */
function token(sub, seconds, key = secret) {
  const unsigned = `${encode({ alg: 'HS256', typ: 'JWT' })}.${encode({ sub, exp: Date.now() / 1000 + seconds })}`;
  return `${unsigned}.${createHmac('sha256', key).update(unsigned).digest('base64url')}`;
}

const scripts = (file) => ({ 'main.lua': `
  pipeline {
    stage.jwt { ${file ? `key_file = "${file}"` : `key = "${secret}"`}, algorithms = { "HS256" }, leeway = "0s" },
    stage.disk {},
    stage.ring {},
  }` });

async function start(t, more = {}) {
  const gateway = await Gateway.start(t, { scripts: scripts(), flags: ['--drain-timeout', '1s'], ...more });
  const proxy = await Proxy.start(t, gateway.listen);
  return { gateway, proxy };
}

/** A client that comes back quickly, what it saw, and how often its provider was asked. */
function open(t, gatewayUrl, clientId, provide, options = {}) {
  const asked = [];
  const client = new StratixClient({
    clientId, gatewayUrl, WebSocket, tokenIn: 'header', backoff: { base: 5, cap: 100, stable: 1000 },
    token: typeof provide !== 'function' ? provide : () => {
      asked.push(Date.now());
      return provide(asked.length);
    }, ...options,
  });
  const log = record(client);
  t.after(() => client.close());
  return { client, log, asked };
}

const numbers = (from, n) => Array.from({ length: n }, (_, i) => [from, i + 1]);

test('a token is fetched once for all who want it, and lets its client in', async (t) => {
  const { gateway } = await start(t);
  for (const tokenIn of [undefined, 'header', 'query']) {
    const a = open(t, `ws://${gateway.listen}/ws`, `a-${tokenIn}`, async () => token(`a-${tokenIn}`, 600), { tokenIn });
    const all = await Promise.all([a.client.token(), a.client.connect(), a.client.token(), a.client.send({ n: 1 }, { to: `a-${tokenIn}` })]);
    assert.equal(all[0], all[2]);
    await until('it to come', () => a.log.received.length === 1);
    assert.equal(a.asked.length, 1);
  }
});

test('a token is renewed on the open connection before it expires, while messages flow', async (t) => {
  const { gateway, proxy } = await start(t);
  const a = open(t, proxy.url, 'a', async () => token('a', 6.5)); // the gateway warns 5 s before
  const b = open(t, proxy.url, 'b', token('b', 600));
  await Promise.all([a.client.connect(), b.client.connect()]);
  let n = 0;
  for (const end = Date.now() + 9000; Date.now() < end || a.asked.length < 4;) { // longer than one token is good
    assert.deepEqual(await Promise.all([send(a.client, 'b', n + 1, n + 20, 4), send(b.client, 'a', n + 1, n + 20, 4)]), [[], []]);
    n += 20;
    await new Promise((resolve) => { setTimeout(resolve, 50); });
  }
  await until('all to have come', () => a.log.received.length >= n && b.log.received.length >= n);
  assert.deepEqual(a.log.received, numbers('b', n));
  assert.deepEqual(b.log.received, numbers('a', n));
  assert.deepEqual(a.log.states, ['connecting', 'connected'], 'it was never away');
  assert.deepEqual([a.log.errors, a.log.gaps, proxy.count], [[], [], 2]);
  assert.ok(a.asked.length <= 12, `the provider was asked ${a.asked.length} times`);
});

test('a token that expires ends its session: another one is fetched, and what was sent meanwhile comes once', async (t) => {
  const { proxy } = await start(t);
  let give;
  const a = open(t, proxy.url, 'a', (n) => {
    if (n === 1) return token('a', 4); // the gateway warns at once
    if (n === 2) throw new Error('the login page is away');
    return new Promise((resolve) => { give = () => resolve(token('a', 600)); });
  });
  const b = open(t, proxy.url, 'b', token('b', 600));
  await Promise.all([a.client.connect(), b.client.connect()]);
  await until('it to be told', () => a.log.errors.length === 1);
  assert.match(a.log.errors[0], /^token: /);
  let closeCode;
  a.client.on('state', ({ state, error }) => { if (state === 'waiting') closeCode ??= error.closeCode; });
  let n = 0;
  const refused = [];
  while (closeCode === undefined) refused.push(...await send(b.client, 'a', ++n, n));
  assert.equal(closeCode, 4401);
  const sending = send(a.client, 'b', 1, 30);
  refused.push(...await send(b.client, 'a', n + 1, n += 30));
  await until('the provider to be asked', () => give);
  give();
  refused.push(...await sending);
  await until('all to have come', () => a.log.received.length >= n && b.log.received.length >= 30);
  assert.deepEqual([a.log.received, b.log.received, refused], [numbers('b', n), numbers('a', 30), []]);
  assert.equal(a.asked.length, 3);
});

test('whose tokens are refused is told so, and does not go on trying', async (t) => {
  const { gateway, proxy } = await start(t);
  const f = async (provide, asked, sockets) => {
    const before = proxy.count;
    const c = open(t, proxy.url, 'a', provide);
    const sending = c.client.send({ n: 1 });
    await assert.rejects(c.client.connect(), { code: 'unauthorized' });
    await assert.rejects(sending, { code: 'unauthorized', sent: false });
    await new Promise((resolve) => { setTimeout(resolve, 300); }); // three times the longest pause
    assert.deepEqual([c.client.state, c.asked.length, proxy.count - before], ['closed', asked, sockets]);
  };
  await f(token('a', 600, 'x'.repeat(32)), 0, 1);
  await f(() => token('a', 600, 'x'.repeat(32)), 3, 3);
  await f(() => token('b', 600), 3, 3); // for another client
  await f(() => token('a', -1), 3, 3);
  await f(undefined, 0, 1); // none at all
  assert.equal(await gateway.metric('stratix_connections'), 0);

  // One that was bad once is not held against the next.
  const c = open(t, proxy.url, 'a', (n) => token('a', n === 1 ? -1 : 600));
  await c.client.connect();
  assert.equal(c.asked.length, 2);
});

test('a token by a key that its issuer has begun with a moment ago is taken after some tries', async (t) => {
  const pairs = { one: generateKeyPairSync('ed25519'), two: generateKeyPairSync('ed25519') };
  const known = ['one'];
  const issuer = createServer((_, response) => {
    response.end(JSON.stringify({ keys: known.map((kid) => ({ ...pairs[kid].publicKey.export({ format: 'jwk' }), kid })) }));
  });
  await new Promise((resolve) => { issuer.listen(0, '127.0.0.1', resolve); });
  t.after(() => issuer.close());
  const by = (kid) => {
    const unsigned = `${encode({ alg: 'EdDSA', kid })}.${encode({ sub: 'a', exp: Date.now() / 1000 + 600 })}`;
    return `${unsigned}.${sign(null, Buffer.from(unsigned), pairs[kid].privateKey).toString('base64url')}`;
  };
  const gateway = await Gateway.start(t, { scripts: { 'main.lua': `
    pipeline { stage.jwt { jwks = "http://127.0.0.1:${issuer.address().port}/", algorithms = { "EdDSA" } } }` } });
  known.push('two');
  // The gateway has fetched the set as it started, and asks every ten seconds at the most.
  const a = open(t, `ws://${gateway.listen}/ws`, 'a', () => by('two'), { backoff: { base: 100, cap: 11_000 } });
  await a.client.connect();
  assert.equal(a.asked.length, 3);
});

test('a key that is revoked ends with the token, with an error that says why', async (t) => {
  const gateway = await Gateway.start(t, { flags: ['--drain-timeout', '1s'], scripts: { ...scripts('issuer.txt'), 'issuer.txt': secret } });
  const proxy = await Proxy.start(t, gateway.listen);
  const a = open(t, proxy.url, 'a', () => token('a', 7)); // the gateway warns after 2 s
  await a.client.connect();
  await gateway.save('issuer.txt', 'y'.repeat(32));
  await until('it to be over', () => a.client.state === 'closed');
  assert.equal(a.log.states.at(-1), 'closed: unauthorized');
  assert.ok(a.log.errors.length > 0 && a.log.errors.every((text) => text.startsWith('bad_token: ')), `the renewal: ${a.log.errors}`);
  assert.ok(a.asked.length <= 5 && proxy.count <= 3, `${a.asked.length} tokens, ${proxy.count} connections`);
  await gateway.save('issuer.txt', secret);
  await a.client.connect();
  assert.equal(a.client.state, 'connected', 'it may be asked to try again');
});

test('whom an operator disconnects comes back after the longest pause, and gets what came meanwhile', async (t) => {
  const gateway = await Gateway.start(t, { flags: ['--drain-timeout', '1s'] });
  const url = `ws://${gateway.listen}/ws`;
  const a = open(t, url, 'a', undefined, { backoff: { base: 1, cap: 1500 } });
  const b = open(t, url, 'b', undefined);
  await Promise.all([a.client.connect(), b.client.connect()]);
  const waiting = new Promise((resolve) => { a.client.on('state', (change) => { if (change.state === 'waiting') resolve(change); }); });
  const answer = await fetch(`http://${gateway.admin}/v1/clients/a?reason=lunch`, { method: 'DELETE' });
  assert.equal(answer.status, 204);
  const { error, retryIn } = await waiting;
  assert.deepEqual([error.code, error.closeCode, error.message, retryIn], ['connection', 4003, 'lunch', 1500]);
  assert.deepEqual(await send(b.client, 'a', 1, 3), []);
  await until('it to be back', () => a.log.received.length === 3);
  assert.deepEqual([a.log.received, a.log.states], [numbers('b', 3), ['connecting', 'connected', 'waiting: connection', 'connecting', 'connected']]);
});
