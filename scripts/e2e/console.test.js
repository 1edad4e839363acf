// The console in headless Chromium, with the real gateway behind it.
import assert from 'node:assert/strict';
import path from 'node:path';
import { after, before, describe, test } from 'node:test';
import { launch, skip } from './chromium.js';
import { Client } from './client.js';
import { Gateway, stratix, until } from './gateway.js';
import { openConsole } from './page.js';

const scripts = {
  'main.lua': `pipeline {
  function(msg)
    if msg:get("data.kind") == "bad" then return msg:drop(msg:get("data.why") or "not wanted") end
  end,
  stage.disk { sync = "commit" },
  stage.ring { messages = 1000, bytes = "1MiB" },
}
`,
};
const good = scripts['main.lua'].replace('not wanted', 'refused');
const broken = `${scripts['main.lua']}\nfunction on_tick(`;
const evil = '<img src=x onerror=alert(1)>';

/** Sends until the caller has seen enough. */
function stream(t, client, frame) {
  let n = 0;
  const timer = setInterval(() => client.send({ type: 0, messageId: `s${++n}`, to: client.id, ...frame }), 20);
  t.after(() => clearInterval(timer));
}

describe('the console', { skip }, () => {
  let browser;
  before(async () => { browser = await launch(); });
  after(() => browser?.close());
  const open = (t, gateway, options) => openConsole(t, browser, gateway, options);

  test('teaches those who have no client yet, and shows the numbers of those that come', async (t) => {
    const gateway = await Gateway.start(t, { scripts });
    const page = await open(t, gateway);
    await page.lit('Gateway', 'ok', /Healthy\s+0 connections, 0 messages/);
    await page.lit('Loss', 'ok', /Nothing lost/);
    await page.lit('Scripts', 'ok', /Generation 1 is live/);
    await page.shows('.panel:has-text("Top clients")', new RegExp(`No messages yet.*ws://${gateway.listen}/ws\\?clientId=client-1`));

    const [a, b] = [await Client.open(gateway, 'client-a'), await Client.open(gateway, 'client-b')];
    stream(t, a, { to: 'client-b', data: 1 });
    stream(t, b, { to: 'offline-1', data: { kind: 'x' } });
    await page.lit('Gateway', 'ok', /2 connections, [1-9]/);
    for (const title of ['Received', 'Delivered', 'Latency', 'Connections', 'Waiting']) await page.shows(`.tile:has-text("${title}") .number`, /^[1-9]|^0\.\d*[1-9]/);
    await page.shows('.panel:has-text("Pipeline") tr:has-text("main.lua:2")', /main\.lua:2 Lua[1-9]/);
    await page.shows('.panel:has-text("Top clients") tr:has-text("client-a")', /client-a[1-9]/);
    await page.shows('.panel:has-text("Waiting") tr:has-text("offline-1")', /offline-1[1-9]/);
    const drawn = await page.locator('.tile .line').first().getAttribute('d');
    assert.match(drawn, /^M[\d.]+ [\d.]+L/);
  });

  test('says what is being lost', async (t) => {
    const gateway = await Gateway.start(t, { scripts: { 'main.lua': scripts['main.lua'].replace('messages = 1000', 'messages = 1000, ttl = "1s"') } });
    const page = await open(t, gateway);
    const client = await Client.open(gateway, 'client-a');
    await client.ask({ type: 0, messageId: 'm1', to: 'offline-1', data: 1 });
    await page.lit('Loss', 'warn', /1 message lost\s+in the last .*: expired 1; since the start: expired 1/);
    await page.shows('.panel:has-text("Lost and refused") tr:has-text("expired")', /messages expired\s*11$/);
  });

  test('says where a save is broken, and shows a good one and its trial', async (t) => {
    const gateway = await Gateway.start(t, { scripts });
    const page = await open(t, gateway, { view: '#scripts' });
    await page.shows('.panel:has-text("Last attempt")', /Live – it passed the gate/);
    await gateway.save('main.lua', broken);
    await page.lit('Scripts', 'warn', /A save was refused\s+main\.lua:\d+\s+syntax error.*generation 1 is live/);
    await page.shows('.panel:has-text("Last attempt") .finding .where', /^main\.lua:\d+$/);
    await page.shows('.panel:has-text("Last attempt") .steps', /compile failed/);
    await gateway.save('main.lua', good);
    await page.lit('Scripts', 'note', /Generation 3 is on trial\s+it goes back by itself if it fails, \d/);
    await page.shows('.panel:has-text("Generations") tbody', /3 .* live.*1 .* good.*Make live…$/s);
  });

  test('shows what a shadow run found', async (t) => {
    const gateway = await Gateway.start(t, { scripts });
    const client = await Client.open(gateway, evil);
    for (let n = 0; n < 5; n++) await client.ask({ type: 0, messageId: `m${n}`, to: 'offline-1', data: { kind: 'x' } });
    const page = await open(t, gateway, { view: '#scripts' });
    await gateway.save('main.lua', scripts['main.lua'].replace('"bad"', '"x"'));
    await page.shows('.panel:has-text("Shadow run")', /5 messages decided differently – 5 messages were run/);
    await page.shows('table.stack tbody', /goes to client offline-1.*dropped.*<img src=x onerror=alert\(1\)> m\d$/s);
  });

  test('rolls back after it has said what will happen', async (t) => {
    const gateway = await Gateway.start(t, { scripts });
    await gateway.save('main.lua', good);
    const page = await open(t, gateway, { view: '#scripts' });
    await page.lit('Scripts', 'note', /Generation 2/);
    await page.getByRole('button', { name: 'Roll back…' }).click();
    const { hash } = (await (await fetch(`http://${gateway.admin}/v1/generations`)).json())[1];
    await page.shows('#confirm-text', new RegExp(`Generation 2 .* is live now.*generation 1, ${hash}.*becomes live for all clients`, 's'));
    await page.keyboard.press('Escape');
    assert.equal((await gateway.status()).scripts.generation, 2, 'escape does nothing');
    await page.getByRole('button', { name: 'Roll back…' }).click();
    await page.locator('#confirm-yes').click();
    await page.lit('Scripts', 'warn', /Scripts were taken back\s+taken back by an operator; generation 3 is live/);
    await page.shows('#notices', /Rolled back to generation 1/);
    await page.shows('.panel:has-text("Generations") tbody', /bad – taken back by an operator/);
    assert.equal((await gateway.status()).scripts.hash, hash);
  });

  test('follows messages by a filter, and explains one', async (t) => {
    const gateway = await Gateway.start(t, { scripts });
    const page = await open(t, gateway, { view: '#messages' });
    await page.shows('#tail-state', /Following/);
    const [a, b] = [await Client.open(gateway, 'shop-a'), await Client.open(gateway, 'desk-b')];
    await a.ask({ type: 0, messageId: 'a1', to: 'desk-b', data: 1 });
    await page.shows('.tail tbody', /shop-aa1 accepted/);
    await page.selectOption('#tail-kind', 'prefix');
    await page.fill('#tail-name', 'desk-');
    await page.selectOption('#tail-verdict', 'dropped');
    await page.shows('.panel:has-text("Live tail") .empty', /No message has matched yet/);
    await page.shows('#tail-state', /^Following\.$/);
    await b.next(); // what a has sent
    // The new tail may begin a moment later than the page says.
    await until('the dropped message of the desk in the tail', async () => {
      await a.ask({ type: 0, messageId: 'a2', to: 'desk-b', data: { kind: 'bad' } });
      await b.ask({ type: 0, messageId: 'b1', to: 'shop-a', data: { kind: 'bad', why: 'a reason <b>x</b>' } });
      return (await page.locator('.tail tbody tr').count()) > 0;
    });
    const rows = (await page.locator('.tail tbody tr').allTextContents()).join('\n');
    assert.match(rows, /desk-bb1 dropped main\.lua:2 – a reason <b>x<\/b>/);
    assert.doesNotMatch(rows, /shop-a/);
    await page.getByRole('button', { name: 'Pause' }).click();
    await page.shows('#tail-state', /^Paused\./);
    await page.locator('.tail tbody a', { hasText: 'b1' }).first().click();
    await page.shows('#explained .way h3', /dropped a reason <b>x<\/b>/);
    await page.shows('#explained .stages', /main\.lua:2 drop/);
    assert.equal(await page.evaluate(() => document.activeElement.id), 'explain-title');
    assert.equal(new URL(page.url()).hash, '#messages/b1');
    await page.fill('#explain-id', 'no/such message');
    await page.getByRole('button', { name: 'Explain' }).click();
    await page.shows('#explained', /no\/such message: There is no trace of it\./);
  });

  test('shows what clients are called as text, whatever that is', async (t) => {
    const gateway = await Gateway.start(t, { scripts });
    const page = await open(t, gateway);
    const client = await Client.open(gateway, evil);
    const id = '"><script>alert(2)</script>';
    stream(t, client, { data: 1 });
    await client.ask({ type: 0, messageId: id, to: evil, data: { kind: 'bad', why: evil } });
    await page.shows('.panel:has-text("Top clients") tbody', /<img src=x onerror=alert\(1\)>/);
    await page.locator('.panel:has-text("Top clients") tbody a').first().click();
    await page.shows('#client .result', /^<img src=x onerror=alert\(1\)>\s*connected$/);
    assert.equal(decodeURIComponent(new URL(page.url()).hash), `#clients/${evil}`);
    await page.goto(`http://${gateway.admin}/console/#messages/${encodeURIComponent(id)}`);
    await page.shows('#explained', /"><script>alert\(2\)<\/script> – [12] trace/);
    await page.shows('#explained .way h3', /dropped <img src=x onerror=alert\(1\)>/);
    await page.shows('.tail tbody', /<img src=x onerror=alert\(1\)>/);
    assert.equal(await page.locator('main img, main script').count(), 0);
  });

  test('disconnects a client, and tells it why', async (t) => {
    const gateway = await Gateway.start(t, { scripts });
    const client = await Client.open(gateway, 'client/1 ä');
    const page = await open(t, gateway, { view: '#clients' });
    await page.locator('#clients-list a', { hasText: 'client/1 ä' }).click();
    await page.shows('#client .facts', /Connected.*Kindplain/);
    await page.getByRole('button', { name: 'Disconnect…' }).click();
    await page.shows('#confirm-text', /The connection of client\/1 ä is closed with code 4003/);
    await page.fill('#confirm-input', 'go home');
    await page.keyboard.press('Enter');
    assert.deepEqual(await client.closed, { code: 4003, reason: 'go home' });
    await page.shows('#notices', /client\/1 ä was disconnected/);
  });

  test('says that data is old while the gateway is away, and goes on by itself', async (t) => {
    const gateway = await Gateway.start(t, { scripts });
    const page = await open(t, gateway, { excused: /^Failed to load resource: net::ERR_/ });
    await page.lit('Gateway', 'ok', /Healthy/);
    const { admin } = gateway;
    await gateway.kill();
    await page.lit('Gateway', 'bad', /No data\s+for \d+ s; everything below is from before/);
    await page.shows('#freshness', /^No data for \d+ s, trying again$/);
    await page.shows('#announcer', /No data from the gateway, trying again|Gateway: No data/);
    await gateway.run(['--admin', admin]);
    await page.lit('Gateway', 'ok', /Healthy/);
    await page.shows('#freshness', /^Live$/);
  });

  test('is light or dark as the system is, or as it is told, also after a reload', async (t) => {
    const gateway = await Gateway.start(t, { scripts });
    const page = await open(t, gateway, { colorScheme: 'dark' });
    const paper = () => page.evaluate(() => getComputedStyle(document.body).backgroundColor);
    const dark = await paper();
    const theme = page.locator('#theme');
    await theme.click();
    await page.shows('#theme', /Theme: light/);
    const light = await paper();
    assert.notEqual(light, dark);
    await page.reload();
    assert.equal(await paper(), light);
    await theme.click();
    await page.shows('#theme', /Theme: dark/);
    assert.equal(await paper(), dark);
  });

  test('fits a phone', async (t) => {
    const gateway = await Gateway.start(t, { scripts });
    const client = await Client.open(gateway, `client-${'x'.repeat(100)}`);
    stream(t, client, { to: 'offline-1', data: { kind: 'bad', why: 'w'.repeat(200) } });
    await gateway.save('main.lua', broken);
    const page = await open(t, gateway, { viewport: { width: 360, height: 740 } });
    await page.shows('.panel:has-text("Top clients") tbody', /client-xxx/);
    for (const view of ['overview', 'scripts', 'messages', 'clients']) {
      await page.locator(`nav a[href="#${view}"]`).click();
      if (view === 'messages') await page.shows('.tail tbody', /dropped/);
      if (view === 'clients') await page.shows('#clients-list tbody', /client-xxx/);
      const width = await page.evaluate(() => document.scrollingElement.scrollWidth);
      assert.ok(width <= 360, `${view} is ${width} pixels wide`);
    }
  });
});

describe('the console of a gateway with keys', { skip }, () => {
  let browser;
  before(async () => { browser = await launch(); });
  after(() => browser?.close());
  const excused = /^Failed to load resource: the server responded with a status of 401/;

  /** A gateway with keys: how each was printed, by its scope. */
  async function keyed(t) {
    const gateway = await Gateway.start(t, { scripts });
    await gateway.stop();
    const file = path.join(gateway.home, 'keys');
    const keys = {};
    for (const scope of ['read', 'admin', 'publish']) {
      const made = await stratix('key', 'new', '--name', scope, '--scope', scope, '--keys', file);
      assert.equal(made.code, 0, made.stderr);
      [keys[scope]] = /sk_[\w-]+/.exec(made.stdout);
    }
    await gateway.run(['--keys', file]);
    return { gateway, keys, file };
  }

  async function logIn(page, key) {
    await page.fill('#key', key);
    await page.getByRole('button', { name: 'Log in' }).click();
  }

  test('lets nobody in without a key that may read', async (t) => {
    const { gateway, keys } = await keyed(t);
    const page = await openConsole(t, browser, gateway, { excused });
    await page.shows('#login-title', /Log in/);
    assert.equal(await page.locator('#console').isVisible(), false);
    assert.equal(await page.evaluate(() => document.activeElement.id), 'key');
    await logIn(page, 'sk_wrong');
    await page.shows('#login-wrong', /This key is not one of the gateway’s/);
    await logIn(page, keys.publish);
    await page.shows('#login-wrong', /has the scope publish; the console needs read or admin/);
    await logIn(page, keys.read);
    await page.lit('Gateway', 'ok', /Healthy/);
    assert.equal(await page.locator('#login').isVisible(), false);
  });

  test('lets a key that may read look, and says why it may not act', async (t) => {
    const { gateway, keys } = await keyed(t);
    await Client.open(gateway, 'client-1');
    const page = await openConsole(t, browser, gateway, { excused, view: '#scripts' });
    const urls = [];
    page.on('request', (r) => urls.push(r.url()));
    await logIn(page, keys.read);
    await page.shows('#scripts-why', /need a key with the scope admin/);
    for (const name of ['Reload now', 'Roll back…']) assert.equal(await page.getByRole('button', { name }).isDisabled(), true, name);
    await page.goto(`http://${gateway.admin}/console/#clients/client-1`);
    await page.shows('#client-why', /needs a key with the scope admin/);
    assert.equal(await page.getByRole('button', { name: 'Disconnect…' }).isDisabled(), true);

    await page.reload(); // the tab knows the key
    await page.lit('Gateway', 'ok', /Healthy/);
    assert.equal(await page.evaluate((key) => [...Object.values(localStorage)].some((v) => v.includes(key)), keys.read), false);
    assert.ok(urls.every((u) => !u.includes(keys.read)), 'a key stands in an address');
    await page.getByRole('button', { name: 'Log out' }).click();
    await page.shows('#login-wrong', /You have logged out/);
    assert.deepEqual(await page.evaluate(() => Object.values(sessionStorage)), []);
  });

  test('lets an admin act, until the key is taken away', async (t) => {
    const { gateway, keys, file } = await keyed(t);
    const page = await openConsole(t, browser, gateway, { excused, view: '#scripts' });
    await logIn(page, keys.admin);
    await page.getByRole('button', { name: 'Reload now' }).click();
    await page.shows('#notices', /Reloaded: unchanged/);
    assert.equal((await stratix('key', 'revoke', 'admin', '--keys', file)).code, 0);
    gateway.process.kill('SIGHUP'); // it reads the keys again
    await until('the page to ask for a key', async () => {
      if (await page.locator('#login').isVisible()) return true;
      await page.getByRole('button', { name: 'Reload now' }).click({ timeout: 1000 }).catch(() => {});
      return false;
    });
    await page.shows('#login-wrong', /this key is not one of the gateway's/);
  });
});

describe('the console without a mouse', { skip }, () => {
  let browser;
  before(async () => { browser = await launch(); });
  after(() => browser?.close());

  const focused = (page) => page.evaluate(() => {
    const e = document.activeElement;
    const seen = e.matches(':focus-visible') && getComputedStyle(e).outlineStyle !== 'none';
    return { name: e.id || e.textContent.trim(), tag: e.tagName, seen };
  });

  test('is walked through with Tab, in order, with a focus that is seen, and no trap', async (t) => {
    const gateway = await Gateway.start(t, { scripts });
    await gateway.save('main.lua', good);
    const page = await openConsole(t, browser, gateway, { view: '#scripts' });
    await page.shows('.panel:has-text("Generations") tbody', /Make live…/);
    const walk = [];
    for (let n = 0; n < 40; n++) {
      await page.keyboard.press('Tab');
      const at = await focused(page);
      if (at.tag === 'BODY') break;
      assert.ok(at.seen, `the focus on ${JSON.stringify(at)} cannot be seen`);
      walk.push(at.name);
    }
    assert.deepEqual(walk.filter((name) => !/^(Gateway|Loss|Scripts[A-Z])/.test(name)),
      ['Skip to the content', 'Overview', 'Scripts', 'Messages', 'Clients', 'theme', 'help-open', 'Reload now', 'Roll back…', 'Make live…']);
    assert.equal(walk.filter((name) => /^(Gateway|Loss|Scripts[A-Z])/.test(name)).length, 3, 'the lamps are links');
  });

  test('rolls back, with keys alone', async (t) => {
    const gateway = await Gateway.start(t, { scripts });
    await gateway.save('main.lua', good);
    const page = await openConsole(t, browser, gateway);
    await page.lit('Scripts', 'note', /Generation 2/);
    await page.keyboard.press('2');
    await page.shows('.panel:has-text("Generations") tbody', /Make live…/);
    const to = async (name) => {
      for (let n = 0; n < 40; n++) {
        if ((await focused(page)).name === name) return;
        await page.keyboard.press('Tab');
      }
      assert.fail(`Tab never comes to ${name}`);
    };
    await to('Roll back…');
    await page.keyboard.press('Enter');
    await page.shows('#confirm-title', /Roll the scripts back/);
    assert.equal((await focused(page)).name, 'confirm-no', 'what does no harm has the focus');
    await to('confirm-yes'); // the focus stays in the dialog
    await page.keyboard.press('Enter');
    await page.lit('Scripts', 'warn', /Scripts were taken back/);
    assert.equal((await focused(page)).name, 'Roll back…', 'the focus is back where it was');
    assert.equal((await gateway.status()).scripts.last.result, 'rolled_back');
  });

  test('has keys for its views, which are listed, do nothing while somebody types, and can be off', async (t) => {
    const gateway = await Gateway.start(t, { scripts });
    const page = await openConsole(t, browser, gateway);
    const view = () => page.evaluate(() => location.hash);
    const at = (hash) => until(`the view ${hash}`, async () => (await view()) === hash);
    await page.lit('Gateway', 'ok', /Healthy/);
    await page.keyboard.press('?');
    await page.shows('#help-keys', /1overview.*messages.*\?this list/);
    assert.equal(await page.locator('#help').isVisible(), true);
    await page.keyboard.press('Escape');
    assert.equal(await page.locator('#help').isVisible(), false);
    await page.keyboard.press('3');
    await at('#messages');
    await page.keyboard.press('/');
    assert.equal((await focused(page)).name, 'tail-name');
    await page.keyboard.type('1p?');
    assert.equal(await page.locator('#tail-name').inputValue(), '1p?');
    await at('#messages');
    await page.locator('nav a[href="#clients"]').click();
    await at('#clients');
    await page.keyboard.press('?');
    await page.locator('#keys-on').uncheck();
    await page.keyboard.press('Escape');
    await page.keyboard.press('1');
    await page.keyboard.press('?');
    assert.equal(await page.locator('#help').isVisible(), false);
    assert.equal(await view(), '#clients');
  });

  test('has a name for all that can be used, and headings and tables that are some', async (t) => {
    const gateway = await Gateway.start(t, { scripts });
    await Client.open(gateway, 'client-1');
    const page = await openConsole(t, browser, gateway, { view: '#clients/client-1' });
    await page.shows('#client .facts', /plain/);
    const nameless = await page.evaluate(() => [...document.querySelectorAll('button, a, input, select')].filter((e) => {
      const label = e.labels?.length > 0 || e.getAttribute('aria-label') || e.textContent.trim();
      return !label;
    }).map((e) => e.outerHTML));
    assert.deepEqual(nameless, []);
    assert.equal(await page.locator('h1:visible').count(), 1);
    assert.equal(await page.locator('table:not(:has(caption))').count(), 0);
    assert.equal(await page.locator('[onclick], div[role=button]').count(), 0);
  });
});
