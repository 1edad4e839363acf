// What the tests of kept messages have in common.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Client } from './client.js';
import { Gateway } from './gateway.js';

/**
 * Runs a test on both transports, with the shipped scripts, or with main. When
 * it is over the gateway has to end in order, and its log to be whole.
 */
export function onBoth(name, { flags = [], main }, run) {
  for (const transport of ['epoll', 'goroutine']) {
    test(`${name} (${transport})`, async (t) => {
      const gateway = await Gateway.start(t, {
        scripts: main ? { 'main.lua': main } : {},
        flags: ['--transport', transport, '--drain-timeout', '1s', ...flags],
      });
      await run(gateway, t);
      await gateway.stop();
      await gateway.verify();
    });
  }
}

/** A sender that numbers its messages m1, m2, ..., and the answers to them. */
export async function sender(gateway, id = 'sender') {
  const c = await Client.open(gateway, id);
  let n = 0;
  c.tell = (to, more = {}) => c.ask({ type: 0, messageId: `m${++n}`, to, data: n, ...more });
  return c;
}

export const queued = (n) => ({ type: 1, messageId: `m${n}`, stored: 'disk', status: 'queued' });
export const delivered = (n) => ({ ...queued(n), status: 'delivered' });

/** Takes the next frames, which have to be these seqs in this order. */
export async function seqs(client, ...want) {
  const frames = await client.take(want.length);
  assert.deepEqual(frames.map((f) => f.seq), want);
  return frames;
}
