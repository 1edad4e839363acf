// The package as it is installed: both kinds of modules, types, size, and nothing of Node in it.
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdtemp, mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import vm from 'node:vm';
import { gzipSync } from 'node:zlib';
import { build } from 'esbuild';

const run = promisify(execFile);
const root = fileURLToPath(new URL('..', import.meta.url));
const names = ['FileStore', 'IndexedDBStore', 'MemoryStore', 'StratixClient', 'StratixError'];

test('both kinds of modules and the minified one have the same names', async () => {
  assert.deepEqual(Object.keys(await import('stratix-client')).sort(), names);
  assert.deepEqual(Object.keys(await import('stratix-client/min')).sort(), names);
  assert.deepEqual(Object.keys(createRequire(import.meta.url)('stratix-client')).sort(), names);
});

test('what npm packs can be installed and used from both, with types', async (t) => {
  const home = await mkdtemp(path.join(tmpdir(), 'stratix-package-'));
  t.after(() => rm(home, { recursive: true }));
  await run('npm', ['pack', '--ignore-scripts', '--silent', '--pack-destination', home], { cwd: root });
  const installed = path.join(home, 'node_modules', 'stratix-client');
  await mkdir(installed, { recursive: true });
  await run('tar', ['-xzf', path.join(home, 'stratix-client-0.1.0.tgz'), '-C', installed, '--strip-components=1']);
  const use = "new StratixClient({ clientId: 'a', gatewayUrl: 'ws://localhost:1/ws', WebSocket: class {} as any }).state satisfies string;\n";
  await writeFile(path.join(home, 'esm.mts'), `import { StratixClient } from 'stratix-client';\n${use}`);
  await writeFile(path.join(home, 'cjs.cts'), `import { StratixClient } from 'stratix-client';\n${use}`);
  await run(process.execPath, [path.join(root, 'node_modules/typescript/bin/tsc'), '--strict', '--module', 'nodenext', '--target', 'es2022',
    '--lib', 'es2022', '--typeRoots', path.join(root, 'node_modules/@types'), '--types', 'node', 'esm.mts', 'cjs.cts'], { cwd: home }).catch((e) => assert.fail(e.stdout));
  await run(process.execPath, ['esm.mjs'], { cwd: home });
  await run(process.execPath, ['cjs.cjs'], { cwd: home });
});

test('the code in both READMEs compiles', async (t) => {
  const home = await mkdtemp(path.join(root, 'test', '.readme-'));
  t.after(() => rm(home, { recursive: true }));
  const blocks = [];
  for (const readme of ['README.md', '../../README.md']) {
    const text = await readFile(path.join(root, readme), 'utf8');
    for (const [, code] of text.matchAll(/```ts\n([^]*?)```/g)) blocks.push(code);
  }
  assert.equal(blocks.length, 4);
  const given = `
    import { IndexedDBStore, StratixClient } from 'stratix-client';
    import { powerMonitor } from 'electron';
    declare const clientId: string, gatewayUrl: string;
    declare function fetchToken(): Promise<string>;
    declare function handle(message: unknown): Promise<void>;
    export {};`;
  const files = blocks.map((code, i) => {
    // The hook for sleep and wake is shown without the rest of its client.
    const whole = code.startsWith('power:') ? `new StratixClient({ clientId, gatewayUrl, ${code} });` : code.replace(/^import .*$/m, '');
    return { name: path.join(home, `${i}.ts`), text: `${given}\n${whole}` };
  });
  await Promise.all(files.map(({ name, text }) => writeFile(name, text)));
  await run(process.execPath, [path.join(root, 'node_modules/typescript/bin/tsc'), '--strict', '--noEmit', '--skipLibCheck', '--module', 'nodenext',
    '--target', 'es2022', '--types', 'node', '--ignoreConfig', ...files.map(({ name }) => name)], { cwd: root }).catch((e) => assert.fail(e.stdout));
});

test('it is small', async (t) => {
  const size = async (what) => {
    const { outputFiles: [file] } = await build({
      stdin: { contents: `export ${what} from './stratix-client.ts'`, resolveDir: root },
      bundle: true, minify: true, format: 'esm', target: 'es2022', write: false,
    });
    return { minified: file.contents.length, gzip: gzipSync(file.contents, { level: 9 }).length };
  };
  const all = await size('*');
  const client = await size('{ StratixClient }');
  t.diagnostic(`everything: ${all.minified} bytes minified, ${all.gzip} with gzip; without stores: ${client.minified}, ${client.gzip}`);
  assert.ok(all.gzip <= 6 * 1024, `${all.gzip} bytes with gzip`);
});

test('it uses nothing that a page does not have', async () => {
  const text = await readFile(path.join(root, 'dist/stratix-client.cjs'), 'utf8');
  assert.doesNotMatch(text, /\brequire\(|\bprocess\.|\bBuffer\b|\b__dirname\b|node:(?!fs\/promises)/);
  // Only the names of the language, and these.
  const page = vm.createContext({ module: {}, crypto, TextEncoder, AbortController, WebSocket: class {}, setTimeout, clearTimeout, setInterval, clearInterval, queueMicrotask, console });
  vm.runInContext(text, page);
  assert.equal(vm.runInContext("new module.exports.StratixClient({ clientId: 'a', gatewayUrl: 'ws://x/ws' }).state", page), 'idle');
});
