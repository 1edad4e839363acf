// What the console makes of what it is told: the three lamps, numbers as they are
// read, and the lines of the last minutes. The modules run in the page, as they are.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { launch, skip } from './chromium.js';
import { Gateway } from './gateway.js';
import { openConsole, scripts } from './page.js';

describe('what the console makes of what it is told', { skip }, () => {
  let browser;
  before(async () => { browser = await launch(); });
  after(() => browser?.close());

  /** A frame of a gateway that is well, with some of it changed. */
  const frame = (changed = {}) => ({
    ts: 1e12, uptime: 100, version: 'v', readiness: 'ready',
    connections: { open: 3, refused: {} }, rates: { received: 20, failed: 0, undelivered: 0, ...changed.rates }, latency: { p99: 1500 },
    stages: [], upstreams: [], gaps: {}, log: { full: false, failing: false },
    generation: { number: 7, hash: 'abc', state: 'live', since: 1e12 - 60_000, lastGood: 6, standsIn: false },
    gate: { result: 'live' }, ...Object.fromEntries(Object.entries(changed).filter(([k]) => k !== 'rates')),
  });

  test('says whether it is healthy, what is lost and how the scripts are', async (t) => {
    const gateway = await Gateway.start(t, { scripts });
    const page = await openConsole(browser, gateway);
    const judge = (name, ...args) => page.evaluate(async ([name, args]) => {
      const [judges, { History }] = [await import('/console/judge.js'), await import('/console/history.js')];
      if (name === 'losses') {
        const history = new History();
        for (const f of args) history.add(f);
        args = [args.at(-1), history];
      }
      const { level, word, more, place } = judges[name](...args);
      return [level, word, place ? `${place} ${more}` : more].join(' | ');
    }, [name, args]);
    const f = async (want, ...args) => assert.equal(await judge(...args), want);

    await f('ok | Healthy | 3 connections, 20 messages/s, p99 1.5 ms', 'health', frame());
    await f('ok | Healthy | 3 connections, 20 messages/s', 'health', frame({ latency: { p99: null } }));
    const told = 'messages that must be kept are refused, and their senders are told';
    await f(`bad | The disk is full | ${told}`, 'health', frame({ log: { full: true, failing: true } }));
    await f(`bad | The log fails | ${told}: no room`, 'health', frame({ log: { full: false, failing: true } }), { log: { lastError: 'no room' } });
    await f('warn | Scripts fail | main.lua:9 2.0/s of the messages end in an error', 'health',
      frame({ rates: { failed: 2 }, stages: [{ place: 'main.lua:3', error: 0.5 }, { place: 'main.lua:9', error: 1.5 }] }));
    await f(`bad | The disk is full | ${told} (and scripts fail)`, 'health', frame({ rates: { failed: 2 }, log: { full: true } }));
    await f('warn | Upstream orders is down | its breaker is open; 40 wait for it', 'health', frame({ upstreams: [{ name: 'orders', breaker: 'open', queued: 40 }] }));
    await f('warn | Keys cannot be renewed | the keys of tokens cannot be fetched: those from before stay (stage.jwt https://a/jwks)', 'health', frame({ keysFailing: ['stage.jwt https://a/jwks'] }));
    await f('ok | Healthy | 3 connections, 20 messages/s, p99 1.5 ms', 'health', frame({ keysFailing: [] }));
    await f('warn | Shutting down | clients are told when to come back', 'health', frame({ readiness: 'draining' }));
    const recovering = { ts: 1, uptime: 0, readiness: 'recovering', gaps: {}, stages: [] };
    await f('warn | Recovering | what waits is read back from the log; nobody is let in yet', 'health', recovering);
    await f('unknown | Not known yet | the log is being read', 'losses', recovering);
    await f('unknown | Not known yet | the gateway is recovering', 'scripts', recovering, null, 0);

    const later = (seconds, gaps, more = {}) => frame({ ts: 1e12 + 1000 * seconds, uptime: 100 + seconds, gaps, ...more });
    await f('ok | Nothing lost right now | nothing since the start', 'losses', frame());
    await f('ok | Nothing lost | in the last 10 s; since the start: expired 5', 'losses', later(0, { expired: 5 }), later(10, { expired: 5 }));
    await f('warn | 3 messages lost | in the last 10 s: overflow 2, expired 1; since the start: expired 6, overflow 2', 'losses',
      later(0, { expired: 5, overflow: 0 }), later(10, { expired: 6, overflow: 2 }));
    await f('bad | 1 message lost | in the last 10 s: damaged 1; since the start: damaged 1', 'losses', later(0, { damaged: 0 }), later(10, { damaged: 1 }));
    await f('ok | Nothing lost | in the last 10 s; nothing since the start', 'losses', later(0, { conflated: 0 }), later(10, { conflated: 9 }));
    await f('ok | Nothing lost | in the last 1 min; since the start: expired 5', 'losses', later(0, { expired: 0 }), later(100, { expired: 5 }), later(160, { expired: 5 }));
    await f('ok | Nothing lost right now | since the start: expired 1', 'losses', later(10, { expired: 9 }), frame({ ts: 1e12 + 30_000, uptime: 1, gaps: { expired: 1 } }));
    const upstream = (lost, expired, deadLetters) => ({ upstreams: [{ name: 'orders', breaker: 'closed', queued: 0, lost, expired, deadLetters }] });
    await f('bad | 3 messages lost | in the last 10 s: given up for orders 3; since the start: given up for orders 4', 'losses',
      later(0, {}, upstream(1, 0, false)), later(10, {}, upstream(2, 2, false)));
    await f('warn | 1 message given up | in the last 10 s: given up for orders 1; since the start: given up for orders 1', 'losses', later(0, {}, upstream(0, 0, true)), later(10, {}, upstream(1, 0, true)));
    await f('bad | 1 message lost | in the last 10 s: dead letters that reached nobody 1; since the start: dead letters that reached nobody 2', 'losses',
      later(0, {}, { deadLettersLost: 1 }), later(10, {}, { deadLettersLost: 2 }));
    await f('ok | Nothing lost | in the last 10 s; since the start: given up for orders 4', 'losses', later(0, {}, upstream(4, 0, false)), later(10, {}, upstream(4, 0, false)));
    await f('note | Some reach nobody | 3.0/s: no recipient is there, or no room; of what is kept nothing was lost', 'losses', frame({ rates: { undelivered: 3 } }));

    const now = 1e12;
    const at = (seconds) => new Date(now + 1000 * seconds).toISOString();
    await f('ok | Generation 7 is live | for 1 min, abc', 'scripts', frame(), null, now);
    await f('warn | A save was refused | main.lua:3 unexpected symbol; generation 7 is live', 'scripts',
      frame({ gate: { result: 'rejected', problems: ['the shadow run fails:', 'main.lua:3: unexpected symbol'] } }), null, now);
    await f('warn | A save was refused | main.lua cannot be read; generation 7 is live', 'scripts', frame({ gate: { result: 'rejected', problems: ['main.lua cannot be read'] } }), null, now);
    await f('warn | Scripts were taken back | it fails; generation 7 is live', 'scripts', frame({ gate: { result: 'rolled_back', problems: ['it fails'] } }), null, now);
    const generation = frame().generation;
    await f('note | Generation 7 is on trial | it goes back by itself if it fails, 42 s left', 'scripts',
      frame({ generation: { ...generation, state: 'trial' } }), { scripts: { trialUntil: at(42) } }, now);
    await f('note | Generation 8 is a canary | for 10 % of the clients, 5 s left; the others have generation 7', 'scripts',
      frame({ generation: { ...generation, state: 'canary', canary: 8 } }), { scripts: { canary: { share: 0.1, until: at(5) } } }, now);
    await f('warn | The folder is not live | the last good scripts are: generation 7 is live', 'scripts', frame({ generation: { ...generation, standsIn: true } }), null, now);
  });

  test('writes numbers as they are read', async (t) => {
    const gateway = await Gateway.start(t, { scripts });
    const page = await openConsole(browser, gateway);
    const f = async (want, name, value) => assert.equal(await page.evaluate(async ([name, value]) => (await import('/console/format.js'))[name](value), [name, value]), want, `${name}(${value})`);
    await f('0', 'rate', 0);
    await f('<0.1', 'rate', 0.01);
    await f('9.9', 'rate', 9.94);
    await f('10', 'rate', 9.96);
    await f('12,346', 'rate', 12345.6);
    await f('–', 'rate', null);
    await f('1,023 B', 'bytes', 1023);
    await f('1.0 KiB', 'bytes', 1024);
    await f('100 KiB', 'bytes', 102_399);
    await f('64.0 MiB', 'bytes', 64 * 2 ** 20);
    await f('0.5 µs', 'microsText', 0.5);
    await f('999 µs', 'microsText', 999);
    await f('1.5 ms', 'microsText', 1500);
    await f('2.0 s', 'microsText', 2e6);
    await f('59 s', 'duration', 59.4);
    await f('1 min', 'duration', 60);
    await f('9 min 59 s', 'duration', 599);
    await f('2 h 5 min', 'duration', 7500);
    await f('3 d 4 h', 'duration', 273_600);
  });

  test('draws no line over what it did not see', async (t) => {
    const gateway = await Gateway.start(t, { scripts });
    const page = await openConsole(browser, gateway);
    const draw = (samples, now) => page.evaluate(async ([samples, now]) => {
      const { spark } = await import('/console/spark.js');
      const s = spark(100_000);
      const top = s.draw(samples, now);
      return [top, s.root.querySelector('.line').getAttribute('d')];
    }, [samples, now]);
    assert.deepEqual(await draw([], 100_000), [0, '']);
    assert.deepEqual(await draw([[98_000, 0], [99_000, 2], [100_000, 1]], 100_000), [2, 'M235.2 39.0L237.6 3.0L240.0 21.0']);
    const [, broken] = await draw([[90_000, 1], [91_000, 1], [99_000, 1], [100_000, 1]], 100_000);
    assert.equal(broken.match(/M/g).length, 2);
  });
});
