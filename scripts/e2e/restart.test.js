// What is kept outlives the process: kill -9, and a start on the same folder.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import WebSocket from 'ws';
import { Client, withoutTime } from './client.js';
import { Gateway, stratix, until } from './gateway.js';
import { delivered, onBoth, queued, sender, seqs } from './kept.js';
import { Resuming } from './resuming.js';

/** Ends the gateway with kill -9, holds its log to be whole, and starts it again. */
async function killed(gateway) {
  await gateway.kill();
  await gateway.verify();
  await gateway.revive();
}

onBoth('a client of stratix.v1 goes on after a kill -9 where it was', {}, async (gateway) => {
  let s = await sender(gateway);
  let c = await Client.resume(gateway, 'c');
  const { epoch } = c.welcome;
  for (let i = 1; i <= 5; i++) assert.deepEqual(await s.tell('c'), queued(i));
  await seqs(c, 1, 2, 3, 4, 5);
  c.send({ type: 1, seq: 2, also: [[4, 4]] });
  await c.nothingElse();
  await killed(gateway);
  const recovered = gateway.log.find((r) => r.msg.startsWith('recovered'));
  assert.ok(recovered, gateway.text());
  assert.ok(recovered.pending >= 2 && recovered.pending <= 5, recovered.line); // an acknowledgement may be lost with the process

  c = await Client.resume(gateway, 'c', { epoch, seq: 3 });
  const { gaps, ...welcome } = c.welcome;
  assert.deepEqual(welcome, { type: 3, epoch, seq: 3, last: 5, recovered: true });
  assert.equal(gaps, undefined);
  const [next] = await c.take(1);
  if (next.seq === 4) await seqs(c, 5);
  else assert.equal(next.seq, 5);
  await c.nothingElse();
  s = await sender(gateway);
  await s.tell('c', { messageId: 'after' });
  await seqs(c, 6);
});

onBoth('a repeat is known after a kill -9, and what became of the first', {}, async (gateway) => {
  let s = await sender(gateway);
  let c = await Client.resume(gateway, 'c');
  const { epoch } = c.welcome;
  await s.tell('c');
  await s.tell('c');
  await seqs(c, 1, 2);
  await killed(gateway);

  s = await sender(gateway);
  assert.deepEqual(await s.tell('c'), queued(1));
  c = await Client.resume(gateway, 'c', { epoch, seq: 1 });
  await seqs(c, 2);
  await c.nothingElse();
  assert.deepEqual(await s.tell('c'), queued(2));
  c.send({ type: 1, seq: 2 });
  await c.nothingElse();
  for (const n of [1, 2]) {
    assert.deepEqual(await s.ask({ type: 0, messageId: `m${n}`, to: 'c', data: n }), delivered(n));
  }
  assert.equal(await gateway.metric('stratix_repeats_total'), 4);
  await c.nothingElse();
});

onBoth('what expires while nobody is there is named after a kill -9, too', {}, async (gateway) => {
  const s = await sender(gateway);
  let c = await Client.resume(gateway, 'c');
  const { epoch } = c.welcome;
  await c.leave();
  await s.tell('c', { ttl: 1 });
  await s.tell('c');
  await s.tell('c', { ttl: 1 });
  await killed(gateway);
  await until('both to expire', async () => (await gateway.metric('stratix_gaps_total{cause="expired"}')) === 2);
  await until('the log to know that', async () => (await gateway.records('--kind', 'gone')).length === 2);
  const gaps = [[1, 1, 'expired'], [3, 3, 'expired']];
  for (let i = 0; i < 2; i++) {
    c = await Client.resume(gateway, 'c', { epoch, seq: 0 });
    assert.deepEqual(c.welcome, { type: 3, epoch, seq: 0, last: 3, recovered: true, gaps });
    await seqs(c, 2);
    await c.nothingElse();
    if (i === 0) await killed(gateway);
  }
  // A sender that comes again for the answer gets it.
  const again = await Client.open(gateway, 'sender');
  const { error, ...answer } = await again.ask({ type: 0, messageId: 'm1', to: 'c', data: 1 });
  assert.deepEqual(answer, { type: 2, messageId: 'm1', code: 'expired' }, error);
});

onBoth('messages wait for IDs, groups and prefixes that are offline, also over a kill -9', {}, async (gateway) => {
  let s = await sender(gateway);
  const member = await Client.resume(gateway, 'desk-1');
  const plain = await Client.open(gateway, 'desk-2');
  for (const c of [member, plain]) await c.ask({ type: 8, groups: ['room:1'] });
  await member.cut();
  await plain.cut();
  await until('the log to know the groups', async () => {
    const sessions = await gateway.records('--client', 'desk-1', '--kind', 'session');
    return sessions.at(-1)?.groups?.includes('room:1');
  });

  const send = async (tag) => {
    // The plain client's session has ended with its connection: its ID alone reaches it.
    const waits = { stored: 'disk', status: 'queued', queued: 1 };
    const f = async (messageId, to, counts) => {
      assert.deepEqual(await s.ask({ type: 0, messageId, to, data: messageId }), { type: 1, messageId, ...counts });
    };
    await f(`${tag} group`, { group: 'room:1' }, waits);
    await f(`${tag} prefix`, { prefix: 'desk-' }, waits);
    await f(`${tag} IDs`, ['desk-1', 'desk-2', 'new'], { ...waits, queued: 3 });
  };
  await send('before');
  await killed(gateway);
  s = await sender(gateway);
  await send('after');

  const f = async (c, ...want) => {
    assert.deepEqual((await c.take(want.length)).map((m) => m.data), want, c.ws.url);
    await c.nothingElse();
  };
  await f(await Client.resume(gateway, 'desk-1'), 'before group', 'before prefix', 'before IDs', 'after group', 'after prefix', 'after IDs');
  await f(await Client.open(gateway, 'desk-2'), 'before IDs', 'after IDs');
  await f(await Client.resume(gateway, 'new'), 'before IDs', 'after IDs');
});

onBoth('a kill -9 changes no groups of a client that is connected', {}, async (gateway) => {
  const joiner = await Client.resume(gateway, 'joiner');
  let leaver = await Client.resume(gateway, 'leaver');
  await leaver.ask({ type: 8, groups: ['room:2'] });
  await leaver.leave();
  await until('the log to know the group', async () => {
    const sessions = await gateway.records('--client', 'leaver', '--kind', 'session');
    return sessions.at(-1)?.groups?.includes('room:2');
  });
  leaver = await Client.resume(gateway, 'leaver', { epoch: leaver.welcome.epoch, seq: 0 });
  assert.deepEqual(await leaver.ask({ type: 9, groups: ['room:2'] }), { type: 1, left: ['room:2'] });
  assert.deepEqual(await joiner.ask({ type: 8, groups: ['room:1'] }), { type: 1, joined: ['room:1'] });
  let s = await sender(gateway);
  await s.tell('someone'); // a commit behind both
  await killed(gateway);
  s = await sender(gateway);
  const left = await s.ask({ type: 0, messageId: 'left', to: { group: 'room:2' }, data: 1 });
  const joined = await s.ask({ type: 0, messageId: 'joined', to: { group: 'room:1' }, data: 1 });
  assert.deepEqual([left.code, joined.queued], ['offline', 1]);
});

onBoth('a plain client gets what waited, once, also after a kill -9', {}, async (gateway) => {
  let s = await sender(gateway);
  for (let i = 1; i <= 3; i++) assert.deepEqual(await s.tell('c'), queued(i));
  const f = async (...want) => {
    const c = await Client.open(gateway, 'c');
    for (const [i, data] of want.entries()) {
      assert.deepEqual(withoutTime(await c.next()), { type: 0, seq: i + 1, from: 'sender', messageId: `m${data}`, data });
    }
    await c.nothingElse();
    assert.equal(await gateway.metric('stratix_pending_messages'), 0);
    await c.leave();
  };
  await f(1, 2, 3);
  await f();
  await s.tell('c');
  await killed(gateway);
  s = await sender(gateway);
  for (let i = 1; i <= 4; i++) await s.tell('c'); // repeats
  await s.tell('c');
  await f(4, 5);
});

onBoth('what was in memory only is named as lost after a kill -9', { main: `
  pipeline {
    function(msg) if msg:get("data.memory") then msg:store("memory") end end,
    stage.disk {},
    stage.ring {},
  }` }, async (gateway) => {
  const s = await sender(gateway);
  let c = await Client.resume(gateway, 'c');
  const { epoch } = c.welcome;
  await c.leave();
  assert.deepEqual(await s.tell('c'), queued(1));
  assert.deepEqual(await s.tell('c', { data: { memory: true } }), { ...queued(2), stored: 'memory' });
  assert.deepEqual(await s.tell('c'), queued(3));
  await killed(gateway);
  c = await Client.resume(gateway, 'c', { epoch, seq: 0 });
  const { epoch: another, ...welcome } = c.welcome;
  assert.notEqual(another, epoch);
  assert.deepEqual(welcome, { type: 3, seq: 0, last: 3, recovered: false, gaps: [[2, 2, 'lost']] });
  await seqs(c, 1, 3);
  await c.nothingElse();
});

onBoth('a stream between two clients that send again loses and repeats nothing over three kill -9', {}, async (gateway, t) => {
  const n = 2000; // messages each way
  const a = new Resuming(WebSocket, gateway.url('a'));
  const b = new Resuming(WebSocket, gateway.url('b'));
  t.after(() => [a, b].forEach((c) => c.close()));
  const stream = async (me, to) => {
    for (let i = 0; i < n; i++) {
      me.send({ type: 0, messageId: `m${i}`, to, data: i });
      while (!me.over && me.unanswered.size >= 32) await sleep(1);
    }
  };
  const streams = Promise.all([stream(a, 'b'), stream(b, 'a')]);
  for (const some of [n / 4, n / 2, 3 * n / 4]) {
    await until(`${some} to have come to both`, () => Math.min(a.received.length, b.received.length) >= some);
    assert.ok(Math.max(a.received.length, b.received.length) < n, 'it is in the middle of the stream');
    await killed(gateway);
  }
  await until('all to have come', () => Math.min(a.received.length, b.received.length) >= n);
  await until('all to be answered', () => a.unanswered.size + b.unanswered.size === 0);
  await streams;
  for (const [me, peer] of [[a, 'b'], [b, 'a']]) {
    assert.deepEqual(me.received.map((m) => [m.from, m.data]), Array.from({ length: n }, (_, i) => [peer, i]));
    assert.deepEqual([me.twice, me.lost], [[], []]);
    assert.deepEqual([...me.answers.values()].filter((f) => f.stored !== 'disk'), []);
    assert.deepEqual(me.hellos.map((h) => h.recovered), [false, true, true, true]);
    assert.deepEqual([...me.seqs].sort((x, y) => x - y), Array.from({ length: n }, (_, i) => i + 1));
  }
  await until('all to be acknowledged', async () => (await gateway.metric('stratix_pending_messages')) === 0);
});

test('a second gateway on the same data folder does not start, says why, and disturbs nothing', async (t) => {
  const gateway = await Gateway.start(t);
  const s = await sender(gateway);
  await s.tell('c');
  const second = await stratix('serve', '--listen', '127.0.0.1:0', '--admin', 'off', '--scripts', gateway.folder, '--data', gateway.data);
  assert.equal(second.code, 1, second.stderr);
  assert.ok(second.stderr.includes('another gateway uses') && second.stderr.includes(gateway.data), second.stderr);
  assert.deepEqual(await s.tell('c'), queued(2));
  await gateway.verify(); // while it runs

  await killed(gateway); // a process that is gone holds nothing
  await seqs(await Client.resume(gateway, 'c'), 1, 2);
});
