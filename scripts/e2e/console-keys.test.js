// The console of a gateway with keys: who is let in, and who may do what.
import assert from 'node:assert/strict';
import path from 'node:path';
import { after, before, describe, test } from 'node:test';
import { launch, skip } from './chromium.js';
import { Client } from './client.js';
import { Gateway, stratix, until } from './gateway.js';
import { openConsole, scripts } from './page.js';

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
    const page = await openConsole(browser, gateway, { excused });
    await page.shows('#login-title', /Log in/);
    assert.equal(await page.locator('#console').isVisible(), false);
    assert.equal(await page.evaluate(() => document.activeElement.id), 'key');
    await logIn(page, 'sk_wrong');
    await page.shows('#login-wrong', /This key is not one of the gateway’s/);
    await logIn(page, 'sk_…');
    await page.shows('#login-wrong', /This is no key: it holds a blank, or a character that no key has/);
    await page.locator('#key').fill('sk_wrong');
    await page.evaluate(() => { // twice at once, as a finger does
      const form = document.getElementById('login-form');
      form.requestSubmit();
      form.requestSubmit();
    });
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
    const page = await openConsole(browser, gateway, { excused, view: '#scripts' });
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
    const page = await openConsole(browser, gateway, { excused, view: '#scripts' });
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
