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

  async end() {
    if (this.process.exitCode !== null) return;
    const exited = once(this.process, 'exit');
    this.process.stdin.end();
    await exited;
  }
}

/** The lines of the README's fenced blocks that begin with this mark. */
async function readmeLines(mark) {
  const readme = await readFile(path.join(root, 'README.md'), 'utf8');
  const blocks = [...readme.matchAll(/^```[a-z]*\n(.*?)^```$/gms)].map((m) => m[1]);
  return blocks.flatMap((b) => b.split('\n')).filter((l) => l.startsWith(`${mark} {`)).map((l) => l.slice(2));
}

test('the first message comes back, a save routes the next one anew, and the numbers are there', async (t) => {
  const gateway = await Gateway.start(t);
  const [hello, toSecond] = await readmeLines('>');
  const [delivery, ack] = (await readmeLines('<')).map((l) => JSON.parse(l));

  const first = await Wscat.open(t, gateway.url('client-123'));
  first.type(hello);
  assert.deepEqual(await first.next(), withoutTime(delivery));
  assert.deepEqual(await first.next(), ack);

  const second = await Wscat.open(t, gateway.url('client-456'));
  first.type(toSecond);
  assert.deepEqual(await second.next(), { type: 0, seq: 1, from: 'client-123', messageId: 'msg-002', data: 'Hello you' });
  assert.deepEqual(await first.next(), { type: 1, messageId: 'msg-002', stored: 'memory', status: 'delivered' });

  const script = await gateway.read('main.lua');
  const uncommented = script.replace('-- msg:to_prefix("client-")', 'msg:to_prefix("client-")');
  assert.notEqual(uncommented, script, 'the line that the README says to uncomment');
  assert.equal((await gateway.save('main.lua', uncommented)).msg, 'scripts are live');

  second.type('{"type":0,"messageId":"msg-003","data":"Hello all"}');
  const toBoth = { type: 0, from: 'client-456', messageId: 'msg-003', data: 'Hello all' };
  assert.deepEqual(await first.next(), { ...toBoth, seq: 2 });
  assert.deepEqual(await second.next(), { ...toBoth, seq: 2 });
  assert.deepEqual(await second.next(), { type: 1, messageId: 'msg-003', stored: 'memory', status: 'delivered', delivered: 2 });

  assert.equal((await gateway.save('main.lua', `${uncommented}\nend`)).msg, 'scripts rejected: what is live stays');
  first.type('{"type":0,"data":"noticed nothing"}');
  assert.equal((await second.next()).data, 'noticed nothing');
  assert.equal((await first.next()).data, 'noticed nothing');

  assert.equal(await gateway.metric('stratix_connections'), 2);
  assert.equal(await gateway.metric('stratix_generation'), 2);
  assert.equal((await gateway.status()).connections, 2);
});
