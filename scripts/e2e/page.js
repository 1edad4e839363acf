// The console in a browser: a page that asks no other host, breaks no rule of its
// own and says nothing on the browser's console, or its test fails.
import assert from 'node:assert/strict';
import { until } from './gateway.js';

/** Opens the console of a gateway. `excused` is what the browser may say of failed requests. */
export async function openConsole(t, browser, gateway, { view = '', excused, ...options } = {}) {
  const context = await browser.newContext({ viewport: { width: 1440, height: 900 }, ...options });
  const page = await context.newPage();
  const origin = `http://${gateway.admin}`;
  const [said, asked] = [[], []];
  page.on('console', (m) => { if (['error', 'warning'].includes(m.type()) && !excused?.test(m.text())) said.push(m.text()); });
  page.on('pageerror', (err) => said.push(String(err)));
  page.on('dialog', (d) => {
    said.push(`a dialog: ${d.message()}`);
    d.dismiss();
  });
  page.on('request', (r) => { if (new URL(r.url()).origin !== origin) asked.push(r.url()); });
  await page.addInitScript(() => {
    window.violations = [];
    document.addEventListener('securitypolicyviolation', (e) => window.violations.push(`${e.violatedDirective} ${e.blockedURI} ${e.sample}`));
  });
  t.after(async () => {
    const violations = await page.evaluate(() => window.violations);
    await context.close();
    assert.deepEqual({ said, asked, violations }, { said: [], asked: [], violations: [] });
  });
  await page.goto(`${origin}/console/${view}`);

  /** Waits for a text in what the selector finds first. */
  page.shows = (selector, text) => until(`${selector} to show ${text}`, async () => {
    const found = await page.locator(selector).first().textContent({ timeout: 1000 }).catch(() => '');
    return text.test(found) && found;
  });
  /** The lamp of this name: its level, and what it says. */
  page.lamp = async (title) => {
    const lamp = page.locator('.lamp', { hasText: title }).first();
    return { level: (await lamp.getAttribute('class')).split(' ')[1], text: await lamp.innerText() };
  };
  /** Waits until the lamp of this name has this level and says this. */
  page.lit = (title, level, text) => until(`the lamp ${title} to be ${level} and say ${text}`, async () => {
    const lamp = await page.lamp(title);
    return lamp.level === level && text.test(lamp.text) && lamp;
  });
  return page;
}
