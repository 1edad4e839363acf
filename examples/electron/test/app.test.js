// The Electron app: its main process with a made-up Electron, and its preload script and page in Chromium. The real
// Electron plays the same chat where it is installed.
import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { readFile, stat } from 'node:fs/promises';
import { createRequire } from 'node:module';
import http from 'node:http';
import { once } from 'node:events';
import path from 'node:path';
import { describe, test } from 'node:test';
import { _electron } from 'playwright-core';
import { StratixClient } from 'stratix-client';
import { WebSocket } from 'ws';
import { Gateway, until } from '../../../scripts/e2e/gateway.js';
import { dist, launch, skip } from './chromium.js';
import { startMain } from './main.js';
import { Proxy } from './proxy.js';

test('the window is isolated, and what it loads cannot lead anywhere', async (t) => {
  const main = await startMain(t);
  const [{ options, url }] = main.windows;
  const { preload, ...rights } = options.webPreferences;
  assert.deepEqual(rights, { contextIsolation: true, nodeIntegration: false, sandbox: true, webSecurity: true, backgroundThrottling: false });
  assert.ok(existsSync(preload));
  assert.equal(url, 'app://chat/');
  assert.deepEqual(main.schemes, [{ scheme: 'app', privileges: { standard: true, secure: true } }]);

  const listeners = {};
  let openHandler;
  main.app.emit('web-contents-created', {}, { on: (name, f) => { listeners[name] = f; }, setWindowOpenHandler: (f) => { openHandler = f; } });
  for (const name of ['will-navigate', 'will-attach-webview']) {
    let prevented = false;
    listeners[name]({ preventDefault: () => { prevented = true; } });
    assert.ok(prevented, name);
  }
  assert.deepEqual(openHandler({ url: 'https://example.com' }), { action: 'deny' });
  main.session.request({}, 'media', (granted) => assert.equal(granted, false));
  assert.equal(main.session.check(), false);
});

test('only the app\'s own files are served, under a policy that names the gateway and nobody else', async (t) => {
  const main = await startMain(t, { url: 'wss://gateway.example:444/ws?x=1' });
  const f = async (url, status) => assert.equal((await main.serve(new Request(url))).status, status, url);
  await f('app://chat/', 200);
  await f('app://chat/renderer.js', 200);
  await f('app://chat/main.cjs', 404);
  await f('app://chat/constructor', 404);
  await f('app://chat/../../package.json', 404);
  await f('app://other/', 404);
  const policy = (await main.serve(new Request('app://chat/'))).headers.get('Content-Security-Policy');
  assert.equal(policy, "default-src 'none'; script-src 'self'; style-src 'self'; connect-src wss://gateway.example:444; "
    + "base-uri 'none'; form-action 'none'; frame-ancestors 'none'");
});

test('main answers its own page only, and takes only settings', async (t) => {
  const main = await startMain(t);
  for (const from of ['https://example.com/', 'app://chat.example.com/', 'file:///index.html']) {
    assert.throws(() => main.invoke('settings', undefined, from), /not for this page/);
  }
  const good = { clientId: 'a', gatewayUrl: 'ws://localhost/ws', token: '' };
  for (const bad of [{ ...good, gatewayUrl: 'https://x/' }, { ...good, gatewayUrl: 'x' }, { ...good, token: 1 }, { ...good, clientId: undefined }, undefined]) {
    await assert.rejects(async () => main.invoke('save', bad), JSON.stringify(bad));
  }
  await main.invoke('save', good);
  assert.deepEqual(await main.invoke('settings'), good);
});

test('the token is kept encrypted, and not at all where it cannot be', async (t) => {
  for (const encryption of [true, false]) {
    const { home, invoke } = await startMain(t, { encryption });
    await invoke('save', { clientId: 'a', gatewayUrl: 'ws://localhost/ws', token: 'very secret' });
    const file = path.join(home, 'settings.json');
    const text = await readFile(file, 'utf8');
    assert.ok(!text.includes('very secret') && !text.includes(Buffer.from('very secret').toString('base64')));
    assert.equal((await stat(file)).mode & 0o077, 0);
    assert.equal((await invoke('settings')).token, 'very secret', 'as long as the app runs');
    const again = await startMain(t, { home, encryption });
    assert.deepEqual(await again.invoke('settings'), { clientId: 'a', gatewayUrl: 'ws://localhost/ws', token: encryption ? 'very secret' : '' });
  }
});

test('sleep and wake are told to the page', async (t) => {
  const main = await startMain(t);
  main.power.emit('suspend');
  main.power.emit('resume');
  assert.deepEqual(main.told, [['power', 'suspend'], ['power', 'resume']]);
});

/** Signs in and chats with a peer over breaks; the same in Chromium and in Electron. `page` shows the sign-in form. */
async function chat(t, page, gateway, proxy, { suspend, resume }) {
  const peer = new StratixClient({ clientId: 'peer', gatewayUrl: `ws://${gateway.listen}/ws`, WebSocket });
  t.after(() => peer.close());
  await peer.connect();
  const received = [];
  peer.onMessage((m) => { received.push([m.from, m.data.text]); });
  const state = (want) => page.waitForSelector(`#state[data-state="${want}"]`);
  const tick = (text, want) => page.waitForSelector(`li.mine[data-state="${want}"]:has-text(${JSON.stringify(text)})`);
  const write = async (to, text) => {
    await page.fill('#compose [name=to]', to);
    await page.fill('#compose [name=text]', text);
    await page.press('#compose [name=text]', 'Enter');
  };

  await page.fill('#sign-in [name=clientId]', 'me');
  await page.fill('#sign-in [name=gatewayUrl]', proxy.url);
  await page.click('#sign-in button');
  await state('connected');
  await write('peer', 'hello');
  await tick('hello', 'delivered');
  await write('nobody', 'are you there?');
  await tick('are you there?', 'accepted');
  await peer.send({ text: '<img src=x onerror=alert(1)>' }, { to: 'me' });
  await page.waitForSelector('li.theirs:has-text("<img src=x onerror=alert(1)>")');

  // Cut off: what is written waits, and is ticked when the line is back.
  proxy.refusing = true;
  proxy.cut();
  await state('waiting');
  await write('peer', 'from the train');
  await tick('from the train', 'queued');
  await page.waitForSelector('#outbox:has-text("1 waiting")');
  proxy.refusing = false;
  await tick('from the train', 'delivered');
  assert.deepEqual(received, [['me', 'hello'], ['me', 'from the train']]);

  // Asleep: the socket is not trusted until it has answered.
  await suspend();
  await state('checking');
  await resume();
  await state('connected');

  // What cannot come is shown: it expired while this client was away.
  proxy.refusing = true;
  proxy.cut();
  await state('waiting');
  await peer.send({ text: 'too late' }, { to: 'me', ttl: 1 });
  await until('it to expire', async () => (await gateway.metric('stratix_gaps_total{cause="expired"}')) === 1);
  proxy.refusing = false;
  await page.waitForSelector('li.gap:has-text("1 message(s) will not come: expired")');

  if (process.env.SCREENSHOT) await page.screenshot({ path: process.env.SCREENSHOT });

  // Closed and opened again with something in the outbox.
  await state('connected');
  proxy.refusing = true;
  proxy.cut();
  await write('peer', 'before the restart');
  await tick('before the restart', 'queued');
  await page.waitForFunction(() => new Promise((resolve) => { // the store has it
    indexedDB.open('stratix-me').onsuccess = ({ target: { result: db } }) => {
      db.transaction('outbox').objectStore('outbox').count().onsuccess = (event) => {
        db.close();
        resolve(event.target.result === 1);
      };
    };
  }));
  await page.reload();
  proxy.refusing = false;
  await state('connected');
  await until('it to arrive', () => received.length === 3);
  assert.deepEqual(received[2], ['me', 'before the restart']);
}

const start = async (t, origin) => {
  const gateway = await Gateway.start(t, { flags: ['--origins', origin, '--drain-timeout', '1s'] });
  const proxy = await Proxy.start(t, gateway.listen);
  return { gateway, proxy };
};

describe('the chat', () => {
  test('in Chromium, with the app\'s own preload script, page and policy', { skip }, async (t) => {
    const main = await startMain(t);
    const server = http.createServer(async (request, response) => {
      const { status, headers, body } = await main.serve(new Request(`app://chat${request.url}`));
      response.writeHead(status, Object.fromEntries(headers));
      for await (const bytes of body ?? []) response.write(bytes);
      response.end();
    }).listen(0, '127.0.0.1');
    await once(server, 'listening');
    t.after(() => server.close());
    const origin = `http://localhost:${server.address().port}`;
    const { gateway, proxy } = await start(t, origin);
    const browser = await launch();
    t.after(() => browser.close());
    const page = await browser.newPage();
    const problems = [];
    page.on('pageerror', (error) => problems.push(error.message));
    page.on('console', (message) => { if (/Content Security Policy/.test(message.text())) problems.push(message.text()); });
    page.on('dialog', () => problems.push('a message ran as a script'));
    // What Electron gives to a preload script, and what it makes of contextBridge.
    await page.exposeFunction('invokeMain', (channel, given) => main.invoke(channel, given));
    await page.addInitScript(`{
      const heard = new EventTarget();
      window.power = (name) => heard.dispatchEvent(new CustomEvent('power', { detail: name }));
      const electron = {
        contextBridge: { exposeInMainWorld: (name, api) => { window[name] = api; } },
        ipcRenderer: { invoke: window.invokeMain, on: (name, f) => heard.addEventListener(name, (event) => f({}, event.detail)) },
      };
      ((require) => {${await readFile(path.join(dist, 'app', 'preload.cjs'), 'utf8')}})(() => electron);
    }`);
    await page.goto(`${origin}/`);
    await chat(t, page, gateway, proxy, {
      suspend: () => page.evaluate(() => window.power('suspend')), resume: () => page.evaluate(() => window.power('resume')),
    });
    assert.deepEqual(problems, []);
    assert.equal(await page.evaluate(() => new Promise((resolve) => {
      document.addEventListener('securitypolicyviolation', (event) => resolve(event.effectiveDirective));
      fetch('http://localhost:1/').catch(() => {});
    })), 'connect-src', 'the page reaches nobody but the gateway');
  });

  const electron = electronBinary();
  const noElectron = !electron ? 'the Electron binary is not installed: npx install-electron, or set ELECTRON'
    : !process.env.DISPLAY && process.platform === 'linux' ? 'Electron needs a display: run this under xvfb-run' : false;
  test('in the real Electron', { skip: noElectron }, async (t) => {
    const { gateway, proxy } = await start(t, 'app://chat');
    const app = await _electron.launch({
      executablePath: electron,
      args: [path.join(dist, 'app', 'main.cjs'), `--user-data-dir=${path.join(gateway.home, 'electron')}`, ...process.getuid?.() === 0 ? ['--no-sandbox'] : []],
    });
    t.after(() => app.close());
    const page = await app.firstWindow();
    const tell = (name) => app.evaluate(({ powerMonitor }, event) => { powerMonitor.emit(event); }, name);
    await chat(t, page, gateway, proxy, { suspend: () => tell('suspend'), resume: () => tell('resume') });
    assert.equal(await page.evaluate(() => typeof process === 'undefined' && typeof require === 'undefined'), true);
  });
});

/** Where Electron is, if it is. Asking the package itself would download it. */
function electronBinary() {
  if (process.env.ELECTRON) return process.env.ELECTRON;
  const folder = path.dirname(createRequire(import.meta.url).resolve('electron/package.json'));
  const file = path.join(folder, 'dist', process.platform === 'win32' ? 'electron.exe' : process.platform === 'darwin' ? 'Electron.app/Contents/MacOS/Electron' : 'electron');
  return existsSync(file) ? file : undefined;
}
