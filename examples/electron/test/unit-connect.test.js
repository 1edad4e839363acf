// Connecting and coming back: the hello, pauses, close codes, tokens, liveness, sleep and wake.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { MemoryStore } from 'stratix-client';
import { kit, outcome, rest } from './kit.js';

/** How long the client waits before its next attempt, by the clock: sockets appear when it is over. */
async function pause(k, most = 100_000) {
  const before = k.sockets.length;
  const { retryIn } = k.of('state').at(-1);
  assert.ok(retryIn <= most);
  if (retryIn > 0) await k.tick(retryIn - 1);
  assert.equal(k.sockets.length, before, 'not before');
  await k.tick(1);
  assert.equal(k.sockets.length, before + 1, `after ${retryIn} ms`);
  return retryIn;
}

test('connect says hello first, and resolves with the answer', async (t) => {
  const k = kit(t, { clientId: 'me & you', gatewayUrl: 'ws://gateway/ws?x=1' });
  const connecting = k.client.connect();
  assert.equal(k.client.connect(), connecting, 'it is one attempt');
  await rest();
  assert.deepEqual([k.socket.url, k.socket.protocols], ['ws://gateway/ws?x=1&clientId=me%20%26%20you', ['stratix.v1']]);
  k.socket.open();
  assert.deepEqual(k.socket.take(), [{ type: 3 }]);
  assert.equal(await outcome(connecting), 'pending');
  k.socket.give({ type: 3, epoch: 'e1', seq: 0, last: 0, recovered: false });
  await connecting;
  await k.client.connect();
  assert.deepEqual(k.states(), ['connecting', 'connected']);
  assert.equal(k.sockets.length, 1);
});

test('connect goes on trying', async (t) => {
  const k = kit(t);
  const connecting = k.client.connect();
  for (let i = 0; i < 5; i++) {
    await rest();
    k.socket.end();
    await k.tick(30_000);
  }
  assert.equal(await outcome(connecting), 'pending');
  await k.welcome();
  await connecting;
});

test('pauses are random up to a bound that doubles, and are capped', async (t) => {
  const k = kit(t, { backoff: { base: 100, cap: 1000 } });
  k.client.connect();
  const pauses = [];
  for (let i = 0; i < 6; i++) {
    await rest();
    k.socket.end();
    pauses.push(await pause(k));
  }
  assert.deepEqual(pauses, [50, 100, 200, 400, 500, 500]); // Math.random is 1/2
  Math.random.mock.mockImplementation(() => 0);
  k.socket.end();
  assert.equal(await pause(k), 0);
  Math.random.mock.mockImplementation(() => 0.999);
  k.socket.end();
  assert.equal(await pause(k), 999);
});

test('a connection that lasted begins at the shortest pause again, a short one does not', async (t) => {
  const k = kit(t, { backoff: { base: 100, cap: 10_000, stable: 5000 }, ping: { interval: 1e6 } });
  k.client.connect();
  await rest();
  for (const want of [50, 100]) {
    k.socket.end();
    assert.equal(await pause(k), want);
  }
  await k.welcome();
  await k.tick(4999);
  k.socket.end();
  assert.equal(await pause(k), 200);
  await k.welcome();
  await k.tick(5000);
  k.socket.end();
  assert.equal(await pause(k), 50);
});

test('after a goodbye it comes back when it was told to', async (t) => {
  const k = await kit(t).connected();
  k.socket.give({ type: 6, retryAfter: 1234, reason: 'drain' });
  k.socket.end(1001, 'the gateway is shutting down');
  assert.equal(await pause(k), 1234);
  k.socket.end();
  assert.equal(await pause(k), 250, 'it holds once');
});

test('whoever was replaced or refused does not come back by itself, but may be asked to', async (t) => {
  const f = async (code, want) => {
    const k = await kit(t).connected();
    const sending = k.client.send(1);
    await rest();
    k.socket.end(code, 'why');
    assert.deepEqual([k.client.state, k.of('state').at(-1).error.code, k.of('state').at(-1).error.closeCode], ['closed', want, code]);
    assert.equal((await outcome(sending)).code, want);
    await k.tick(100_000);
    assert.equal(k.sockets.length, 1);
    const connecting = k.client.connect();
    await k.welcome();
    await connecting;
    k.client.close();
    t.mock.timers.reset();
    Math.random.mock.restore();
  };
  await f(4001, 'replaced');
  await f(4403, 'refused');
  await f(4401, 'unauthorized'); // it has no other token
});

test('the other close codes are a reason to come back', async (t) => {
  const k = await kit(t).connected();
  for (const code of [1001, 1002, 1006, 1011, 1013, 4008, 4009, 4010, 4011]) {
    k.socket.end(code);
    assert.equal(k.client.state, 'waiting', String(code));
    assert.equal(k.of('state').at(-1).error.closeCode, code);
    await k.tick(30_000);
    await k.welcome({ recovered: true });
  }
});

test('without autoReconnect an end is the end', async (t) => {
  const k = kit(t, { autoReconnect: false });
  const connecting = k.client.connect();
  await rest();
  k.socket.end();
  assert.equal((await outcome(connecting)).code, 'connection');
  await k.connected();
  const sending = k.client.send(1);
  await rest();
  k.socket.end();
  assert.deepEqual(await outcome(sending), { code: 'connection', sent: true, kept: false });
  assert.deepEqual([k.client.state, k.sockets.length], ['closed', 2]);
});

test('an attempt that takes too long is given up', async (t) => {
  const k = kit(t, { connectTimeout: 3000 });
  k.client.connect();
  await rest();
  const [first] = k.sockets;
  first.open();
  await k.tick(3000);
  assert.equal(k.client.state, 'waiting');
  assert.equal(first.readyState, 3);
  first.give({ type: 3, epoch: 'late', seq: 9, recovered: false });
  assert.equal(k.client.state, 'waiting', 'what comes late is not heard');
  await k.tick(30_000);
  assert.equal(k.sockets.length, 2);
});

test('a token is fetched once for all who want it, and anew when it was refused', async (t) => {
  let n = 0;
  let give;
  const k = kit(t, { token: () => { n++; return new Promise((resolve) => { give = resolve; }); } });
  const connecting = k.client.connect();
  const wanting = [k.client.token(), k.client.token()];
  await rest();
  assert.equal(n, 1);
  give('t&1');
  assert.deepEqual(await Promise.all(wanting), ['t&1', 't&1']);
  await rest();
  assert.deepEqual([k.socket.url, k.socket.protocols], ['ws://gateway/ws?clientId=me', ['stratix.v1', 'bearer.t&1']]);
  k.socket.open();
  k.socket.end(4401, 'expired');
  assert.equal(k.client.state, 'waiting');
  await k.tick(30_000);
  assert.deepEqual([n, k.sockets.length], [2, 1], 'no socket before there is a token');
  const also = ['t&1', 't&1', undefined].map((refused) => k.client.token(refused));
  give('t2');
  assert.deepEqual(await Promise.all(also), ['t2', 't2', 't2']);
  assert.equal(await k.client.token('t&1'), 't2', 'whoever comes late with the old one gets the new one');
  assert.equal(n, 2);
  await k.welcome();
  await connecting;
  k.socket.end();
  await k.tick(30_000);
  assert.equal(n, 2, 'a connection that broke says nothing of the token');
  k.socket.end();
  await k.tick(30_000);
  assert.equal(n, 3, 'a handshake that failed may');
});

test('a token provider that fails is asked again after a pause', async (t) => {
  let n = 0;
  const k = kit(t, { token: () => { if (++n < 3) throw new Error('no network'); return 'x'; } });
  const connecting = k.client.connect();
  await rest();
  assert.equal(k.of('state').at(-1).error.code, 'token');
  await k.tick(250);
  await k.tick(500);
  await k.welcome();
  await connecting;
  assert.equal(n, 3);
});

test('a token provider that hangs keeps the next connect from nothing', async (t) => {
  let n = 0;
  const k = kit(t, { token: () => (++n === 1 ? new Promise(() => {}) : 'x') });
  k.client.connect();
  await rest();
  k.client.close();
  k.client.connect();
  await k.welcome();
  assert.deepEqual([k.client.state, n], ['connected', 2]);
});

test('a warning gets the gateway another token, if there is one, on the open connection', async (t) => {
  let n = 0;
  const tokens = ['one', 'two', 'two', new Error('away')];
  const k = await kit(t, { token: async () => {
    const next = tokens[n++];
    if (next instanceof Error) throw next;
    return next;
  } }).connected();
  const warn = async () => {
    k.socket.give({ type: 10, expires: Date.now() + 5000 });
    await rest();
    return k.socket.take();
  };
  const [frame, ...more] = await warn();
  assert.deepEqual([frame.type, frame.token, typeof frame.messageId, more, n], [10, 'two', 'string', [], 2]);
  k.socket.give({ type: 10, messageId: frame.messageId, expires: Date.now() + 60_000 });
  await rest();
  assert.deepEqual([n, await k.client.token()], [2, 'two'], 'the answer is no warning');
  assert.deepEqual([await warn(), n], [[], 3], 'the same token would change nothing');
  assert.deepEqual([await warn(), n, k.of('error').map((e) => e.code)], [[], 4, ['token']]);
  k.socket.give({ type: 2, messageId: 'any', code: 'bad_token', error: 'why' });
  assert.equal(k.of('error').at(-1).code, 'bad_token');
  assert.deepEqual([k.client.state, k.sockets.length], ['connected', 1]);
});

test('a token that stands still is not sent again', async (t) => {
  const k = await kit(t, { token: 'one' }).connected();
  k.socket.give({ type: 10, expires: Date.now() + 5000 });
  await rest();
  assert.deepEqual(k.socket.take(), []);
});

test('three refused tokens in a row are the end, the third after the longest pause; a good one between them is not', async (t) => {
  let n = 0;
  const k = kit(t, { token: () => `t${++n}` });
  const refuse = async (text) => {
    await rest();
    k.socket.onerror({ message: `Unexpected server response: ${text}` });
    k.socket.end();
    const { retryIn } = k.of('state').at(-1);
    await k.tick(30_000);
    return retryIn;
  };
  k.client.connect();
  await refuse('503'); // says nothing of the token
  await refuse('500');
  assert.ok(await refuse('401') < 10_000);
  assert.equal(k.client.state, 'connecting');
  await k.welcome();
  k.socket.end(4401, 'the token has expired');
  await k.tick(30_000);
  assert.equal(k.client.state, 'connecting');
  assert.equal(await refuse('401'), 30_000);
  assert.equal(k.client.state, 'connecting');
  await refuse('403');
  const { state, error } = k.of('state').at(-1);
  assert.deepEqual([state, error.code, error.message], ['closed', 'unauthorized', 'Unexpected server response: 403']);
  const sockets = k.sockets.length;
  await k.tick(100_000);
  assert.equal(k.sockets.length, sockets);
  const asked = n;
  k.client.connect();
  await k.welcome();
  assert.deepEqual([k.client.state, n], ['connected', asked + 1], 'not with the token that was refused');
});

test('whom an operator disconnects comes back after the longest pause', async (t) => {
  const k = await kit(t, { backoff: { cap: 20_000 } }).connected();
  k.socket.end(4003, 'lunch');
  const { state, error, retryIn } = k.of('state').at(-1);
  assert.deepEqual([state, error.code, error.closeCode, error.message, retryIn], ['waiting', 'connection', 4003, 'lunch', 20_000]);
  await pause(k);
});

test('a token can go in the URL', async (t) => {
  const k = kit(t, { token: 't&1', tokenIn: 'query' });
  await k.connected();
  assert.deepEqual([k.socket.url, k.socket.protocols], ['ws://gateway/ws?clientId=me&token=t%261', ['stratix.v1']]);
});

test('a token can go in a header', async (t) => {
  const k = kit(t, { token: 'secret', tokenIn: 'header' });
  await k.connected();
  assert.deepEqual([k.socket.url, k.socket.more], ['ws://gateway/ws?clientId=me', { headers: { Authorization: 'Bearer secret' } }]);
});

test('silence is broken with a ping, and a gateway that does not answer is left', async (t) => {
  const k = await kit(t, { ping: { interval: 1000, timeout: 300 } }).connected();
  await k.tick(1000); // the hello was heard
  assert.deepEqual(k.socket.take(), []);
  await k.tick(1000);
  assert.deepEqual(k.socket.take(), [{ type: 4 }]);
  k.socket.give({ type: 5 });
  await k.tick(300);
  assert.equal(k.client.state, 'connected');
  await k.tick(1000);
  await k.tick(700);
  assert.deepEqual(k.socket.take(), [{ type: 4 }]);
  await k.tick(299);
  k.socket.give({ type: 7, gaps: [] }); // it lives, the pong is behind
  await k.tick(299);
  assert.equal(k.client.state, 'connected');
  await k.tick(1);
  assert.equal(k.client.state, 'waiting');
  assert.match(k.of('state').at(-1).error.message, /no pong/);
});

test('a ping is answered', async (t) => {
  const k = await kit(t).connected();
  k.socket.give({ type: 4 });
  assert.deepEqual(k.socket.take(), [{ type: 5 }]);
});

test('after a wake the socket is not trusted until the last pong comes, and sends wait', async (t) => {
  let suspend;
  let resume;
  let released = 0;
  const k = await kit(t, { power: (client) => { ({ suspend, resume } = client); return () => released++; }, wakeTimeout: 500 }).connected();
  suspend();
  assert.equal(k.client.state, 'checking');
  const sending = k.client.send(1, { messageId: 'm' });
  await rest();
  assert.deepEqual(k.socket.take(), []);
  resume();
  resume();
  assert.deepEqual(k.socket.take(), [{ type: 4 }, { type: 4 }]);
  k.socket.give({ type: 5 });
  assert.deepEqual(k.socket.take(), [], 'that may have been on its way before');
  k.socket.give({ type: 5 });
  assert.deepEqual(k.socket.take().map((f) => f.messageId), ['m']);
  assert.equal(k.client.state, 'connected');
  resume();
  await k.tick(500);
  assert.equal(k.client.state, 'waiting');
  resume();
  await rest();
  assert.equal(k.sockets.length, 2, 'a wake ends the pause');
  await k.welcome({ recovered: true });
  k.socket.give({ type: 1, messageId: 'm', stored: 'disk', status: 'queued' });
  await sending;
  k.client.close();
  assert.equal(released, 1);
});

test('a suspend without a wake is made good by the next ping', async (t) => {
  const k = await kit(t, { ping: { interval: 1000 } }).connected();
  k.client.suspend();
  await k.tick(1000);
  k.socket.give({ type: 5 });
  assert.equal(k.client.state, 'connected');
});

test('offline puts the socket to the test, online ends the pause', async (t) => {
  const target = new EventTarget();
  for (const name of ['addEventListener', 'removeEventListener']) globalThis[name] = target[name].bind(target);
  const had = Object.getOwnPropertyDescriptor(globalThis, 'navigator');
  const navigator = { onLine: true };
  Object.defineProperty(globalThis, 'navigator', { value: navigator, configurable: true });
  t.after(() => {
    delete globalThis.addEventListener;
    delete globalThis.removeEventListener;
    if (had) Object.defineProperty(globalThis, 'navigator', had);
    else delete globalThis.navigator;
  });
  const is = (onLine) => {
    navigator.onLine = onLine;
    target.dispatchEvent(new Event(onLine ? 'online' : 'offline'));
  };
  const k = await kit(t, { backoff: { cap: 20_000 } }).connected();
  is(false);
  assert.equal(k.client.state, 'checking');
  assert.deepEqual(k.socket.take(), [{ type: 4 }]);
  k.socket.end();
  assert.equal(k.of('state').at(-1).retryIn, 20_000, 'there is no hurry');
  is(true);
  await k.welcome({ recovered: true });
  assert.equal(k.client.state, 'connected');
  k.client.close();
  is(false);
  assert.equal(k.client.state, 'closed');
});

test('a listener may close the client in the middle of everything', async (t) => {
  for (const when of ['connecting', 'connected', 'waiting']) {
    const k = kit(t);
    k.client.on('state', ({ state }) => { if (state === when) k.client.close(); });
    k.client.connect();
    await rest();
    if (when !== 'connecting') {
      k.socket.open();
      k.socket.give({ type: 3, epoch: 'e', seq: 0, recovered: false, gaps: [[1, 2, 'lost']] });
      k.socket.end();
    }
    await k.tick(100_000);
    assert.equal(k.client.state, 'closed', when);
    assert.ok(k.sockets.length <= 1, when);
    t.mock.timers.reset();
    Math.random.mock.restore();
  }
});

test('a client that is closed because a message of an earlier run is too big stays closed', async (t) => {
  const store = new MemoryStore();
  await store.write([{ put: { id: 'm', n: 1, at: 0, frame: '{"type":0,"messageId":"m","data":1}' } }]);
  const k = await kit(t, { store }).connected();
  k.client.on('error', ({ code }) => { if (code === 'too_big') k.client.close(); });
  k.socket.end(1009);
  await k.tick(100_000);
  assert.deepEqual([k.client.state, k.sockets.length], ['closed', 1]);
});

test('a listener that fails is told of, and keeps nobody else from listening', async (t) => {
  const k = kit(t);
  const heard = [];
  k.client.on('state', () => { throw new Error('broken'); });
  const off = k.client.on('state', ({ state }) => heard.push(state));
  k.client.connect();
  assert.deepEqual(heard, ['connecting']);
  assert.deepEqual(k.of('error').map((e) => [e.code, e.cause.message]), [['listener', 'broken']]);
  off();
  k.client.close();
  assert.deepEqual(heard, ['connecting']);
});
