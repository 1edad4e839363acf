// Clients of stratix.v1 on one connection after the other: what they are told,
// what comes, and what comes again.
import assert from 'node:assert/strict';
import { describe } from 'node:test';
import { Client, withoutTime } from './client.js';
import { until } from './gateway.js';
import { delivered, onBoth, queued, sender, seqs } from './kept.js';

describe('a client of stratix.v1', () => {
  onBoth('says hello, acknowledges, and is told where it stands', {}, async (gateway) => {
    let c = await Client.resume(gateway, 'c');
    const { epoch, ...rest } = c.welcome;
    assert.match(epoch, /^[0-9a-f]{16}$/);
    assert.deepEqual(rest, { type: 3, seq: 0, last: 0, recovered: false });

    const s = await sender(gateway);
    assert.deepEqual(await s.tell('c'), queued(1));
    assert.deepEqual(withoutTime(await c.next()), { type: 0, seq: 1, from: 'sender', messageId: 'm1', data: 1 });
    assert.equal(await gateway.metric('stratix_pending_messages'), 1);
    c.send({ type: 1, seq: 1 });
    await c.nothingElse();
    assert.equal(await gateway.metric('stratix_pending_messages'), 0);

    await c.leave();
    c = await Client.resume(gateway, 'c', { epoch, seq: 1 });
    assert.deepEqual(c.welcome, { type: 3, epoch, seq: 1, last: 1, recovered: true });
    await c.nothingElse();
  });

  onBoth('acknowledges ranges, and gets what is between them again', {}, async (gateway) => {
    const s = await sender(gateway);
    let c = await Client.resume(gateway, 'c');
    const { epoch } = c.welcome;
    for (let i = 1; i <= 8; i++) await s.tell('c');
    await seqs(c, 1, 2, 3, 4, 5, 6, 7, 8);
    c.send({ type: 1, seq: 1, also: [[3, 4], [6, 6]] });
    await c.nothingElse();
    await c.cut();

    c = await Client.resume(gateway, 'c', { epoch, seq: 1 });
    assert.deepEqual(c.welcome, { type: 3, epoch, seq: 1, last: 8, recovered: true });
    await seqs(c, 2, 5, 7, 8);
    await c.nothingElse();
    await c.cut();

    c = await Client.resume(gateway, 'c', { epoch, seq: 2, also: [[7, 7]] });
    await seqs(c, 5, 8);
    await c.cut();

    // One that has forgotten what it had gets nothing again that it acknowledged.
    c = await Client.resume(gateway, 'c');
    assert.deepEqual(c.welcome, { type: 3, epoch, seq: 4, last: 8, recovered: false, gaps: [[6, 7, 'settled']] });
    await seqs(c, 5, 8);
    await c.nothingElse();
  });

  onBoth('that acknowledges what is no range, or was not given, is told so and loses nothing', {}, async (gateway) => {
    const s = await sender(gateway);
    const c = await Client.resume(gateway, 'c');
    await s.tell('c');
    await c.next();
    const f = async (frame) => {
      const { error, ...rest } = await c.ask(frame);
      assert.ok(error, frame);
      assert.deepEqual(rest, { type: 2, code: 'bad_message' }, frame);
      assert.equal(await gateway.metric('stratix_pending_messages'), 1, frame);
    };
    await f('{"type":1,"seq":2}');
    await f('{"type":1,"seq":-1}');
    await f('{"type":1,"seq":"1"}');
    await f('{"type":1,"seq":0,"also":[1,1]}');
    await f('{"type":1,"seq":0,"also":[[1]]}');
    await f('{"type":1,"seq":0,"also":[[2,1]]}');
    await f('{"type":3,"epoch":"x","seq":0.5}');
    await c.nothingElse();
  });

  onBoth('goes on after a cut where it was', {}, async (gateway) => {
    const s = await sender(gateway);
    let c = await Client.resume(gateway, 'c');
    const { epoch } = c.welcome;
    for (let i = 1; i <= 10; i++) await s.tell('c');
    await seqs(c, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10);
    c.send({ type: 1, seq: 4 });
    await c.nothingElse();
    await c.cut();
    for (let i = 11; i <= 13; i++) assert.deepEqual(await s.tell('c'), queued(i));

    c = await Client.resume(gateway, 'c', { epoch, seq: 9 }); // it had more than it could say
    assert.deepEqual(c.welcome, { type: 3, epoch, seq: 9, last: 13, recovered: true });
    await seqs(c, 10, 11, 12, 13);
    await s.tell('c');
    await seqs(c, 14);
    await c.nothingElse();
  });

  onBoth('whose numbering is another one is told so, and gets what it had not acknowledged', {}, async (gateway) => {
    const s = await sender(gateway);
    let c = await Client.resume(gateway, 'c');
    const { epoch } = c.welcome;
    for (let i = 1; i <= 3; i++) await s.tell('c');
    await seqs(c, 1, 2, 3);
    c.send({ type: 1, seq: 1 });
    await c.nothingElse();
    const f = async (known) => {
      await c.cut();
      c = await Client.resume(gateway, 'c', known);
      const { seq, last, recovered } = c.welcome;
      assert.deepEqual({ seq, last, recovered }, { seq: 1, last: 3, recovered: false }, JSON.stringify(known));
      await seqs(c, 2, 3);
      return c.welcome.epoch;
    };
    assert.equal(await f({ epoch: '00000000000000ff', seq: 3 }), epoch);
    assert.equal(await f({ epoch: 'no epoch', seq: 3 }), epoch);
    assert.notEqual(await f({ epoch, seq: 4 }), epoch); // it claims what was never given
  });

  onBoth('is told what will not come: at once, and in the answer to its next hello', { flags: ['--window', '2'] }, async (gateway) => {
    const s = await sender(gateway);
    let c = await Client.resume(gateway, 'c');
    const { epoch } = c.welcome;
    await s.tell('c');
    await s.tell('c');
    await seqs(c, 1, 2);
    assert.deepEqual(await s.tell('c', { ttl: 1, receipt: true }), queued(3)); // behind the window
    assert.deepEqual(await c.next(), { type: 7, gaps: [[3, 3, 'expired']] });
    const { error, ...late } = await s.next();
    assert.ok(error);
    assert.deepEqual(late, { type: 2, messageId: 'm3', code: 'expired' });
    await c.cut();

    await s.tell('c', { ttl: 1 });
    await s.tell('c', { ttl: 1 });
    await s.tell('c');
    await until('both to expire', async () => (await gateway.metric('stratix_gaps_total{cause="expired"}')) === 3);
    c = await Client.resume(gateway, 'c', { epoch, seq: 1 });
    assert.deepEqual(c.welcome, { type: 3, epoch, seq: 1, last: 6, recovered: true, gaps: [[3, 5, 'expired']] });
    await seqs(c, 2, 6);
    c.send({ type: 1, seq: 6 });
    await c.nothingElse();
    await c.cut();
    c = await Client.resume(gateway, 'c', { epoch, seq: 6 });
    assert.equal(c.welcome.gaps, undefined, 'it has acknowledged them');
  });

  onBoth('is told what made room, and what a newer one has replaced', { main: `
    pipeline {
      function(msg)
        if msg:get("data.key") then msg:overflow("conflate", msg:get("data.key")) end
      end,
      stage.disk {},
      stage.ring { client_messages = 3, overflow = "drop_oldest" },
    }` }, async (gateway) => {
    const s = await sender(gateway);
    for (let i = 1; i <= 5; i++) assert.deepEqual(await s.tell('c'), queued(i));
    let c = await Client.resume(gateway, 'c');
    assert.deepEqual(c.welcome.gaps, undefined, 'it was nobody when these made room');
    const frames = await c.take(3);
    assert.deepEqual(frames.map((f) => f.data), [3, 4, 5]);
    c.send({ type: 1, seq: frames[2].seq });
    await c.nothingElse();
    const { epoch } = c.welcome;
    await c.leave();

    for (let i = 6; i <= 9; i++) await s.tell('c'); // 6 makes room
    c = await Client.resume(gateway, 'c', { epoch, seq: 5 });
    assert.deepEqual(c.welcome, { type: 3, epoch, seq: 5, last: 9, recovered: true, gaps: [[6, 6, 'overflow']] });
    await seqs(c, 7, 8, 9);
    c.send({ type: 1, seq: 9 });
    await c.nothingElse();
    await c.leave();
    for (const key of ['a', 'b', 'a']) await s.tell('c', { data: { key } });
    c = await Client.resume(gateway, 'c', { epoch, seq: 9 });
    assert.deepEqual(c.welcome.gaps, [[10, 10, 'conflated']]);
    await seqs(c, 11, 12);
  });

  onBoth('gets no more than its window holds', { flags: ['--window', '4'] }, async (gateway) => {
    const s = await sender(gateway);
    const c = await Client.resume(gateway, 'c');
    for (let i = 1; i <= 10; i++) await s.tell('c');
    await seqs(c, 1, 2, 3, 4);
    await c.nothingElse();
    c.send({ type: 1, seq: 1 });
    await seqs(c, 5);
    await c.nothingElse();
    c.send({ type: 1, seq: 1, also: [[3, 4]] });
    await seqs(c, 6, 7);
    await c.nothingElse();
    c.send({ type: 1, seq: 7 });
    await seqs(c, 8, 9, 10);
    await c.nothingElse();
  });

  onBoth('that does not acknowledge in time is closed, and one that does is not', { flags: ['--ack-timeout', '1s'] }, async (gateway) => {
    const s = await sender(gateway);
    const silent = await Client.resume(gateway, 'silent');
    const other = await Client.resume(gateway, 'other');
    assert.equal((await s.tell(['silent', 'other'])).status, 'queued');
    await seqs(silent, 1);
    await seqs(other, 1);
    other.send({ type: 1, seq: 1 });
    assert.deepEqual(await silent.closed, { code: 4011, reason: 'an acknowledgement took too long' });
    await other.nothingElse();
    assert.equal(await gateway.metric('stratix_connections_ended_total{cause="unacked"}'), 1);
    const again = await Client.resume(gateway, 'silent', { epoch: silent.welcome.epoch, seq: 0 });
    assert.equal(again.welcome.recovered, true);
    await seqs(again, 1);
  });

  onBoth('gets the urgent first, and those of one priority in order', {}, async (gateway) => {
    const s = await sender(gateway);
    for (const more of [{}, { priority: 3 }, {}, { priority: 9 }, { priority: 3 }, { data: { urgent: true } }]) await s.tell('c', more);
    const c = await Client.resume(gateway, 'c');
    await seqs(c, 4, 6, 2, 5, 1, 3); // the shipped main.lua makes the last one a 9
    c.send({ type: 1, seq: 0, also: [[4, 4], [6, 6]] });
    await c.nothingElse();
    await c.cut();
    const again = await Client.resume(gateway, 'c', { epoch: c.welcome.epoch, seq: 0 });
    await seqs(again, 2, 5, 1, 3);
  });

  onBoth('gets what is kept nowhere without a seq, and owes nothing for it', { flags: ['--ack-timeout', '1s'], main: `
    pipeline {
      function(msg) if msg:get("data") == "typing" then msg:store("none") end end,
      stage.disk {},
    }` }, async (gateway) => {
    const s = await sender(gateway);
    const c = await Client.resume(gateway, 'c');
    const other = await Client.resume(gateway, 'other');
    assert.deepEqual(await s.tell('c', { data: 'typing' }), { ...delivered(1), stored: 'memory' });
    assert.deepEqual(withoutTime(await c.next()), { type: 0, from: 'sender', messageId: 'm1', data: 'typing' });
    await s.tell('other');
    assert.equal((await other.closed).code, 4011);
    await c.nothingElse();
    await c.leave();
    assert.equal((await s.tell('c', { data: 'typing' })).code, 'offline');
  });
});

describe('the sender to a client of stratix.v1', () => {
  onBoth('is told once more when all have acknowledged, if it asks for that', {}, async (gateway) => {
    const s = await sender(gateway);
    const c = await Client.resume(gateway, 'c');
    assert.deepEqual(await s.tell('c', { receipt: true }), queued(1));
    await seqs(c, 1);
    await s.nothingElse();
    c.send({ type: 1, seq: 1 });
    assert.deepEqual(await s.next(), delivered(1));

    assert.deepEqual(await s.tell('c'), queued(2)); // it does not ask
    await seqs(c, 2);
    c.send({ type: 1, seq: 2 });
    assert.equal((await s.tell(['c', 'away', 'sender'], { receipt: true })).from, 'sender'); // its own is there first
    assert.deepEqual(await s.next(), { ...queued(3), delivered: 1, queued: 2 });
    await seqs(c, 3);
    c.send({ type: 1, seq: 3 });
    await c.nothingElse();
    await s.nothingElse();
    await Client.open(gateway, 'away'); // a plain one has what is written
    assert.deepEqual(await s.next(), delivered(3));
    await s.nothingElse();
  });

  onBoth('that sends again is answered with what became of the first', {}, async (gateway) => {
    const s = await sender(gateway);
    const c = await Client.resume(gateway, 'c');
    const again = (to) => s.ask({ type: 0, messageId: 'again', to, data: 'x' });
    const ack = { type: 1, messageId: 'again', stored: 'disk' };
    assert.deepEqual(await again('c'), { ...ack, status: 'queued' });
    assert.deepEqual(await again('c'), { ...ack, status: 'queued' });
    await seqs(c, 1);
    await c.nothingElse();
    c.send({ type: 1, seq: 1 });
    await c.nothingElse();
    assert.deepEqual(await again('c'), { ...ack, status: 'delivered' });
    assert.deepEqual(await again(['c', 'd']), { ...ack, status: 'queued', delivered: 1, queued: 1 });
    await c.nothingElse();
    const d = await Client.resume(gateway, 'd');
    await seqs(d, 1);
    assert.equal(await gateway.metric('stratix_repeats_total'), 3);

    const other = await sender(gateway, 'another sender');
    other.send({ type: 0, messageId: 'again', to: 'c', data: 'y' });
    assert.deepEqual(withoutTime(await c.next()), { type: 0, seq: 2, from: 'another sender', messageId: 'again', data: 'y' });
  });
});
