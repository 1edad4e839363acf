// A gateway process for one test: free ports, its own copy of the scripts, a
// data folder that is thrown away.
import assert from 'node:assert/strict';
import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { cp, mkdtemp, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';

export const root = fileURLToPath(new URL('../..', import.meta.url));

const binary = process.env.STRATIX_BIN ?? path.join(root, 'bin', 'stratix');

/** Milliseconds that a test waits for what must come, before it fails. */
export const patience = 10_000;

/** Resolves with the first truthy value that look() gives. */
export async function until(what, look) {
  const deadline = Date.now() + patience;
  for (;;) {
    const found = await look();
    if (found) return found;
    assert.ok(Date.now() < deadline, `waited ${patience} ms in vain for: ${what}`);
    await sleep(10);
  }
}

/** Runs the command line to its end, which has to come by itself. */
export function stratix(...args) {
  return new Promise((resolve, reject) => {
    execFile(binary, args, { timeout: patience }, (err, stdout, stderr) => {
      if (err && typeof err.code !== 'number') reject(err); // it was not started, or did not end
      else resolve({ code: err ? err.code : 0, stdout, stderr });
    });
  });
}

/** The shipped main.lua without the stages that keep messages, as its comment says. */
export async function withoutKeeping() {
  const shipped = await readFile(path.join(root, 'scripts', 'routes', 'main.lua'), 'utf8');
  const cut = shipped.replace(/^ *stage\.(disk|ring) \{.*\},\n/gm, '');
  assert.doesNotMatch(cut.replace(/--.*/g, ''), /stage\.(disk|ring)/);
  assert.notEqual(cut, shipped, 'main.lua keeps messages');
  return { 'main.lua': cut };
}

/** A running gateway. The test that started it need not stop it. */
export class Gateway {
  log = []; // the records so far
  guests = []; // functions that end what has to go before the gateway, at the end of its test

  /**
   * Starts a gateway and waits until it is ready. scripts are the files of its
   * folder, by name; without them it gets a copy of those that are shipped.
   */
  static async start(t, { scripts, flags = [] } = {}) {
    const g = new Gateway();
    g.home = await mkdtemp(path.join(tmpdir(), 'stratix-e2e-'));
    t.after(async () => {
      try {
        for (const leave of g.guests) await leave();
        await g.stop();
      } finally {
        await rm(g.home, { recursive: true, force: true });
      }
    });
    g.folder = path.join(g.home, 'routes');
    g.data = path.join(g.home, 'data');
    g.flags = flags;
    await cp(path.join(root, 'scripts', 'routes'), g.folder, { recursive: true });
    await rm(path.join(g.folder, 'main_test.lua')); // it is about the shipped main.lua, and would reject any other
    for (const [name, text] of Object.entries(scripts ?? {})) await g.write(name, text);
    await g.run(flags);
    return g;
  }

  /** Starts the process, again if it was stopped, and waits until it is ready. */
  async run(flags = []) {
    this.log = [];
    const args = ['serve', '--listen', '127.0.0.1:0', '--admin', '127.0.0.1:0', '--scripts', this.folder,
      '--data', this.data, '--log-format', 'json', '--drain-timeout', '4s', ...flags];
    this.process = spawn(binary, args, { stdio: ['ignore', 'inherit', 'pipe'] });
    this.ended = once(this.process, 'exit').then(([code, signal]) => ({ code, signal }));
    createInterface(this.process.stderr).on('line', (line) => this.log.push(parse(line)));
    const started = await this.record('the line that it is ready', (r) => r.msg === 'stratix is ready');
    this.listen = started.listen;
    this.admin = started.admin;
    await until('/readyz to say ok', async () => (await fetch(`http://${this.listen}/readyz`)).ok).catch((cause) => {
      throw new Error(`the gateway is not ready (exit code ${this.process.exitCode}):\n${this.text()}`, { cause });
    });
  }

  /** Resolves with the first record of the log, from `from` on, that fits. */
  record(what, fits, from = 0) {
    return until(what, () => {
      const found = this.log.slice(from).find(fits);
      assert.ok(found || this.process.exitCode === null, `the gateway ended, waiting for ${what}:\n${this.text()}`);
      return found;
    });
  }

  text() {
    return this.log.map((r) => r.line).join('\n');
  }

  url(clientId) {
    return `ws://${this.listen}/ws?clientId=${encodeURIComponent(clientId)}`;
  }

  /** GET /v1/status. */
  async status() {
    return (await fetch(`http://${this.admin}/v1/status`)).json();
  }

  /** The value of one line of /metrics. */
  async metric(name) {
    const text = await (await fetch(`http://${this.listen}/metrics`)).text();
    const line = text.split('\n').find((l) => l.startsWith(`${name} `));
    assert.ok(line, `/metrics has no ${name}`);
    return Number(line.slice(name.length + 1));
  }

  read(name) {
    return readFile(path.join(this.folder, name), 'utf8');
  }

  write(name, text) {
    return writeFile(path.join(this.folder, name), text);
  }

  /** Saves a file in place and resolves with what the log says of it. */
  async save(name, text) {
    const before = this.log.length;
    await this.write(name, text);
    return this.verdict(before);
  }

  /** Saves a file as editors do that rename a new one over it. */
  async saveByRename(name, text) {
    const before = this.log.length;
    await this.write(`${name}~`, text);
    await rename(path.join(this.folder, `${name}~`), path.join(this.folder, name));
    return this.verdict(before);
  }

  verdict(from) {
    return this.record('the verdict on a save', (r) => /^scripts (are live|rejected)/.test(r.msg), from);
  }

  /** Ends the process with kill -9. */
  async kill() {
    this.process.kill('SIGKILL');
    assert.deepEqual(await this.ended, { code: null, signal: 'SIGKILL' }, this.text());
  }

  /** Starts it again after that, at the address that its clients know. */
  revive() {
    return this.run([...this.flags, '--listen', this.listen]);
  }

  /** Holds the log of the data folder to be without damage. */
  async verify() {
    const found = await stratix('log', 'verify', '--data', this.data);
    assert.equal(found.code, 0, found.stdout + found.stderr);
    assert.match(found.stdout, /^ok: \d+ records in \d+ segments, \d+ bytes$/m);
  }

  /** The records of the log that pass these filters of `stratix log show`. */
  async records(...filters) {
    const { stdout } = await stratix('log', 'show', '--data', this.data, '--json', ...filters);
    return stdout.split('\n').filter(Boolean).map((line) => JSON.parse(line));
  }

  /** Ends the gateway as an operator does, and holds it to a clean exit. */
  async stop() {
    if (!this.process || this.process.exitCode !== null || this.process.signalCode !== null) return;
    this.process.kill('SIGTERM');
    const hangs = setTimeout(() => this.process.kill('SIGKILL'), patience);
    const end = await this.ended;
    clearTimeout(hangs);
    assert.deepEqual(end, { code: 0, signal: null }, `the gateway did not end cleanly:\n${this.text()}`);
  }
}

/** A record of the log; what is none, such as a panic, keeps its text only. */
function parse(line) {
  try {
    return { ...JSON.parse(line), line };
  } catch {
    return { msg: '', line };
  }
}
