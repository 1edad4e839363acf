// What the README tells a newcomer to do, with the real wscat.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { withoutTime } from './client.js';
import { Gateway, root, until } from './gateway.js';

const wscat = fileURLToPath(new URL('node_modules/wscat/bin/wscat', import.meta.url));

/** A running wscat without a terminal: lines in, frames out. */
class Wscat {
  #frames = [];

  static async open(t, url) {
    const w = new Wscat();
    w.process = spawn(process.execPath, [wscat, '-c', url], { stdio: ['pipe', 'pipe', 'inherit'] });
    t.after(() => w.end());
    createInterface(w.process.stdout).on('line', (line) => w.hear(line));
    // Without a terminal wscat does not say when it is connected, and forgets
    // what it was told before.
    await until('wscat to get an answer', () => {
      w.type('{"type":4}');
      return w.connected;
    });
    return w;
  }

  hear(line) {
    if (line.includes('Disconnected (code: ')) return; // and it ends
    const frame = JSON.parse(line.replace(/^(> )+/, '')); // its prompts have no line of their own
    if (frame.type === 5) this.connected = true;
    else this.#frames.push(frame);
  }

  type(line) {
    this.process.stdin.write(`${line}\n`);
  }

  async next() {
    await until('a frame in wscat', () => this.#frames.length > 0);
    const frame = this.#frames.shift();
    return frame.type === 0 ? withoutTime(frame) : frame;
  }

  /** Fails if a frame is waiting or comes before the answer to a ping. */
  async nothingElse() {
    this.connected = false;
    this.type('{"type":4}');
    await until('the answer to a ping', () => this.connected);
    assert.deepEqual(this.#frames, []);
  }

  async end() {
    if (this.process.exitCode !== null) return;
    const exited = once(this.process, 'exit');
    this.process.stdin.end();
    await exited;
  }
}

/**
 * What the README's "The first message" has in its fenced blocks, in order:
 * commands, and for each the frames that are typed and those that come.
 */
async function readme() {
  const text = await readFile(path.join(root, 'README.md'), 'utf8');
  const section = text.match(/^## The first message\n(.*?)^## /ms)[1];
  const lines = [...section.matchAll(/^```[a-z]*\n(.*?)^```$/gms)].flatMap((m) => m[1].trimEnd().split('\n'));
  assert.deepEqual(lines.map((l) => l.split(' ')[0]), ['npx', '>', '<', '<', '>', '<', 'npx', '<', 'curl', 'curl']);
  const [first, hello, back, backAck, away, awayAck, second, arrived, metrics, status] = lines;
  const [typed, come] = [(line) => line.slice(2), (line) => withoutTimeIfAny(JSON.parse(line.slice(2)))];
  return {
    open: { first: urlOf(first), second: urlOf(second) },
    hello: typed(hello), back: [come(back), come(backAck)],
    away: typed(away), awayAck: come(awayAck), arrived: come(arrived),
    curl: [metrics, status].map((line) => line.match(/^curl localhost(:\d+)(\/\S+)$/).slice(1)),
  };
}

const withoutTimeIfAny = (frame) => (frame.type === 0 ? withoutTime(frame) : frame);

/** The path of the wscat command of the README, for the gateway at hand. */
function urlOf(command) {
  const [, url] = command.match(/^npx -y wscat -c "ws:\/\/localhost:8080(\/ws\?clientId=[a-z0-9-]+)"$/);
  return (gateway) => `ws://${gateway.listen}${url}`;
}

for (const killed of [false, true]) {
  test(`the README's first message, and the one that waits${killed ? ' through a kill -9' : ''}, come as it says`, async (t) => {
    const gateway = await Gateway.start(t);
    const says = await readme();

    const first = await Wscat.open(t, says.open.first(gateway));
    first.type(says.hello);
    for (const frame of says.back) assert.deepEqual(await first.next(), frame);
    first.type(says.away);
    assert.deepEqual(await first.next(), says.awayAck);
    await first.nothingElse();

    if (killed) {
      // Nobody types so fast that the first would come again.
      await until('the log to know that the first was delivered', async () =>
        (await gateway.records('--client', 'client-123', '--kind', 'ack')).length > 0);
      await gateway.kill();
      await gateway.revive();
    }
    const second = await Wscat.open(t, says.open.second(gateway));
    assert.deepEqual(await second.next(), says.arrived);
    await second.nothingElse();

    // "A messageId that comes again within ten minutes is answered and not delivered again."
    const sender = killed ? await Wscat.open(t, says.open.first(gateway)) : first;
    sender.type(says.away);
    assert.deepEqual(await sender.next(), { ...says.awayAck, status: 'delivered' });
    sender.type(says.hello);
    assert.deepEqual(await sender.next(), says.back[1]);
    await sender.nothingElse();
    await second.nothingElse();
  });
}

test('a save routes the next message anew, a broken one nobody notices, and the numbers are there', async (t) => {
  const gateway = await Gateway.start(t);
  const says = await readme();
  const first = await Wscat.open(t, says.open.first(gateway));
  const second = await Wscat.open(t, says.open.second(gateway));
  first.type(says.hello);
  for (const frame of says.back) assert.deepEqual(await first.next(), frame);
  first.type(says.away);
  assert.deepEqual(await second.next(), says.arrived);
  assert.deepEqual(await first.next(), { ...says.awayAck, status: 'delivered' }); // it is there this time

  const script = await gateway.read('main.lua');
  const uncommented = script.replace(/-- (if .*msg:to_prefix\("client-"\))/, '$1');
  assert.notEqual(uncommented, script, 'the line that the README says to uncomment');
  assert.equal((await gateway.save('main.lua', uncommented)).msg, 'scripts are live');

  const toAll = (await readFile(new URL('../../README.md', import.meta.url), 'utf8')).match(/`(\{"type":0,"messageId":"msg-003".*?)`/)[1];
  second.type(toAll);
  const toBoth = { type: 0, from: 'client-456', messageId: 'msg-003', data: JSON.parse(toAll).data };
  assert.deepEqual(await first.next(), { ...toBoth, seq: 2 });
  assert.deepEqual(await second.next(), { ...toBoth, seq: 2 });
  assert.deepEqual(await second.next(), { type: 1, messageId: 'msg-003', stored: 'disk', status: 'delivered', delivered: 2 });

  const broken = await gateway.save('main.lua', `${uncommented}\nend`);
  assert.equal(broken.msg, 'scripts rejected: what is live stays');
  assert.match(broken.problem, /^main\.lua:\d+: /);
  first.type('{"type":0,"data":{"all":true,"text":"noticed nothing"}}');
  assert.equal((await second.next()).data.text, 'noticed nothing');
  assert.equal((await first.next()).data.text, 'noticed nothing');

  const addresses = { ':8080': gateway.listen, ':8081': gateway.admin };
  for (const [port, url] of says.curl) {
    const answer = await fetch(`http://${addresses[port]}${url}`);
    assert.equal(answer.status, 200, url);
  }
  assert.equal(await gateway.metric('stratix_connections'), 2);
  assert.equal(await gateway.metric('stratix_generation'), 2);
  assert.equal((await gateway.status()).connections, 2);
});
