// Tokens as a client sees them: in by each place that a token can be in, on with
// another one without a gap, and out when it has expired.
import assert from 'node:assert/strict';
import { createHmac, generateKeyPairSync, sign } from 'node:crypto';
import { createServer } from 'node:http';
import { once } from 'node:events';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { Client, refusal, withoutTime } from './client.js';
import { Gateway } from './gateway.js';

const secret = 'a secret of more than thirty-two bytes';

const encode = (value) => Buffer.from(JSON.stringify(value)).toString('base64url');

/** A token of HS256 for this client, which expires so many seconds from now. */
function token(sub, seconds, claims = {}) {
  const unsigned = `${encode({ alg: 'HS256', typ: 'JWT' })}.${encode({ sub, exp: Date.now() / 1000 + seconds, ...claims })}`;
  return `${unsigned}.${createHmac('sha256', secret).update(unsigned).digest('base64url')}`;
}

const scripts = {
  'main.lua': `pipeline {
  stage.jwt { key = "${secret}", algorithms = { "HS256" }, leeway = "0s" },
  function(msg) msg:reply { role = msg:claim("role") or "none" } end,
}
function on_connect(conn) if conn:claim("banned") then conn:reject("banned") end end
`,
  'main_test.lua': 'function test_role(t) t:eq(t:connect("a", { claims = { role = "x" } }):send{ data = 1 }.replies, { { role = "x" } }) end\n',
};

const bearer = (text) => ({ headers: { Authorization: `Bearer ${text}` } });

test('a token may be in the header, the query or the subprotocol', async (t) => {
  const g = await Gateway.start(t, { scripts });
  const admin = token('ann', 60, { role: 'admin' });
  const f = async (c, protocol) => {
    assert.equal(c.ws.protocol, protocol);
    assert.deepEqual(withoutTime(await c.ask({ type: 0, data: 1 })).data, { role: 'admin' });
    await c.leave();
  };
  const WebSocket = (await import('ws')).default;
  const open = async (url, protocols, options) => {
    const c = new Client(new WebSocket(url, protocols, options));
    await once(c.ws, 'open');
    return c;
  };
  await f(await open(g.url('ann'), [], bearer(admin)), '');
  await f(await open(`${g.url('ann')}&token=${admin}`, []), '');
  await f(await open(g.url('ann'), ['stratix.plain', `bearer.${admin}`]), 'stratix.plain');
  const reliable = await open(g.url('ann'), ['stratix.v1', `bearer.${admin}`]);
  assert.equal(reliable.ws.protocol, 'stratix.v1');
  await reliable.leave();

  const refused = async (url, options, status, code) => {
    const got = await refusal(url, options);
    assert.deepEqual({ status: got.status, code: got.code }, { status, code }, got.error);
  };
  await refused(g.url('ann'), {}, 401, 'no_token');
  await refused(g.url('bob'), bearer(admin), 403, 'wrong_client');
  await refused(g.url('ann'), bearer(token('ann', -1)), 401, 'token_expired');
  await refused(g.url('ann'), bearer(`${admin.slice(0, -3)}AAA`), 401, 'bad_token');
  await refused(g.url('ann'), bearer(`${encode({ alg: 'none' })}.${encode({ sub: 'ann' })}.`), 401, 'bad_token');
  await refused(`${g.url('ann')}&token=${admin}`, bearer(admin), 400, 'bad_token');
  for (const [reason, n] of Object.entries({ no_token: 1, wrong_client: 1, token_expired: 1, bad_token: 3, unauthorized: 0, forbidden: 0 })) {
    assert.equal(await g.metric(`stratix_upgrades_refused_total{reason="${reason}"}`), n, reason);
  }
  assert.ok(!g.text().includes(admin.slice(0, 40)), 'the log holds a token');

  const banned = await open(g.url('eve'), [], bearer(token('eve', 60, { banned: true })));
  assert.equal((await banned.closed).code, 4403);
});

test('a client goes on with a new token without a gap, and is out without one', async (t) => {
  const g = await Gateway.start(t, { scripts });
  const c = await Client.open(g, 'ann', bearer(token('ann', 6, { role: 'guest' })));
  const role = async () => {
    const frame = await c.ask({ type: 0, data: 1 });
    return frame.data.role;
  };
  assert.equal(await role(), 'guest');
  const notice = await c.next();
  assert.equal(notice.type, 10);
  assert.ok(notice.expires - Date.now() < 5500, `${notice.expires} is the end`);

  const wrong = await c.ask({ type: 10, messageId: 'w', token: token('bob', 60) });
  assert.deepEqual({ type: wrong.type, code: wrong.code, messageId: wrong.messageId }, { type: 2, code: 'bad_token', messageId: 'w' });
  assert.equal(await role(), 'guest');

  const next = token('ann', 7, { role: 'admin' });
  let answer = await c.ask({ type: 10, token: next });
  for (; answer.code === 'busy'; answer = await c.ask({ type: 10, token: next })) await sleep(50); // one token a second
  assert.equal(answer.type, 10);
  assert.ok(answer.expires > notice.expires);
  assert.equal(await role(), 'admin');

  assert.deepEqual(await c.next(), { type: 10, expires: answer.expires }); // the notice of the second
  const { code } = await c.closed;
  assert.equal(code, 4401);
  assert.ok(Math.abs(Date.now() - answer.expires) < 2000, 'it ends with its token');
  assert.equal(await g.metric('stratix_connections_ended_total{cause="expired"}'), 1);
});

test("an issuer's keys rotate while the gateway runs", async (t) => {
  const pair = (kid) => ({ kid, ...generateKeyPairSync('ed25519') });
  const [one, two] = [pair('one'), pair('two')];
  let served = [one];
  const issuer = createServer((request, response) => {
    response.end(JSON.stringify({ keys: served.map((k) => ({ ...k.publicKey.export({ format: 'jwk' }), kid: k.kid, use: 'sig' })) }));
  });
  issuer.listen(0, '127.0.0.1');
  await once(issuer, 'listening');
  t.after(() => issuer.close());
  const by = ({ kid, privateKey }) => {
    const unsigned = `${encode({ alg: 'EdDSA', kid })}.${encode({ sub: 'ann', exp: Math.floor(Date.now() / 1000) + 600 })}`;
    return bearer(`${unsigned}.${sign(null, Buffer.from(unsigned), privateKey).toString('base64url')}`);
  };
  const g = await Gateway.start(t, {
    scripts: {
      ...scripts,
      'main.lua': scripts['main.lua'].replace(`key = "${secret}", algorithms = { "HS256" }`,
        `jwks = "http://127.0.0.1:${issuer.address().port}/", algorithms = { "EdDSA" }`),
    },
  });
  const c = await Client.open(g, 'ann', by(one));
  served = [one, two];
  const early = await refusal(g.url('ann'), by(two)); // the set was fetched less than ten seconds ago
  assert.deepEqual({ status: early.status, code: early.code }, { status: 401, code: 'unknown_key' });
  await c.nothingElse();
  await new Promise((resolve) => { setTimeout(resolve, 10_000); });
  await (await Client.open(g, 'ann', by(two))).leave();
});
