// How the gateway ends.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import net from 'node:net';
import { test } from 'node:test';
import { Client, refusal } from './client.js';
import { Gateway, until } from './gateway.js';

test('SIGTERM says goodbye to every client, closes them one after the other and exits with 0', async (t) => {
  const gateway = await Gateway.start(t, { flags: ['--drain-timeout', '8s'] });
  const clients = await Promise.all(Array.from({ length: 20 }, (_, i) => Client.open(gateway, `client-${i}`)));
  gateway.process.kill('SIGTERM');

  const goodbyes = await Promise.all(clients.map((c) => c.next()));
  for (const { retryAfter, ...rest } of goodbyes) {
    assert.deepEqual(rest, { type: 6, reason: 'drain' });
    assert.ok(Number.isInteger(retryAfter) && retryAfter > 0, `retryAfter ${retryAfter}`);
  }
  assert.ok(new Set(goodbyes.map((g) => g.retryAfter)).size > 1, 'they do not all come back at once');
  // Some are still connected; nobody new is let in.
  assert.equal((await fetch(`http://${gateway.listen}/readyz`)).status, 503);
  assert.equal((await fetch(`http://${gateway.listen}/healthz`)).status, 200);
  assert.equal((await refusal(gateway.url('late'))).status, 503);

  for (const c of clients) assert.equal((await c.closed).code, 1001);
  assert.deepEqual(await gateway.ended, { code: 0, signal: null });
});

test('a gateway without clients ends, and one whose clients have left', async (t) => {
  const gateway = await Gateway.start(t);
  await gateway.stop();
  await gateway.run();
  await (await Client.open(gateway, 'client-1')).leave();
  (await Client.open(gateway, 'client-2')).ws.terminate();
  await until('both to be gone', async () => (await gateway.metric('stratix_connections')) === 0);
  await gateway.stop();
});

test('a client that ignores the close does not keep the gateway from ending', async (t) => {
  const gateway = await Gateway.start(t);
  await deafClient(t, gateway);
  await gateway.stop();
});

test('a second SIGTERM ends it at once', async (t) => {
  const gateway = await Gateway.start(t, { flags: ['--drain-timeout', '1h'] });
  await deafClient(t, gateway);
  gateway.process.kill('SIGTERM');
  await gateway.record('the first signal to be heard', (r) => r.msg.startsWith('shutting down'));
  gateway.process.kill('SIGTERM');
  assert.deepEqual(await gateway.ended, { code: 130, signal: null });
});

/** Connects a client that reads nothing and answers nothing. */
async function deafClient(t, gateway) {
  const [host, port] = gateway.listen.split(':');
  const socket = net.connect(Number(port), host);
  t.after(() => socket.destroy());
  socket.on('error', () => {}); // the gateway may reset it
  await once(socket, 'connect');
  socket.write('GET /ws?clientId=deaf HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n'
    + 'Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: MDEyMzQ1Njc4OWFiY2RlZg==\r\n\r\n');
  const [answer] = await once(socket, 'data');
  assert.match(answer.toString(), /^HTTP\/1\.1 101 /);
  socket.pause();
}
