// The console: how saves went, what a shadow run found, and the way back.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { launch, skip } from './chromium.js';
import { Client } from './client.js';
import { Gateway } from './gateway.js';
import { broken, evil, good, openConsole, scripts } from './page.js';

describe('the scripts in the console', { skip }, () => {
  let browser;
  before(async () => { browser = await launch(); });
  after(() => browser?.close());
  const open = (gateway, options) => openConsole(browser, gateway, options);

  test('says where a save is broken, and shows a good one and its trial', async (t) => {
    const gateway = await Gateway.start(t, { scripts });
    const page = await open(gateway, { view: '#scripts' });
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
    const page = await open(gateway, { view: '#scripts' });
    await gateway.save('main.lua', scripts['main.lua'].replace('"bad"', '"x"'));
    await page.shows('.panel:has-text("Shadow run")', /5 messages decided differently – 5 messages were run/);
    await page.shows('table.stack tbody', /goes to client offline-1.*dropped.*<img src=x onerror=alert\(1\)> m\d$/s);
  });

  test('rolls back after it has said what will happen', async (t) => {
    const gateway = await Gateway.start(t, { scripts });
    await gateway.save('main.lua', good);
    const page = await open(gateway, { view: '#scripts' });
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
});
