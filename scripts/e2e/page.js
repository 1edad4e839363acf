// The console in a browser: a page that asks no other host, breaks no rule of its
// own and says nothing on the browser's console, or its test fails.
import assert from 'node:assert/strict';
import { patience, until } from './gateway.js';

/** Opens the console of a gateway. `excused` is what the browser may say of failed requests. */
export async function openConsole(browser, gateway, { view = '', excused, ...options } = {}) {
  const context = await browser.newContext({ viewport: { width: 1440, height: 900 }, ...options });
  context.setDefaultTimeout(patience);
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
  gateway.guests.push(async () => {
    const violations = await page.evaluate(() => window.violations);
    await context.close();
    assert.deepEqual({ said, asked, violations }, { said: [], asked: [], violations: [] });
  });
  await page.goto(`${origin}/console/${view}`);

  /** Waits until what the selector finds first can be seen and holds this text. */
  page.shows = (selector, text) => seen(`${selector} to show ${text}`, async () => {
    const found = await page.locator(selector).first().textContent({ timeout: 1000 }).catch(() => 'nothing');
    return [text.test(found) && await page.locator(selector).first().isVisible(), found];
  });
  /** The lamp of this name: its level, and what it says. */
  page.lamp = async (title) => {
    const lamp = page.locator('.lamp', { has: page.locator('.title', { hasText: title }) });
    return { level: (await lamp.getAttribute('class')).split(' ')[1], text: await lamp.innerText() };
  };
  /** Waits until the lamp of this name has this level and says this. */
  page.lit = (title, level, text) => seen(`the lamp ${title} to be ${level} and say ${text}`, async () => {
    const lamp = await page.lamp(title);
    return [lamp.level === level && text.test(lamp.text), JSON.stringify(lamp)];
  });
  return page;
}

/** Looks until it is as it should be; a failure says what was there instead. */
async function seen(what, look) {
  let last;
  try {
    await until(what, async () => {
      const [fits, found] = await look();
      last = found;
      return fits;
    });
  } catch (cause) {
    throw new Error(`${cause.message}; there is: ${last}`, { cause });
  }
}

/** Scripts that keep what is for somebody, drop what is bad, and two other states of them. */
export const scripts = {
  'main.lua': `pipeline {
  function(msg)
    if msg:get("data.kind") == "bad" then return msg:drop(msg:get("data.why") or "not wanted") end
  end,
  stage.disk { sync = "commit" },
  stage.ring { messages = 1000, bytes = "1MiB" },
}
`,
};
export const good = scripts['main.lua'].replace('not wanted', 'refused');
export const broken = `${scripts['main.lua']}\nfunction on_tick(`;

/** Lets a client send until the test is over. */
export function stream(t, client, frame) {
  let n = 0;
  const timer = setInterval(() => client.send({ type: 0, messageId: `s${++n}`, to: client.id, ...frame }), 20);
  t.after(() => clearInterval(timer));
}

/** What a client may be called. */
export const evil = '<img src=x onerror=alert(1)>';
