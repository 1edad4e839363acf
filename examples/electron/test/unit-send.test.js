// Sending: answers, errors, order, what is sent again, and the outbox's bounds.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { MemoryStore, StratixClient, StratixError } from 'stratix-client';
import { ackOf, kit, outcome, rest } from './kit.js';

const idsOf = (frames) => frames.map((f) => f.messageId);

test('send resolves with what the gateway says', async (t) => {
  const { client, socket } = await kit(t).connected();
  const sending = client.send({ text: 'x' }, { to: ['a', 'b'], priority: 7, ttl: 30, headers: { k: 'v' }, receipt: true, messageId: 'm' });
  await rest();
  assert.deepEqual(socket.take(), [
    { type: 0, messageId: 'm', data: { text: 'x' }, to: ['a', 'b'], headers: { k: 'v' }, priority: 7, receipt: true, ttl: 30 },
  ]);
  assert.deepEqual(client.outbox.messages, 1);
  socket.give(ackOf('m', { delivered: 1, queued: 1 }));
  assert.deepEqual(await sending, { messageId: 'm', stored: 'disk', status: 'queued', delivered: 1, queued: 1 });
  assert.deepEqual(client.outbox, { messages: 0, bytes: 0 });
});

test('send rejects with the gateway\'s code', async (t) => {
  const f = async (code, retryable) => {
    const sending = client.send(1, { messageId: code });
    await rest();
    socket.give({ type: 2, messageId: code, code, error: 'why' });
    const error = await sending.catch((e) => e);
    assert.ok(error instanceof StratixError && error instanceof Error);
    assert.deepEqual([error.code, error.message, error.messageId, error.retryable], [code, 'why', code, retryable]);
  };
  const { client, socket } = await kit(t).connected();
  await f('no_route', false);
  await f('offline', false);
  await f('overflow', true);
  await f('upstream_full', true);
  await f('rate_limited', true);
  await f('storage_full', true);
  await f('storage_failed', true);
});

test('an error says when the gateway takes more', async (t) => {
  const k = await kit(t).connected();
  const sending = k.client.send(1, { messageId: 'm' });
  await rest();
  k.socket.give({ type: 2, messageId: 'm', code: 'rate_limited', error: 'why', retryAfter: 120 }, { type: 2, code: 'rate_limited', error: 'why', retryAfter: 130 });
  assert.equal((await sending.catch((e) => e)).retryAfter, 120);
  assert.equal(k.of('error')[0].retryAfter, 130);
});

test('what the gateway could not answer is refused here', async (t) => {
  const k = await kit(t).connected();
  const circle = {};
  circle.circle = circle;
  const f = async (data, options) => assert.equal((await outcome(k.client.send(data, options))).code, 'bad_option');
  await f(1, { messageId: '' });
  await f(1, { messageId: 'é'.repeat(65) });
  await f(circle);
  await f(1n);
  assert.equal((await outcome(k.client.request(circle))).code, 'bad_option');
  assert.deepEqual([k.socket.take(), k.client.outbox.messages], [[], 0]);
});

test('a receipt that comes later is an event, and so is that it never will', async (t) => {
  const k = await kit(t).connected();
  const sending = k.client.send(1, { messageId: 'm', receipt: true });
  await rest();
  k.socket.give(ackOf('m'), ackOf('m', { status: 'delivered' }), { type: 2, messageId: 'm', code: 'expired', error: 'too late' });
  await sending;
  assert.deepEqual(k.of('ack').map((a) => a.status), ['queued', 'delivered']);
  assert.deepEqual(k.of('error').map((e) => [e.code, e.messageId]), [['expired', 'm']]);
});

test('what was sent before the connection goes out in order, each with an ID of its own', async (t) => {
  const k = kit(t);
  for (let i = 0; i < 3; i++) k.client.send(i);
  await k.connected();
  const frames = k.socket.take();
  assert.deepEqual(frames.map((f) => f.data), [0, 1, 2]);
  assert.equal(new Set(idsOf(frames)).size, 3);
});

test('what was not answered is sent again with the same messageId, in order, before anything new', async (t) => {
  const k = await kit(t).connected();
  for (let i = 1; i <= 4; i++) k.client.send(i, { messageId: `m${i}` });
  await rest();
  k.socket.give(ackOf('m2'));
  k.socket.end();
  k.client.send(5, { messageId: 'm5' });
  await k.tick(10_000);
  await k.welcome({ recovered: true });
  assert.deepEqual(idsOf(k.socket.take()), ['m1', 'm3', 'm4', 'm5']);
});

test('no more than inFlight go out without an answer', async (t) => {
  const k = await kit(t, { inFlight: 2 }).connected();
  for (let i = 1; i <= 5; i++) k.client.send(i, { messageId: `m${i}` });
  await rest();
  assert.deepEqual(idsOf(k.socket.take()), ['m1', 'm2']);
  k.socket.give(ackOf('m1'));
  assert.deepEqual(idsOf(k.socket.take()), ['m3']);
  k.socket.give(ackOf('m3'), ackOf('m2'));
  assert.deepEqual(idsOf(k.socket.take()), ['m4', 'm5']);
});

test('a timeout withdraws a message, and says whether it was on the wire', async (t) => {
  const k = kit(t);
  const early = k.client.send(1, { timeout: 100 });
  await k.tick(99);
  assert.equal(await outcome(early), 'pending');
  await k.tick(1);
  assert.deepEqual(await outcome(early), { code: 'timeout', sent: false, kept: undefined });
  await k.connected();
  assert.deepEqual(k.socket.take(), []);
  const late = k.client.send(2, { timeout: 100 });
  await k.tick(100);
  assert.deepEqual(await outcome(late), { code: 'timeout', sent: true, kept: undefined });
  assert.deepEqual(k.client.outbox, { messages: 0, bytes: 0 });
});

test('a signal withdraws a message', async (t) => {
  const k = kit(t);
  const stop = new AbortController();
  const sending = k.client.send(1, { signal: stop.signal });
  await rest();
  stop.abort();
  assert.equal((await outcome(sending)).code, 'aborted');
  assert.equal((await outcome(k.client.send(1, { signal: stop.signal }))).code, 'aborted');
  await k.connected();
  assert.deepEqual(k.socket.take(), []);
});

test('the ttl counts while a message waits here, and what is too late does not go out', async (t) => {
  const k = kit(t);
  const short = k.client.send('short', { ttl: 5 });
  k.client.send('long', { ttl: 60 });
  await k.tick(20_500);
  await k.connected();
  assert.deepEqual(k.socket.take().map((f) => [f.data, f.ttl]), [['long', 40]]);
  assert.deepEqual(await outcome(short), { code: 'expired', sent: false, kept: undefined });
});

test('a clock that is set back makes no ttl longer', async (t) => {
  const k = kit(t);
  k.client.send(1, { ttl: 60 });
  await rest();
  t.mock.timers.setTime(1_600_000_000_000);
  await k.connected();
  assert.equal(k.socket.take()[0].ttl, 60);
});

test('the outbox is bounded by count and by bytes', async (t) => {
  const k = kit(t, { outbox: { messages: 2, bytes: 420 } });
  const f = async (data, want) => {
    const sending = k.client.send(data);
    const got = await outcome(sending);
    assert.equal(got.code ?? got, want, JSON.stringify(data).slice(0, 20));
  };
  await f('é'.repeat(200), 'outbox_full'); // 400 bytes and the frame
  await f('x'.repeat(300), 'pending');
  await f('x'.repeat(100), 'outbox_full');
  await f('x', 'pending');
  await f('x', 'outbox_full');
});

test('drop_oldest gives up the oldest that was never on the wire', async (t) => {
  const k = await kit(t, { inFlight: 1, outbox: { messages: 3, full: 'drop_oldest' } }).connected();
  const all = [1, 2, 3, 4, 5].map((i) => k.client.send(i));
  const codes = await Promise.all(all.map(async (p) => (await outcome(p)).code));
  assert.deepEqual(codes, [undefined, 'outbox_dropped', 'outbox_dropped', undefined, undefined]);
});

test('wait takes a message in when there is room, in order', async (t) => {
  const k = await kit(t, { outbox: { messages: 2, full: 'wait' } }).connected();
  const all = [1, 2, 3, 4].map((i) => k.client.send(i, { messageId: `m${i}` }));
  await rest();
  assert.equal(k.client.outbox.messages, 2);
  assert.deepEqual(idsOf(k.socket.take()), ['m1', 'm2']);
  k.socket.give(ackOf('m2'));
  assert.deepEqual(idsOf(k.socket.take()), ['m3']);
  k.socket.give(ackOf('m1'), ackOf('m3'), ackOf('m4'));
  await Promise.all(all);
  await rest();
  assert.equal(k.of('drain').length, 1);
});

test('the largest goes when the gateway says that one was too big, and the others are sent again', async (t) => {
  const k = await kit(t).connected();
  const small = k.client.send('small', { messageId: 'small' });
  const big = k.client.send('big'.repeat(99), { messageId: 'big' });
  await rest();
  k.socket.end(1009, 'too big');
  assert.deepEqual(await outcome(big), { code: 'too_big', sent: true, kept: undefined });
  await k.tick(10_000);
  await k.welcome({ recovered: true });
  assert.deepEqual(idsOf(k.socket.take()), ['small']);
  k.socket.give(ackOf('small'));
  await small;
});

test('a request resolves with its answer, of a client or of a script', async (t) => {
  const k = await kit(t).connected();
  const seen = [];
  k.client.onMessage((m) => seen.push(m.data));
  const f = async (answer) => {
    const asking = k.client.request('price?', { to: 'desk', messageId: 'q', headers: { a: 'b' } });
    await rest();
    assert.deepEqual(k.socket.take()[0], { type: 0, messageId: 'q', data: 'price?', to: 'desk', headers: { a: 'b' } });
    k.socket.give(ackOf('q'), { type: 0, ts: 1, ...answer });
    assert.equal((await asking).data, 42);
  };
  await f({ seq: 1, from: 'desk', messageId: 'r1', data: 42, headers: { 'stratix-reply-to': 'q' } });
  await f({ messageId: 'q', data: 42 });
  assert.deepEqual(seen, []);

  const asking = k.client.request('price?', { timeout: 1000, messageId: 'late' });
  await k.tick(1000);
  assert.equal((await outcome(asking)).code, 'timeout');
  k.socket.give({ type: 0, ts: 1, from: 'desk', messageId: 'r2', data: 43, headers: { 'stratix-reply-to': 'late' } });
  assert.deepEqual(seen, [43]);
  const refused = k.client.request('price?', { messageId: 'no' });
  await rest();
  k.socket.give({ type: 2, messageId: 'no', code: 'no_route', error: 'nobody' });
  assert.equal((await outcome(refused)).code, 'no_route');
});

test('a request that was accepted ends with its signal, its timeout, and the client', async (t) => {
  const f = async (want, end, options) => {
    const k = await kit(t).connected();
    const asking = k.client.request('price?', { ...options, messageId: 'q' });
    await rest();
    k.socket.give(ackOf('q'));
    assert.equal(await outcome(asking), 'pending');
    await end(k);
    assert.equal((await outcome(asking)).code, want);
    t.mock.timers.reset();
    Math.random.mock.restore();
  };
  const stop = new AbortController();
  await f('aborted', () => stop.abort(), { signal: stop.signal });
  await f('timeout', (k) => k.tick(30_000), { timeout: undefined });
  await f('closed', (k) => k.client.close());
  await f('replaced', (k) => k.socket.end(4001));
});

test('a request that was not accepted says at the end of the client what becomes of it', async (t) => {
  const k = await kit(t, { store: new MemoryStore() }).connected();
  const asking = k.client.request('price?');
  await rest();
  k.client.close();
  assert.deepEqual(await outcome(asking), { code: 'closed', sent: true, kept: true });
});

test('reply goes to the sender and names what it answers', async (t) => {
  const k = await kit(t).connected();
  k.client.onMessage((m) => { m.reply('fine', { priority: 1 }); });
  k.socket.give({ type: 0, seq: 1, from: 'you', messageId: 'q', data: 'how?', ts: 1 });
  await rest();
  const { messageId, ...frame } = k.socket.take()[0];
  assert.deepEqual(frame, { type: 0, data: 'fine', to: 'you', headers: { 'stratix-reply-to': 'q' }, priority: 1 });
});

test('groups are joined again when the gateway has forgotten the client', async (t) => {
  const k = await kit(t).connected();
  const joining = k.client.join('room:1', 'room:2');
  const [frame] = k.socket.take();
  assert.deepEqual(frame, { type: 8, messageId: frame.messageId, groups: ['room:1', 'room:2'] });
  k.socket.give({ type: 1, messageId: frame.messageId, joined: frame.groups });
  await joining;
  const no = k.client.join('secret');
  k.socket.give({ type: 2, messageId: k.socket.take()[0].messageId, code: 'forbidden', error: 'no' });
  assert.equal((await outcome(no)).code, 'forbidden');
  k.client.leave('room:2'); // and the answer is lost
  assert.deepEqual(k.socket.take()[0].groups, ['room:2']);
  k.socket.end();
  await k.tick(10_000);
  await k.welcome({ epoch: 'e2' });
  assert.deepEqual(k.socket.take().map((f) => [f.type, f.groups]), [[9, ['room:2']], [8, ['room:1']]]);
});

test('close rejects what is not answered; a store keeps it, and the next client sends it', async (t) => {
  const k = await kit(t).connected();
  const lost = k.client.send(1);
  await rest();
  await k.client.close();
  assert.deepEqual(await outcome(lost), { code: 'closed', sent: true, kept: false });
  assert.equal((await outcome(k.client.send(2))).code, 'closed');
  assert.equal(k.socket.closedWith, 1000);
  t.mock.timers.reset();

  const store = new MemoryStore();
  const first = await kit(t, { store }).connected();
  const kept = [1, 2].map((i) => first.client.send(i, { messageId: `m${i}` }));
  await rest();
  first.socket.give(ackOf('m1'));
  await first.client.close();
  assert.deepEqual(await outcome(kept[1]), { code: 'closed', sent: true, kept: true });
  t.mock.timers.reset();
  const second = await kit(t, { store }).connected();
  second.client.send(3, { messageId: 'm3' });
  await rest();
  assert.deepEqual(second.socket.take().map((f) => [f.messageId, f.data]), [['m2', 2], ['m3', 3]]);
  second.socket.give(ackOf('m2'));
  assert.deepEqual(second.of('ack').map((a) => a.messageId), ['m2']);
});

test('a message goes out when the store has it, and not if it fails', async (t) => {
  let finish;
  const store = { load: async () => ({ entries: [] }), write: () => new Promise((resolve, reject) => { finish = { resolve, reject }; }) };
  const k = await kit(t, { store }).connected();
  finish.resolve(); // the position
  await rest();
  const sending = k.client.send(1, { messageId: 'm' });
  await rest();
  assert.deepEqual(k.socket.take(), []);
  finish.resolve();
  await rest();
  assert.deepEqual(idsOf(k.socket.take()), ['m']);
  k.socket.give(ackOf('m'));
  await sending;
  finish.resolve();
  const failing = k.client.send(2);
  await rest();
  finish.reject(new Error('no room'));
  assert.equal((await outcome(failing)).code, 'store');
  finish.resolve();
});

test('a store that cannot be read ends the attempt', async (t) => {
  const k = kit(t, { store: { load: () => Promise.reject(new Error('broken')), write: async () => {} } });
  assert.equal((await outcome(k.client.connect())).code, 'store');
  assert.equal(k.client.state, 'closed');
});

test('options that cannot work are refused at once', () => {
  const f = (options) => assert.throws(() => new StratixClient({ clientId: 'a', gatewayUrl: 'ws://x/ws', WebSocket: class {}, ...options }), { code: 'bad_option' });
  f({ clientId: '' });
  f({ clientId: 'é'.repeat(65) });
  f({ gatewayUrl: 'http://x/ws' });
});
