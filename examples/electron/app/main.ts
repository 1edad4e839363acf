// The main process: a window without any rights, the settings, and what only the main process knows (sleep and wake).
import { app, BrowserWindow, ipcMain, powerMonitor, protocol, safeStorage, session, type IpcMainInvokeEvent } from 'electron';
import { readFile, rename, writeFile } from 'node:fs/promises';
import path from 'node:path';
import type { Settings } from './desktop.js';

/** Where the page comes from: `--origins app://chat` lets it in at the gateway. */
const origin = 'app://chat';

/** All that the page may load, by path. */
const files: Record<string, { name: string; type: string }> = {
  '/': { name: 'index.html', type: 'text/html; charset=utf-8' },
  '/style.css': { name: 'style.css', type: 'text/css; charset=utf-8' },
  '/renderer.js': { name: 'renderer.js', type: 'text/javascript; charset=utf-8' },
};

app.setName('stratix-chat'); // names the folder of its settings

// Before the app is ready: a scheme with an origin of its own, so that IndexedDB and the CSP work as on the web.
protocol.registerSchemesAsPrivileged([{ scheme: 'app', privileges: { standard: true, secure: true } }]);

const settingsFile = () => path.join(app.getPath('userData'), 'settings.json');
let settings: Settings = {
  clientId: process.env.STRATIX_CLIENT_ID ?? '',
  gatewayUrl: process.env.STRATIX_URL ?? 'ws://localhost:8080/ws',
  token: '',
};

/** Whether the token can be kept: with `basic_text` it would be as good as in the clear. */
const canEncrypt = () =>
  safeStorage.isEncryptionAvailable() && (process.platform !== 'linux' || safeStorage.getSelectedStorageBackend() !== 'basic_text');

async function loadSettings(): Promise<void> {
  let text: string;
  try {
    text = await readFile(settingsFile(), 'utf8');
  } catch {
    return; // the first start
  }
  try {
    const { clientId, gatewayUrl, secret } = JSON.parse(text) as { clientId: string; gatewayUrl: string; secret?: string };
    settings = { clientId, gatewayUrl, token: '' };
    if (secret && canEncrypt()) settings.token = safeStorage.decryptString(Buffer.from(secret, 'base64'));
  } catch (error) {
    console.error(`${settingsFile()} cannot be used, sign in again:`, error);
  }
}

async function saveSettings(given: unknown): Promise<void> {
  const { clientId, gatewayUrl, token } = given as Settings;
  if (typeof clientId !== 'string' || typeof token !== 'string' || !/^wss?:$/.test(new URL(gatewayUrl).protocol)) {
    throw new Error('these are no settings');
  }
  settings = { clientId, gatewayUrl, token };
  const secret = token && canEncrypt() ? safeStorage.encryptString(token).toString('base64') : undefined;
  await writeFile(`${settingsFile()}~`, JSON.stringify({ clientId, gatewayUrl, secret }), { mode: 0o600 });
  await rename(`${settingsFile()}~`, settingsFile());
}

/** The page runs its own script, and talks to this gateway and nobody else. */
function policy(): string {
  return "default-src 'none'; script-src 'self'; style-src 'self'; "
    + `connect-src ${new URL(settings.gatewayUrl).origin}; base-uri 'none'; form-action 'none'; frame-ancestors 'none'`;
}

async function serve(request: Request): Promise<Response> {
  const { host, pathname } = new URL(request.url);
  const file = host === 'chat' && Object.hasOwn(files, pathname) ? files[pathname] : undefined;
  if (!file) return new Response('not found', { status: 404 });
  return new Response(await readFile(path.join(__dirname, file.name)), {
    headers: { 'Content-Type': file.type, 'Content-Security-Policy': policy(), 'X-Content-Type-Options': 'nosniff' },
  });
}

/** Answers the page, and nothing else that might have got into the window. */
function handle(channel: string, answer: (given: unknown) => unknown): void {
  ipcMain.handle(channel, (event: IpcMainInvokeEvent, given: unknown) => {
    if (!event.senderFrame?.url.startsWith(`${origin}/`)) throw new Error(`${channel}: not for this page`);
    return answer(given);
  });
}

function openWindow(): void {
  const window = new BrowserWindow({
    width: 720,
    height: 640,
    webPreferences: {
      preload: path.join(__dirname, 'preload.cjs'),
      contextIsolation: true,
      nodeIntegration: false,
      sandbox: true,
      webSecurity: true,
      backgroundThrottling: false, // timers of a hidden window would be late, and acknowledgements with them
    },
  });
  window.removeMenu();
  void window.loadURL(`${origin}/`);
}

app.on('web-contents-created', (_event, contents) => {
  contents.on('will-navigate', (event) => event.preventDefault());
  contents.on('will-attach-webview', (event) => event.preventDefault());
  contents.setWindowOpenHandler(() => ({ action: 'deny' }));
});

async function main(): Promise<void> {
  // The outbox is for one client at a time.
  if (!app.requestSingleInstanceLock()) {
    app.quit();
    return;
  }
  app.on('second-instance', () => BrowserWindow.getAllWindows()[0]?.focus());
  app.on('window-all-closed', () => app.quit());
  await app.whenReady();
  await loadSettings();
  session.defaultSession.setPermissionRequestHandler((_contents, _permission, answer) => answer(false));
  session.defaultSession.setPermissionCheckHandler(() => false);
  protocol.handle('app', serve);
  handle('settings', () => settings);
  handle('save', saveSettings);
  const tell = (name: 'suspend' | 'resume') => () => {
    for (const window of BrowserWindow.getAllWindows()) window.webContents.send('power', name);
  };
  powerMonitor.on('suspend', tell('suspend'));
  powerMonitor.on('resume', tell('resume'));
  openWindow();
}

void main();
