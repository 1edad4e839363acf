// The wire protocol as the npm package ws sees it, on both transports.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { describe, test } from 'node:test';
import { Client, refusal, withoutTime } from './client.js';
import { Gateway, until } from './gateway.js';

/** Runs a test once for each way in which the gateway serves sockets. */
function onBoth(name, run) {
  for (const transport of ['epoll', 'goroutine']) {
    test(`${name} (${transport})`, (t) => run(t, (options = {}) =>
      Gateway.start(t, { ...options, flags: ['--transport', transport, ...(options.flags ?? [])] })));
  }
}

describe('a client', () => {
  onBoth('is pinged back by JSON and by control frames', async (t, start) => {
    const c = await Client.open(await start(), 'client-1');
    assert.deepEqual(await c.ask({ type: 4 }), { type: 5 });
    c.ws.ping('are you there');
    const [payload] = await once(c.ws, 'pong');
    assert.equal(payload.toString(), 'are you there');
  });

  onBoth('gets its own message back byte for byte, with what the gateway knows', async (t, start) => {
    const c = await Client.open(await start(), 'client-1');
    let raw = '';
    c.ws.once('message', (data) => { raw = data.toString(); });
    const data = '{"big":12345678901234567890,"e":1e-7,"empty":[],"nothing":null,"text":"é\\u00e9\\n𝄞"}';
    c.send(`{"type":0,"from":"me","seq":9,"ts":1,"headers":{"a":"b"},"data":${data}}`);
    const { headers } = await c.next();
    assert.deepEqual(headers, { a: 'b' });
    assert.match(raw, /^\{"type":0,"seq":1,"from":"client-1","data":/);
    assert.ok(raw.includes(`"data":${data},`), raw);
    await c.nothingElse(); // no messageId, no acknowledgement
  });

  onBoth('that sends what is no message is told why and goes on', async (t, start) => {
    const c = await Client.open(await start(), 'client-1');
    const f = async (frame, want) => {
      const got = await c.ask(frame);
      assert.equal(got.type, 2, frame);
      assert.equal(got.code, want, frame);
      assert.ok(got.error.length > 0, frame);
      return got;
    };
    await f('', 'bad_json');
    await f('{', 'bad_json');
    await f('{"type":0,"data":1} x', 'bad_json');
    await f('"text"', 'bad_message');
    await f('[]', 'bad_message');
    await f('{}', 'missing_type');
    await f('{"type":"0"}', 'bad_message');
    await f('{"type":42}', 'unknown_type');
    await f('{"type":6}', 'unknown_type');
    await f('{"type":3}', 'unsupported');
    await f('{"type":0}', 'bad_message');
    await f('{"type":0,"data":1,"priority":10}', 'bad_message');
    await f('{"type":0,"data":1,"to":5}', 'bad_message');
    await f('{"type":0,"data":1,"to":[]}', 'bad_message');
    await f('{"type":8,"groups":"room"}', 'bad_message');
    await f(`{"type":0,"data":${'['.repeat(65)}${']'.repeat(65)}}`, 'too_deep');
    const twice = await f('{"type":0,"messageId":"m1","data":{"a":1,"\\u0061":2}}', 'duplicate_key');
    assert.equal(twice.messageId, 'm1');
    await c.nothingElse();
  });

  onBoth('is closed with the code that says what it did', async (t, start) => {
    const gateway = await start();
    const f = async (misbehave, code) => {
      const c = await Client.open(gateway, 'client-1', { perMessageDeflate: false });
      misbehave(c);
      assert.equal((await c.closed).code, code, misbehave.toString());
    };
    const text = (payload) => Buffer.concat([Buffer.from([0x81, 0x80 | payload.length, 0, 0, 0, 0]), payload]);
    await f((c) => c.ws.close(1000), 1000);
    await f((c) => c.ws.close(4999, 'own reasons'), 4999);
    await f((c) => c.send(Buffer.from('{"type":4}'), { binary: true }), 1003);
    await f((c) => c.send(Buffer.from([0x22, 0xff, 0x22])), 1007);
    await f((c) => c.sendRaw(text(Buffer.from([0xc0, 0x80]))), 1007);
    await f((c) => c.send('x'.repeat(64 * 1024 + 1)), 1009);
    await f((c) => c.send('x'.repeat(8 << 20)), 1009);
    await f((c) => c.sendRaw(Buffer.from([0x81, 0x01, 0x61])), 1002); // not masked
    await f((c) => c.sendRaw(Buffer.from([0x83, 0x80, 0, 0, 0, 0])), 1002); // unknown opcode
    await f((c) => c.sendRaw(Buffer.from([0xf1, 0x80, 0, 0, 0, 0])), 1002); // reserved bits
  });

  onBoth('is replaced by the next one with its ClientID, and told so', async (t, start) => {
    const gateway = await start();
    const older = await Client.open(gateway, 'client-1');
    const newer = await Client.open(gateway, 'client-1');
    assert.deepEqual(await older.closed, { code: 4001, reason: 'replaced by a newer connection with this clientId' });
    assert.equal((await newer.ask({ type: 0, data: 'mine' })).data, 'mine');
  });

  onBoth('whose message comes in pieces is understood all the same', async (t, start) => {
    const c = await Client.open(await start(), 'client-1');
    const text = Buffer.from(JSON.stringify({ type: 0, data: 'für 𝄞 '.repeat(500) }));
    for (let at = 0; at < text.length; at += 97) { // in the middle of runes too
      c.send(text.subarray(at, at + 97), { fin: at + 97 >= text.length, compress: false });
      if (at === 97) c.ws.ping(); // control frames may come between
    }
    assert.equal((await c.next()).data, 'für 𝄞 '.repeat(500));

    const frame = Buffer.from([0x81, 0x8a, 0, 0, 0, 0, ...Buffer.from('{"type":4}')]);
    for (const byte of frame) {
      c.sendRaw(Buffer.from([byte]));
      await new Promise(setImmediate);
    }
    assert.deepEqual(await c.next(), { type: 5 });
  });

  onBoth('that agrees to compression sends and gets large messages compressed', async (t, start) => {
    const gateway = await start();
    const c = await Client.open(gateway, 'client-1', { perMessageDeflate: { threshold: 0 } });
    assert.match(c.ws.extensions, /permessage-deflate/);
    const large = 'all work and no play '.repeat(1500);
    for (let i = 1; i <= 3; i++) {
      assert.deepEqual(withoutTime(await c.ask({ type: 0, data: large })), { type: 0, seq: i, from: 'client-1', data: large });
    }
    for (const direction of ['in', 'out']) {
      const bytes = await gateway.metric(`stratix_message_bytes_total{direction="${direction}"}`);
      const wire = await gateway.metric(`stratix_wire_bytes_total{direction="${direction}"}`);
      assert.ok(bytes > 3 * large.length, `${direction}: ${bytes} bytes of messages`);
      assert.ok(wire < bytes / 10, `${direction}: ${wire} bytes for ${bytes} bytes of messages`);
    }
    // A small message that inflates to a large one is bounded by what it becomes.
    c.send({ type: 0, data: 'x'.repeat(1 << 20) });
    assert.equal((await c.closed).code, 1009);
  });

  test('is not offered compression where the operator does not want it', async (t) => {
    const c = await Client.open(await Gateway.start(t, { flags: ['--no-deflate'] }), 'client-1');
    assert.equal(c.ws.extensions, '');
    assert.equal((await c.ask({ type: 0, data: 'x'.repeat(20_000) })).data.length, 20_000);
  });
});

describe('the door', () => {
  test('is closed to what is no ClientID, with a reason', async (t) => {
    const gateway = await Gateway.start(t);
    const f = async (query, reason) => {
      assert.deepEqual(await refusal(`ws://${gateway.listen}/ws${query}`), { status: 400, code: 'bad_client_id', error: reason });
    };
    await f('', 'the query parameter clientId is missing');
    await f('?clientid=x', 'the query parameter clientId is missing');
    await f('?clientId=', 'clientId is empty');
    await f(`?clientId=${'x'.repeat(129)}`, 'clientId is longer than 128 bytes');
    await f('?clientId=a%0Ab', 'clientId holds characters that are not printable');
    await f('?clientId=%ff', 'clientId holds characters that are not printable');
    await f('?clientId=a&clientId=b', 'the query parameter clientId is there more than once');

    for (const id of ['x'.repeat(128), 'ä b/c?d&e', '数']) {
      const c = await Client.open(gateway, id);
      assert.equal((await c.ask({ type: 0, to: id, data: 1 })).from, id);
    }
    const plain = await fetch(`http://${gateway.listen}/ws?clientId=a`);
    assert.equal(plain.status, 426);
    assert.equal((await fetch(`http://${gateway.listen}/nowhere`)).status, 404);
  });

  test('is closed to pages of origins that nobody listed', async (t) => {
    const gateway = await Gateway.start(t, { flags: ['--origins', 'https://app.example,file://'] });
    const f = (origin) => refusal(gateway.url('client-1'), { origin });
    assert.equal((await f('https://evil.example')).status, 403);
    assert.equal((await f('https://app.example.evil')).status, 403);
    assert.equal((await f('null')).status, 403);
    for (const origin of ['https://app.example', 'file://', `http://${gateway.listen}`]) {
      await (await Client.open(gateway, 'client-1', { origin })).leave();
    }
  });

  test('is closed when the gateway is full, until somebody leaves', async (t) => {
    const gateway = await Gateway.start(t, { flags: ['--max-connections', '2', '--max-per-address', '1'] });
    const only = await Client.open(gateway, 'client-1');
    assert.equal((await refusal(gateway.url('client-2'))).status, 429);
    const elsewhere = await Client.open(gateway, 'client-2', { localAddress: '127.0.0.2' });
    assert.equal((await refusal(gateway.url('client-3'), { localAddress: '127.0.0.3' })).status, 503);
    await only.leave();
    await elsewhere.leave();
    await until('the place to be free', () => Client.open(gateway, 'client-3').catch(() => null));
  });
});
