// The app's own main.cjs and preload.cjs, with a module 'electron' that the test looks into.
import { EventEmitter } from 'node:events';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { dist } from './chromium.js';

const folder = path.join(dist, 'app');

/** Runs dist/app/main.cjs until its window is there. */
export async function startMain(t, { home, url, encryption = true } = {}) {
  if (!home) {
    home = await mkdtemp(path.join(tmpdir(), 'stratix-app-'));
    t.after(() => rm(home, { recursive: true, force: true }));
  }
  const main = { home, windows: [], handlers: {}, schemes: [], power: new EventEmitter(), told: [], session: {}, quit: false };
  class BrowserWindow {
    static getAllWindows = () => main.windows;
    webContents = { send: (...args) => main.told.push(args) };
    constructor(options) {
      this.options = options;
      main.windows.push(this);
    }
    removeMenu() {}
    async loadURL(address) {
      this.url = address;
      main.opened();
    }
  }
  main.app = Object.assign(new EventEmitter(), {
    setName() {}, requestSingleInstanceLock: () => true, whenReady: async () => {}, getPath: () => home, quit: () => { main.quit = true; },
  });
  const electron = {
    app: main.app,
    BrowserWindow,
    ipcMain: { handle: (channel, answer) => { main.handlers[channel] = answer; } },
    powerMonitor: main.power,
    protocol: { registerSchemesAsPrivileged: (schemes) => main.schemes.push(...schemes), handle: (_scheme, answer) => { main.serve = answer; } },
    // What is encrypted here is not readable, and that is all that is asked of it.
    safeStorage: {
      isEncryptionAvailable: () => encryption,
      getSelectedStorageBackend: () => 'gnome_libsecret',
      encryptString: (text) => Buffer.from(text, 'utf8').map((byte) => byte ^ 0x55),
      decryptString: (bytes) => Buffer.from(bytes).map((byte) => byte ^ 0x55).toString('utf8'),
    },
    session: { defaultSession: { setPermissionRequestHandler: (f) => { main.session.request = f; }, setPermissionCheckHandler: (f) => { main.session.check = f; } } },
  };
  const opened = new Promise((resolve) => { main.opened = resolve; });
  const before = process.env.STRATIX_URL;
  if (url) process.env.STRATIX_URL = url;
  await load('main.cjs', electron);
  if (url) {
    if (before === undefined) delete process.env.STRATIX_URL;
    else process.env.STRATIX_URL = before;
  }
  await opened;
  /** Asks main as the page does. */
  main.invoke = (channel, given, from = 'app://chat/') => main.handlers[channel]({ senderFrame: { url: from } }, given);
  return main;
}

async function load(name, electron) {
  const require = createRequire(import.meta.url);
  const text = await readFile(path.join(folder, name), 'utf8');
  new Function('require', 'module', 'exports', '__dirname', text)((id) => id === 'electron' ? electron : require(id), { exports: {} }, {}, folder);
}
