// Receiving: acknowledgements, what comes twice, gaps, another epoch, slow listeners, the iterator.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { MemoryStore } from 'stratix-client';
import { kit, rest } from './kit.js';

const message = (seq, more = {}) => ({ type: 0, seq, from: 'you', messageId: `m${seq}`, data: seq, ts: 1000 + seq, ...more });

/** A connected kit that writes down what comes. */
async function listening(t, options) {
  const k = kit(t, options);
  k.seen = [];
  k.client.onMessage((m) => { k.seen.push(m.data); });
  await k.connected();
  return k;
}

test('a message has what the wire says of it', async (t) => {
  const k = kit(t);
  const seen = [];
  k.client.onMessage(({ reply, ...m }) => { seen.push(m); });
  await k.connected();
  k.socket.give(message(1, { headers: { k: 'v' } }), { type: 0, data: null, ts: 5 });
  assert.deepEqual(seen, [
    { data: 1, from: 'you', messageId: 'm1', seq: 1, ts: 1001, headers: { k: 'v' } },
    { data: null, from: undefined, messageId: undefined, seq: undefined, ts: 5, headers: {} },
  ]);
});

test('messages are acknowledged together: within 50 ms, or 32 of them', async (t) => {
  const k = await listening(t);
  k.socket.give(message(1), message(2));
  await k.tick(49);
  assert.deepEqual(k.socket.take(), []);
  await k.tick(1);
  assert.deepEqual(k.socket.take(), [{ type: 1, seq: 2 }]);
  for (let seq = 3; seq <= 34; seq++) k.socket.give(message(seq));
  assert.deepEqual(k.socket.take(), [{ type: 1, seq: 34 }]);
  await k.tick(1000);
  assert.deepEqual(k.socket.take(), []);
});

test('what overtakes is acknowledged in ranges', async (t) => {
  const k = await listening(t);
  for (const seq of [4, 6, 1, 7, 9]) k.socket.give(message(seq));
  await k.tick(50);
  assert.deepEqual(k.socket.take(), [{ type: 1, seq: 1, also: [[4, 4], [6, 7], [9, 9]] }]);
  for (const seq of [5, 2, 8]) k.socket.give(message(seq));
  await k.tick(50);
  assert.deepEqual(k.socket.take(), [{ type: 1, seq: 2, also: [[4, 9]] }]);
  k.socket.give(message(3));
  await k.tick(50);
  assert.deepEqual(k.socket.take(), [{ type: 1, seq: 9 }]);
});

test('the hello after a break says what came, and what comes again is dropped', async (t) => {
  const k = await listening(t);
  for (const seq of [1, 2, 4]) k.socket.give(message(seq));
  k.socket.end();
  await k.tick(30_000);
  assert.deepEqual(await k.welcome({ recovered: true, seq: 2 }), { type: 3, epoch: 'e1', seq: 2, also: [[4, 4]] });
  k.socket.give(message(4), message(3), message(3), message(5));
  assert.deepEqual(k.seen, [1, 2, 4, 3, 5]);
  assert.deepEqual(k.of('gap'), []);
});

test('a gateway that knows more than the client is believed', async (t) => {
  const k = await listening(t);
  k.socket.end();
  await k.tick(30_000);
  await k.welcome({ recovered: true, seq: 7 });
  k.socket.give(message(7), message(8));
  assert.deepEqual(k.seen, [8]);
});

test('another epoch is surfaced, and what came before is known by its sender and messageId', async (t) => {
  const k = await listening(t);
  k.socket.give(message(1), message(2));
  k.socket.end();
  await k.tick(30_000);
  await k.welcome({ epoch: 'e2', seq: 0 });
  assert.deepEqual(k.of('gap'), [{ from: 0, to: 0, cause: 'reset' }]);
  k.socket.give(message(1, { messageId: 'm2', data: 'again' }), message(2, { messageId: 'm3' }), message(3, { from: 'another', messageId: 'm2' }));
  assert.deepEqual(k.seen, [1, 2, 2, 3]);
  await k.tick(50);
  assert.deepEqual(k.socket.take(), [{ type: 1, seq: 3 }]);
});

test('what comes before the answer to a slow hello is taken by its seqs, and acknowledged', async (t) => {
  const f = async (answer, early, want) => {
    const k = await listening(t);
    k.socket.give(message(1), message(2), message(3));
    await k.tick(50);
    k.socket.end();
    await k.tick(30_000);
    k.socket.open();
    k.socket.give(...early);
    assert.deepEqual(k.seen, [1, 2, 3]);
    k.socket.take();
    k.socket.give({ type: 3, ...answer });
    k.socket.give(message(9, { messageId: 'last' }));
    await k.tick(50);
    assert.deepEqual({ seen: k.seen.slice(3), gaps: k.of('gap').map((g) => [g.from, g.to, g.cause]), said: k.socket.take() }, want);
    t.mock.timers.reset();
    Math.random.mock.restore();
  };
  await f({ epoch: 'e1', seq: 3, recovered: true }, [message(4)], { seen: [4, 9], gaps: [], said: [{ type: 1, seq: 4, also: [[9, 9]] }] });
  const early = [message(1, { from: undefined, data: 'new' }), { type: 7, gaps: [[2, 2, 'expired']] }];
  await f({ epoch: 'e2', seq: 0, recovered: false, gaps: [[2, 2, 'expired']] }, early, {
    seen: ['new', 9], gaps: [[0, 0, 'reset'], [2, 2, 'expired']], said: [{ type: 1, seq: 2, also: [[9, 9]] }],
  });
});

test('whoever closes the client at the first of what came early gets none of the others', async (t) => {
  const k = kit(t);
  const seen = [];
  k.client.onMessage((m) => { seen.push(m.data); k.client.close(); });
  k.client.connect();
  await rest();
  k.socket.open();
  k.socket.give(message(1), message(2), { type: 3, epoch: 'e1', seq: 0, recovered: false });
  assert.deepEqual(seen, [1]);
});

test('what came early on a connection that ended without an answer is forgotten', async (t) => {
  const k = kit(t);
  const seen = [];
  k.client.onMessage((m) => { seen.push(m.data); });
  k.client.connect();
  await rest();
  k.socket.open();
  k.socket.give(message(1));
  k.socket.end();
  await k.tick(30_000);
  await k.welcome({ epoch: 'e2' });
  k.socket.give(message(1, { messageId: 'other', data: 'of e2' }));
  assert.deepEqual(seen, ['of e2']);
});

test('a gap is told once, acknowledged, and not told where it is none', async (t) => {
  const k = await listening(t);
  k.socket.give(message(2), { type: 7, gaps: [[1, 4, 'expired'], [7, 9, 'overflow']] });
  assert.deepEqual(k.of('gap'), [
    { from: 1, to: 1, cause: 'expired' }, { from: 3, to: 4, cause: 'expired' }, { from: 7, to: 9, cause: 'overflow' },
  ]);
  await k.tick(50);
  assert.deepEqual(k.socket.take(), [{ type: 1, seq: 4, also: [[7, 9]] }]);
  k.socket.end();
  await k.tick(30_000);
  await k.welcome({ recovered: true, seq: 2, gaps: [[3, 4, 'expired'], [7, 10, 'overflow'], [12, 1e12, 'settled']] });
  assert.deepEqual(k.of('gap').slice(3), [{ from: 10, to: 10, cause: 'overflow' }]);
  await k.tick(50);
  assert.deepEqual(k.socket.take(), [{ type: 1, seq: 4, also: [[7, 10], [12, 1e12]] }]);
});

test('a message is acknowledged when its listeners are done', async (t) => {
  const k = kit(t);
  const finish = [];
  k.client.onMessage(() => new Promise((resolve, reject) => { finish.push({ resolve, reject }); }));
  k.client.onMessage(() => {});
  await k.connected();
  k.socket.give(message(1), message(2), message(3));
  finish[1].resolve();
  await k.tick(50);
  assert.deepEqual(k.socket.take(), [{ type: 1, seq: 0, also: [[2, 2]] }]);
  k.socket.end();
  await k.tick(30_000);
  await k.welcome({ recovered: true });
  k.socket.give(message(1), message(3)); // it is at work on them
  assert.equal(finish.length, 3);
  finish[0].reject(new Error('broken'));
  finish[2].resolve();
  await k.tick(50);
  assert.deepEqual(k.socket.take(), [{ type: 1, seq: 3 }]);
  assert.deepEqual(k.of('error').map((e) => [e.code, e.cause.message]), [['listener', 'broken']]);
});

test('work on a message of an epoch that is over acknowledges nothing of the new one', async (t) => {
  const k = kit(t);
  let finish;
  k.client.onMessage(() => new Promise((resolve) => { finish = resolve; }));
  await k.connected();
  k.socket.give(message(5));
  k.socket.end();
  await k.tick(30_000);
  await k.welcome({ epoch: 'e2' });
  k.socket.give(message(1, { messageId: 'm5' })); // the same message
  await k.tick(50);
  assert.deepEqual(k.socket.take(), [], 'it is not done');
  finish();
  await k.tick(50);
  assert.deepEqual(k.socket.take(), [{ type: 1, seq: 1 }]);
});

test('messages wait for the first listener, unacknowledged and in order', async (t) => {
  const k = await kit(t).connected();
  k.socket.give(message(1), message(2));
  await k.tick(50);
  assert.deepEqual(k.socket.take(), []);
  const seen = [];
  k.client.onMessage((m) => { seen.push(m.data); });
  k.socket.give(message(3));
  assert.deepEqual(seen, []);
  await rest();
  assert.deepEqual(seen, [1, 2, 3]);
  await k.tick(50);
  assert.deepEqual(k.socket.take(), [{ type: 1, seq: 3 }]);
});

test('messages that the gateway does not keep wait in bounds', async (t) => {
  const k = await kit(t).connected();
  for (let i = 0; i < 5000; i++) k.socket.give({ type: 0, from: 'you', data: i, ts: 1 });
  k.socket.give(message(1, { data: 'kept' }));
  const seen = [];
  k.client.onMessage((m) => { seen.push(m.data); });
  await rest();
  assert.deepEqual([seen.length, seen[0], seen[4095], seen[4096]], [4097, 0, 4095, 'kept']);
});

test('the iterator acknowledges a message when it is asked for the next, and gives back what it did not get to', async (t) => {
  const k = await kit(t).connected();
  const seen = [];
  let go;
  const loop = (async () => {
    for await (const m of k.client) {
      seen.push(m.data);
      if (m.data === 3) break;
      await new Promise((resolve) => { go = resolve; });
    }
  })();
  await rest();
  k.socket.give(message(1), message(2), message(3), message(4));
  await k.tick(50);
  assert.deepEqual([seen, k.socket.take()], [[1], []]);
  go();
  await k.tick(50);
  assert.deepEqual([seen, k.socket.take()], [[1, 2], [{ type: 1, seq: 1 }]]);
  go();
  await loop;
  await k.tick(50);
  assert.deepEqual(k.socket.take(), [{ type: 1, seq: 3 }]);
  k.client.onMessage((m) => { seen.push(`later ${m.data}`); });
  await k.tick(50);
  assert.deepEqual([seen, k.socket.take()], [[1, 2, 3, 'later 4'], [{ type: 1, seq: 4 }]]);
});

test('the iterator ends when the client is closed', async (t) => {
  const k = await kit(t).connected();
  const loop = (async () => { for await (const _ of k.client) assert.fail('nothing came'); })();
  await rest();
  k.client.close();
  await loop;
});

test('the position outlives the client, and what was acknowledged is said at the close', async (t) => {
  const store = new MemoryStore();
  const first = await listening(t, { store });
  first.socket.give(message(1), message(2), message(4));
  first.client.close();
  assert.deepEqual(first.socket.take(), [{ type: 1, seq: 2, also: [[4, 4]] }]);
  await rest();
  t.mock.timers.reset();
  Math.random.mock.restore();
  const second = kit(t, { store });
  second.client.connect();
  assert.deepEqual(await second.welcome({ recovered: true, seq: 2 }), { type: 3, epoch: 'e1', seq: 2, also: [[4, 4]] });
});

test('what a break cut off before its acknowledgement is kept as had', async (t) => {
  const store = new MemoryStore();
  const k = await listening(t, { store });
  k.socket.give(message(1));
  k.socket.end();
  await rest();
  assert.deepEqual((await store.load()).position, { epoch: 'e1', seq: 1, also: [] });
});

test('a listener that is done after the close writes nothing to a store that may be another client\'s', async (t) => {
  const store = new MemoryStore();
  const k = kit(t, { store });
  let finish;
  k.client.onMessage(() => new Promise((resolve) => { finish = resolve; }));
  await k.connected();
  k.socket.give(message(1));
  await k.client.close();
  const before = await store.load();
  finish();
  await k.tick(1000);
  assert.deepEqual(await store.load(), before);
});

test('what is no JSON, and errors that name no message, are told', async (t) => {
  const k = await kit(t).connected();
  k.socket.onmessage({ data: '{' });
  k.socket.give({ type: 2, code: 'bad_message', error: 'why' }, { type: 99 });
  assert.deepEqual(k.of('error').map((e) => e.code), ['connection', 'bad_message']);
  assert.equal(k.client.state, 'connected');
});
