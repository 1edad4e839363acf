// The console in headless Chromium, with the real gateway behind it: how it is.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { launch, skip } from './chromium.js';
import { Client } from './client.js';
import { Gateway } from './gateway.js';
import { broken, openConsole, scripts, stream } from './page.js';

describe('the console', { skip }, () => {
  let browser;
  before(async () => { browser = await launch(); });
  after(() => browser?.close());
  const open = (gateway, options) => openConsole(browser, gateway, options);

  test('teaches those who have no client yet, and shows the numbers of those that come', async (t) => {
    const gateway = await Gateway.start(t, { scripts });
    const page = await open(gateway);
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
    const page = await open(gateway);
    const client = await Client.open(gateway, 'client-a');
    await client.ask({ type: 0, messageId: 'm1', to: 'offline-1', data: 1 });
    await page.lit('Loss', 'warn', /1 message lost\s+in the last .*: expired 1; since the start: expired 1/);
    await page.shows('.panel:has-text("Lost and refused") tr:has-text("expired")', /messages expired\s*11$/);
  });

  test('says what is lost on the way to a service, and what scripts reject', async (t) => {
    const gateway = await Gateway.start(t, { scripts: { 'main.lua': `upstream "orders" { url = "http://127.0.0.1:9", retries = 0, timeout = "1s", dead_letter = "client:nobody" }
pipeline { function(msg)
  if msg:get("data") == "bad" then return msg:reject("not_wanted", "no") end
  if msg:get("data") == "order" then msg:to_upstream("orders") end
end }` } });
    const page = await open(gateway);
    const panel = '.panel:has-text("Lost and refused")';
    await page.shows(panel, /Nothing was lost, no message was rejected and no connection was refused, since the gateway started/);
    await page.lit('Loss', 'ok', /Nothing lost/);
    const client = await Client.open(gateway, 'client-a');
    await client.ask({ type: 0, messageId: 'm1', to: 'client-a', data: 'bad' });
    await page.shows(`${panel} tr:has-text("messages rejected")`, /messages rejected\s*11$/);
    await page.shows(`${panel} thead`, /last \d+ s/);
    client.send({ type: 0, messageId: 'm2', data: 'order' });
    await page.lit('Loss', 'bad', /1 message lost\s.*since the start: .*given up for orders 1/);
    await page.lit('Loss', 'bad', /dead letters that reached nobody 1/);
    await page.shows(`${panel} tr:has-text("dead letters")`, /dead letters that reached nobody\s*11$/);
  });

  test('says that data is old while the gateway is away, and goes on by itself', async (t) => {
    const gateway = await Gateway.start(t, { scripts });
    const page = await open(gateway, { excused: /^Failed to load resource: net::ERR_/ });
    await page.lit('Gateway', 'ok', /Healthy/);
    const { admin } = gateway;
    await gateway.kill();
    await page.lit('Gateway', 'bad', /No data\s+for \d+ s \(the .*\); everything below is from before/);
    await page.shows('#freshness', /^No data for \d+ s, trying again$/);
    await page.shows('#announcer', /No data from the gateway, trying again|Gateway: No data/);
    await gateway.run(['--admin', admin]);
    await page.lit('Gateway', 'ok', /Healthy/);
    await page.shows('#freshness', /^Live$/);
  });

  test('is light or dark as the system is, or as it is told, also after a reload', async (t) => {
    const gateway = await Gateway.start(t, { scripts });
    const page = await open(gateway, { colorScheme: 'dark' });
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
    const page = await open(gateway, { viewport: { width: 360, height: 740 } });
    await page.shows('.panel:has-text("Top clients") tbody', /client-xxx/);
    for (const [button, text] of [['#theme', 'Theme: system'], ['#help-open', 'Keys ?']]) assert.equal((await page.locator(button).innerText()).trim(), text);
    for (const view of ['overview', 'scripts', 'messages', 'clients']) {
      await page.locator(`nav a[href="#${view}"]`).click();
      if (view === 'messages') await page.shows('.tail tbody', /dropped/);
      if (view === 'clients') await page.shows('#clients-list tbody', /client-xxx/);
      const width = await page.evaluate(() => document.scrollingElement.scrollWidth);
      assert.ok(width <= 360, `${view} is ${width} pixels wide`);
    }
  });
});
