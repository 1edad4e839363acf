// The file that an outbox outlives the process in.
import assert from 'node:assert/strict';
import * as fs from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { test } from 'node:test';
import { FileStore } from 'stratix-client';
import { kit, outcome } from './kit.js';

const entry = (n) => ({ id: `m${n}`, n, at: 1, frame: `{"n":${n}}` });
const put = (n) => ({ put: entry(n) });

async function file(t) {
  const home = await fs.mkdtemp(path.join(tmpdir(), 'stratix-store-'));
  t.after(() => fs.rm(home, { recursive: true }));
  return path.join(home, 'outbox');
}

test('a file gives back what was written', async (t) => {
  const name = await file(t);
  const store = new FileStore(fs, name);
  assert.deepEqual(await store.load(), { entries: [], position: undefined });
  const position = { epoch: 'e', seq: 3, also: [[5, 6]] };
  await store.write([put(1), put(2)]);
  await store.write([{ remove: 'm1' }, { position }, put(3)]);
  assert.deepEqual(await new FileStore(fs, name).load(), { entries: [entry(2), entry(3)], position });
});

test('a torn write takes nothing else along', async (t) => {
  const name = await file(t);
  const store = new FileStore(fs, name);
  await store.load();
  await store.write([put(1), put(2)]);
  const whole = await fs.readFile(name, 'utf8');
  for (let length = 0; length < whole.length; length++) {
    await fs.writeFile(name, whole.slice(0, length));
    const found = await new FileStore(fs, name).load();
    assert.deepEqual(found.entries, [entry(1), entry(2)].slice(0, found.entries.length), `cut at ${length}`);
    if (length > whole.length / 2 + 1) assert.equal(found.entries.length, length < whole.length - 1 ? 1 : 2, `cut at ${length}`);
  }

  await fs.writeFile(name, whole.slice(0, -5));
  const writer = new FileStore(fs, name);
  writer.load = async () => ({ entries: [] }); // it did not see the end that another one tore
  await writer.write([put(3)]);
  assert.deepEqual((await new FileStore(fs, name).load()).entries, [entry(1), entry(3)]);
});

test('a file that holds little stays small', async (t) => {
  const name = await file(t);
  const store = new FileStore(fs, name);
  await store.load();
  for (let n = 1; n <= 3000; n++) await store.write([put(n), { remove: `m${n - 1}` }]);
  assert.deepEqual((await store.load()).entries, [entry(3000)]);
  for (let n = 0; n < 600; n++) await store.write([put(1), { remove: 'm1' }]);
  assert.ok((await fs.stat(name)).size < 100_000);
});

test('a file that cannot be read is an error, and not an empty outbox', async (t) => {
  const name = await file(t);
  await fs.mkdir(name);
  await assert.rejects(new FileStore(fs, name).load(), { code: 'EISDIR' });
});

test('a full disk keeps nobody from connecting, with what was stored before', async (t) => {
  const full = { readFile: async () => `${JSON.stringify(put(1))}\n`, open: async () => { throw new Error('ENOSPC'); } };
  const k = await kit(t, { store: new FileStore(full, 'outbox') }).connected();
  assert.deepEqual(k.socket.take(), [{ n: 1 }]);
  assert.equal((await outcome(k.client.send(2))).code, 'store');
  assert.equal(k.client.state, 'connected');
});
