// The console: messages and clients, whatever they are called.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { launch, skip } from './chromium.js';
import { Client } from './client.js';
import { Gateway, until } from './gateway.js';
import { evil, openConsole, scripts, stream } from './page.js';

describe('messages and clients in the console', { skip }, () => {
  let browser;
  before(async () => { browser = await launch(); });
  after(() => browser?.close());
  const open = (gateway, options) => openConsole(browser, gateway, options);

  test('follows messages by a filter, and explains one', async (t) => {
    const gateway = await Gateway.start(t, { scripts });
    const page = await open(gateway, { view: '#messages' });
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
    await page.shows('#explained', /Sender was tolderror dropped: a reason <b>x<\/b>/);
    assert.equal(await page.evaluate(() => document.activeElement.id), 'explain-title');
    assert.equal(new URL(page.url()).hash, '#messages/b1');
    await page.fill('#explain-id', 'no/such message');
    await page.getByRole('button', { name: 'Explain' }).click();
    await page.shows('#explained', /no\/such message: There is no trace of it\./);
  });

  test('shows what clients are called as text, whatever that is', async (t) => {
    const gateway = await Gateway.start(t, { scripts });
    const page = await open(gateway);
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

  test('stays readable whatever a script says of a message, and however its files are called', async (t) => {
    const module = 'a_long_name_of_a_module_that_nobody_would_ever_choose_for_one';
    const gateway = await Gateway.start(t, {
      flags: ['--explain-rate', '1'],
      scripts: { [`${module}.lua`]: 'return { stage = function(msg) end }', 'main.lua': scripts['main.lua'].replace('{\n', `{\n  require("${module}").stage,\n`) },
    });
    const page = await open(gateway, { view: '#messages', viewport: { width: 375, height: 700 } });
    await page.shows('#tail-state', /Following/);
    const client = await Client.open(gateway, 'client-1');
    stream(t, client, { data: { kind: 'bad', why: `\u202e<b>x</b>\u2066\r${'W'.repeat(900)}` } });
    await page.shows('.tail tbody', /\\u202e<b>x<\/b>\\u2066\\u000dWWW/); // nothing turns the text behind it
    await page.locator('.tail tbody .what a').first().click();
    await page.shows('#explained .stages', /a_long_name/);
    const sideways = () => page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
    assert.equal(await sideways(), 0);
    await page.goto(`http://${gateway.admin}/console/#overview`);
    await page.setViewportSize({ width: 1440, height: 900 });
    await page.shows('.panel:has-text("Pipeline") tbody', /a_long_name/);
    const cut = await page.locator('.panel:has-text("Pipeline") .table').first().evaluate((table) => table.scrollWidth - table.clientWidth);
    assert.deepEqual([await sideways(), cut], [0, 0]);
  });

  test('disconnects a client, and tells it why', async (t) => {
    const gateway = await Gateway.start(t, { scripts });
    const client = await Client.open(gateway, 'client/1 ä');
    const page = await open(gateway, { view: '#clients' });
    await page.locator('#clients-list a', { hasText: 'client/1 ä' }).click();
    await page.shows('#client .facts', /Connected.*Kindplain/);
    await page.getByRole('button', { name: 'Disconnect…' }).click();
    await page.shows('#confirm-text', /The connection of client\/1 ä is closed with code 4003/);
    await page.fill('#confirm-input', 'go home');
    await page.keyboard.press('Enter');
    assert.deepEqual(await client.closed, { code: 4003, reason: 'go home' });
    await page.shows('#notices', /client\/1 ä was disconnected/);
  });
});
