// Where messages go, in which order, and what their senders are told.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Client, withoutTime } from './client.js';
import { Gateway, withoutKeeping } from './gateway.js';

const ack = (messageId, more = {}) => ({ type: 1, messageId, stored: 'memory', status: 'delivered', ...more });

/** Runs a test with the shipped scripts, which keep messages, and without the stages that do. */
function keptOrNot(name, run) {
  test(`${name} (kept)`, (t) => run(t, (options) => Gateway.start(t, options), true));
  test(`${name} (not kept)`, (t) => run(t, async (options) => Gateway.start(t, { ...options, scripts: await withoutKeeping() }), false));
}

keptOrNot('a message reaches a client, a list, a prefix or a group, each recipient once', async (t, start, kept) => {
  const gateway = await start();
  const sender = await Client.open(gateway, 'desk-1');
  const desk = await Client.open(gateway, 'desk-2');
  const other = await Client.open(gateway, 'other');
  const stored = kept ? 'disk' : 'memory';
  let messages = 0;
  const f = async (to, counts, ...recipients) => {
    const messageId = `m${++messages}`; // one that comes again would not be delivered again
    sender.send({ type: 0, messageId, to, data: 'x' });
    for (const r of recipients) {
      const { seq, ...frame } = withoutTime(await r.next());
      assert.deepEqual(frame, { type: 0, from: 'desk-1', messageId, data: 'x' });
    }
    assert.deepEqual(await sender.next(), ack(messageId, { stored, ...counts }), JSON.stringify(to));
    for (const c of [sender, desk, other]) await c.nothingElse();
  };
  await f('other', {}, other);
  await f('desk-1', {}, sender);
  const nobody = kept ? { status: 'queued', queued: 1 } : { offline: 1 };
  await f(['other', 'desk-2', 'other', 'nobody'], { delivered: 2, ...nobody }, other, desk);
  await f({ prefix: 'desk-' }, { delivered: 2 }, sender, desk);
  await f({ prefix: 'other' }, { delivered: 1 }, other);

  assert.deepEqual(await desk.ask({ type: 8, messageId: 'j', groups: ['room:1', 'room:2'] }),
    { type: 1, messageId: 'j', joined: ['room:1', 'room:2'] });
  assert.deepEqual(await sender.ask({ type: 8, groups: ['room:1'] }), { type: 1, joined: ['room:1'] });
  await f({ group: 'room:1' }, { delivered: 2 }, sender, desk);
  assert.deepEqual(await desk.ask({ type: 9, groups: ['room:1'] }), { type: 1, left: ['room:1'] });
  await f({ group: 'room:1' }, { delivered: 1 }, sender);
  await f({ group: 'room:2' }, { delivered: 1 }, desk);
  await desk.leave();
  assert.equal((await sender.ask({ type: 0, messageId: 'm', to: { group: 'room:2' }, data: 1 })).code, 'offline');
});

keptOrNot('a message that reaches nobody is answered, with or without a messageId', async (t, start, kept) => {
  const c = await Client.open(await start(), 'other');
  const f = async (frame, code) => {
    const { error, ...rest } = await c.ask({ type: 0, data: 1, ...frame });
    assert.ok(error);
    assert.deepEqual(rest, { type: 2, ...(frame.messageId ? { messageId: frame.messageId } : {}), code });
  };
  if (kept) { // it waits for an ID, also for one that was never here
    assert.deepEqual(await c.ask({ type: 0, messageId: 'm1', to: 'nobody', data: 1 }), ack('m1', { stored: 'disk', status: 'queued' }));
    c.send({ type: 0, to: ['nobody', 'nobody else'], data: 1 });
    await c.nothingElse();
  } else {
    await f({ messageId: 'm1', to: 'nobody' }, 'offline');
    await f({ to: ['nobody', 'nobody else'] }, 'offline');
  }
  await f({ to: { prefix: 'x' } }, 'offline');
  await f({ to: { group: 'x' } }, 'offline');
  await f({ messageId: 'm2' }, 'no_route');
  await f({ to: null }, 'no_route');
});

test('a thousand messages each way between two clients arrive in order and are acknowledged', async (t) => {
  const gateway = await Gateway.start(t);
  const n = 1000;
  const exchange = async (from, to) => {
    const me = await Client.open(gateway, from);
    return async () => {
      for (let i = 0; i < n; i++) me.send({ type: 0, messageId: `${from}-${i}`, to, data: i });
      const frames = await me.take(2 * n);
      const received = frames.filter((f) => f.type === 0);
      assert.deepEqual(received.map((f) => [f.seq, f.from, f.data]), Array.from({ length: n }, (_, i) => [i + 1, to, i]));
      const answers = frames.filter((f) => f.type !== 0);
      const ids = answers.map((f) => { assert.match(f.status ?? '', /^(delivered|queued)$/, JSON.stringify(f)); return f.messageId; });
      assert.deepEqual(ids.sort(), Array.from({ length: n }, (_, i) => `${from}-${i}`).sort());
      await me.nothingElse();
    };
  };
  const both = [await exchange('a', 'b'), await exchange('b', 'a')];
  await Promise.all(both.map((run) => run()));
});

test('a client that stops reading loses the oldest messages, and is told which', async (t) => {
  const gateway = await Gateway.start(t, { scripts: await withoutKeeping(), flags: ['--queue-bytes', '256KiB', '--no-deflate'] });
  const slow = await Client.open(gateway, 'slow');
  const sender = await Client.open(gateway, 'sender');
  slow.ws.pause();
  const n = 600; // of 30 KB: more than the sockets and the queue hold
  const statuses = [];
  for (let i = 1; i <= n; i++) {
    statuses.push((await sender.ask({ type: 0, messageId: `m${i}`, to: 'slow', data: 'x'.repeat(30_000) })).status);
  }
  assert.equal(statuses[0], 'delivered');
  assert.equal(statuses[n - 1], 'queued');

  slow.ws.resume();
  const told = []; // each seq, as it was delivered or named as lost
  let lost = 0;
  while (told.length < n) {
    const frame = await slow.next();
    if (frame.type === 0) {
      told.push(frame.seq);
      continue;
    }
    assert.equal(frame.type, 7);
    for (const [from, to, cause] of frame.gaps) {
      assert.equal(cause, 'dropped');
      for (let seq = from; seq <= to; seq++, lost++) told.push(seq);
    }
  }
  assert.deepEqual(told, Array.from({ length: n }, (_, i) => i + 1));
  assert.ok(lost > 0);
  assert.equal(await gateway.metric('stratix_undelivered_total{reason="drop_oldest"}'), lost);
});

test('a client that stops reading loses nothing of what is kept', async (t) => {
  const gateway = await Gateway.start(t, { flags: ['--queue-bytes', '256KiB', '--no-deflate'] });
  const slow = await Client.open(gateway, 'slow');
  const sender = await Client.open(gateway, 'sender');
  slow.ws.pause();
  const n = 600; // of 30 KB: more than the sockets and the queue hold
  for (let i = 1; i <= n; i++) {
    const answer = await sender.ask({ type: 0, messageId: `m${i}`, to: 'slow', data: 'x'.repeat(30_000) });
    assert.equal(answer.stored, 'disk');
    if (i === n) assert.equal(answer.status, 'queued');
  }
  slow.ws.resume();
  const frames = await slow.take(n);
  assert.deepEqual(frames.map((f) => [f.type, f.seq, f.messageId]), Array.from({ length: n }, (_, i) => [0, i + 1, `m${i + 1}`]));
  await slow.nothingElse();
});

keptOrNot('a sender that asks for a receipt is told again when a queued message is written', async (t, start, kept) => {
  const gateway = await start({ flags: ['--queue-bytes', '16MiB', '--no-deflate'] });
  const slow = await Client.open(gateway, 'slow');
  const sender = await Client.open(gateway, 'sender');
  slow.ws.pause();
  let messageId;
  for (let i = 0, status; status !== 'queued'; i++) {
    messageId = `m${i}`;
    ({ status } = await sender.ask({ type: 0, messageId, to: 'slow', data: 'x'.repeat(30_000), receipt: true }));
  }
  await sender.nothingElse();
  slow.ws.resume();
  assert.deepEqual(await sender.next(), ack(messageId, { stored: kept ? 'disk' : 'memory' }));
});

test('a script decides: it answers, edits, refuses, drops and moves senders between groups', async (t) => {
  const gateway = await Gateway.start(t, { scripts: { 'main.lua': `
    pipeline {
      function(msg)
        local verb = msg:get("data.verb")
        if verb == "reply" then msg:reply { echo = msg:get("data.text"), id = msg:id() } end
        if verb == "edit" then msg:set("data.verb", "edited") msg:del("data.text") msg:set("headers.by", "script") msg:to_sender() end
        if verb == "reject" then return msg:reject("not_today", "come back tomorrow") end
        if verb == "drop" then return msg:drop("spam") end
        if verb == "join" then msg:join("g") msg:to_group("g") end
        if verb == "fail" then msg:to_sender() error("oops") end
        if verb == "spin" then while true do end end
      end,
    }
    function on_connect(conn)
      if conn:id() == "banned" then conn:reject("not you") end
    end
    function on_policy(conn, action, kind, name)
      return kind == "client", "clients only"
    end
  ` } });
  const c = await Client.open(gateway, 'c');
  const ask = (data, more) => c.ask({ type: 0, messageId: 'm', data, ...more });

  assert.deepEqual(withoutTime(await ask({ verb: 'reply', text: 'hi' })), { type: 0, seq: 1, messageId: 'm', data: { echo: 'hi', id: 'm' } });
  assert.deepEqual(await c.next(), ack('m'));
  assert.deepEqual(withoutTime(await ask({ verb: 'edit', text: 'hi' })),
    { type: 0, seq: 2, from: 'c', messageId: 'm', data: { verb: 'edited' }, headers: { by: 'script' } });
  assert.deepEqual(await c.next(), ack('m'));
  assert.deepEqual(await ask({ verb: 'reject' }), { type: 2, messageId: 'm', code: 'not_today', error: 'come back tomorrow' });
  assert.deepEqual(await ask({ verb: 'drop' }), { type: 2, messageId: 'm', code: 'dropped', error: 'spam' });
  // What joins a group with a message is in it when the message goes there.
  assert.equal((await ask({ verb: 'join' })).type, 0);
  assert.deepEqual(await c.next(), ack('m', { delivered: 1 }));

  for (const verb of ['fail', 'spin']) assert.equal((await ask({ verb })).code, 'script_error');
  const failure = await gateway.record('the failure in the log', (r) => r.line.includes('oops'));
  assert.match(failure.line, /main\.lua:10\b/);
  assert.equal(await gateway.metric('stratix_script_errors_total'), 2);
  assert.equal(await gateway.metric('stratix_script_overruns_total'), 1);

  assert.deepEqual(await ask(1, { to: { group: 'g' } }), { type: 2, messageId: 'm', code: 'forbidden', error: 'clients only' });
  assert.deepEqual(await c.ask({ type: 8, groups: ['g2'] }), { type: 2, code: 'forbidden', error: 'clients only' });
  assert.equal((await ask(1, { to: 'c' })).type, 0);
  assert.deepEqual(await c.next(), ack('m'));
  const banned = await Client.open(gateway, 'banned');
  assert.deepEqual(await banned.closed, { code: 4403, reason: 'not you' });
});
