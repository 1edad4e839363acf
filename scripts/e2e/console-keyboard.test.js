// The console without a mouse, and for those who hear it.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { launch, skip } from './chromium.js';
import { Client } from './client.js';
import { Gateway, until } from './gateway.js';
import { good, openConsole, scripts } from './page.js';

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
    const page = await openConsole(browser, gateway, { view: '#scripts' });
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
    const page = await openConsole(browser, gateway);
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
    const page = await openConsole(browser, gateway);
    const view = () => page.evaluate(() => location.hash);
    const at = (hash) => until(`the view ${hash}`, async () => (await view()) === hash);
    await page.lit('Gateway', 'ok', /Healthy/);
    await page.keyboard.press('?');
    await page.shows('#help-keys', /1overview.*messages.*\?this list/);
    assert.equal(await page.locator('#help').isVisible(), true);
    await page.keyboard.press('Escape');
    assert.equal(await page.locator('#help').isVisible(), false);
    await page.keyboard.press('3');
    await page.shows('#tail-state', /Following/);
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
    const page = await openConsole(browser, gateway, { view: '#clients/client-1' });
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
