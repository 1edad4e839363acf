// Builds dist: the client as a package (ESM, CommonJS, minified, types), and the app.
import { execFileSync } from 'node:child_process';
import { copyFile, mkdir, rm } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';

const here = fileURLToPath(new URL('.', import.meta.url));
process.chdir(here);
await rm('dist', { recursive: true, force: true });
await mkdir('dist/app', { recursive: true });

const tsc = (...args) => execFileSync(process.execPath, ['node_modules/typescript/bin/tsc', ...args], { stdio: 'inherit' });
tsc('-p', 'tsconfig.json', '--noEmit', 'false', '--emitDeclarationOnly', '--declaration', '--outDir', 'dist');
await copyFile('dist/stratix-client.d.ts', 'dist/stratix-client.d.cts');
tsc('-p', 'app/tsconfig.json');
tsc('-p', 'test/tsconfig.json');

const common = { bundle: true, target: 'es2022', logLevel: 'warning', charset: 'utf8' };
const client = { ...common, entryPoints: ['stratix-client.ts'] };
const app = { ...common, outdir: 'dist/app' };
await Promise.all([
  build({ ...client, format: 'esm', outfile: 'dist/stratix-client.js' }),
  build({ ...client, format: 'cjs', outfile: 'dist/stratix-client.cjs' }),
  build({ ...client, format: 'esm', minify: true, outfile: 'dist/stratix-client.min.js' }),
  build({ ...app, entryPoints: ['app/main.ts', 'app/preload.ts'], platform: 'node', format: 'cjs', external: ['electron'], outExtension: { '.js': '.cjs' } }),
  build({ ...app, entryPoints: ['app/renderer.ts'], format: 'esm' }),
  ...['index.html', 'style.css'].map((name) => copyFile(`app/${name}`, `dist/app/${name}`)),
]);
