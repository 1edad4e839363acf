// The operators' address: who may ask, and what.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import http from 'node:http';
import path from 'node:path';
import { test } from 'node:test';
import { Gateway } from './gateway.js';

/** A request with headers that fetch would not send; the answer's JSON, if it is any. */
async function request(where, { method = 'GET', url, headers = {} }) {
  const target = typeof where === 'string'
    ? { host: where.split(':')[0], port: where.split(':')[1] } : where;
  const req = http.request({ ...target, method, path: url, headers });
  req.end();
  const [res] = await once(req, 'response');
  const body = Buffer.concat(await res.toArray()).toString();
  return { status: res.statusCode, allow: res.headers.allow, body: /json/.test(res.headers['content-type']) ? JSON.parse(body) : body };
}

test('the admin address answers this machine only', async (t) => {
  const gateway = await Gateway.start(t);
  const port = gateway.admin.split(':')[1];
  const f = async (headers, status) => {
    for (const url of ['/v1/status', '/metrics', '/healthz', '/debug/pprof/cmdline']) {
      const got = await request(gateway.admin, { url, headers });
      assert.equal(got.status, status, `${url} with ${JSON.stringify(headers)}`);
    }
  };
  await f({}, 200);
  await f({ Host: `localhost:${port}` }, 200);
  await f({ Host: `[::1]:${port}` }, 200);
  await f({ Origin: `http://127.0.0.1:${port}` }, 200);
  await f({ Host: `rebound.example:${port}` }, 403);
  await f({ Host: 'localhost.example' }, 403);
  await f({ Forwarded: 'for=192.0.2.1' }, 403);
  await f({ 'X-Forwarded-For': '192.0.2.1' }, 403);
  await f({ 'X-Real-IP': '192.0.2.1' }, 403);
  await f({ Via: '1.1 proxy' }, 403);
  await f({ Origin: 'https://evil.example' }, 403);
  await f({ Origin: 'null' }, 403);
  await f({ 'Sec-Fetch-Site': 'cross-site' }, 403);
});

test('a reload is asked for by POST and answers with the status, or with what is wrong', async (t) => {
  const gateway = await Gateway.start(t);
  const reload = (method) => request(gateway.admin, { method, url: '/v1/reload' });
  const refused = await reload('GET');
  assert.equal(refused.status, 405);
  assert.equal(refused.allow, 'OPTIONS, POST');
  const status = await reload('POST');
  assert.equal(status.status, 200);
  assert.deepEqual([status.body.scripts.last.trigger, status.body.scripts.last.result], ['api', 'unchanged']);
  await gateway.save('main.lua', 'end');
  const broken = await reload('POST');
  assert.equal(broken.status, 422);
  assert.match(broken.body.detail, /main\.lua:1/);
});

test('the public address shows no operators what clients must not see', async (t) => {
  const gateway = await Gateway.start(t);
  for (const url of ['/v1/status', '/v1/reload', '/debug/pprof/']) {
    assert.equal((await request(gateway.listen, { url })).status, 404, url);
  }
  const { body } = await request(gateway.listen, { url: '/metrics' });
  assert.match(body, /^stratix_connections 0$/m);
  assert.doesNotMatch(body, /^(process|go)_/m);
  assert.match((await request(gateway.admin, { url: '/metrics' })).body, /^process_resident_memory_bytes /m);
});

test('the admin address can be a socket file, or off', async (t) => {
  const gateway = await Gateway.start(t);
  await gateway.stop();
  const socketPath = path.join(gateway.home, 'admin.sock');
  await gateway.run(['--admin', `unix:${socketPath}`]);
  const { body } = await request({ socketPath }, { url: '/v1/status' });
  assert.equal(body.listen, gateway.listen);
  await gateway.stop();
  await gateway.run(['--admin', 'off']);
  assert.equal(gateway.admin, undefined);
});
