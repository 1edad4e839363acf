// Saves: what goes live, what does not, and who notices.
import assert from 'node:assert/strict';
import { rename, rm, mkdir } from 'node:fs/promises';
import path from 'node:path';
import { test } from 'node:test';
import { Client } from './client.js';
import { Gateway, until } from './gateway.js';

/** A script that answers every message with a word. */
const answers = (word) => `pipeline { function(msg) msg:reply(${JSON.stringify(word)}) end }\n`;

const ask = async (client) => (await client.ask({ type: 0, data: 0 })).data;

test('a broken save keeps the live generation and says where it is broken, until it is mended', async (t) => {
  const gateway = await Gateway.start(t, { scripts: { 'main.lua': answers('good') } });
  const c = await Client.open(gateway, 'c');
  const f = async (script, place, text) => {
    const verdict = await gateway.save('main.lua', script);
    assert.equal(verdict.level, 'ERROR');
    assert.ok(verdict.problem.startsWith(`${place}: `) && verdict.problem.includes(text), verdict.problem);
    const { generation, last } = (await gateway.status()).scripts;
    assert.equal(generation, 1);
    assert.equal(last.result, 'rejected');
    assert.deepEqual(last.problems, [verdict.problem]);
    assert.equal(await gateway.metric('stratix_scripts_rejected'), 1);
    assert.equal(await ask(c), 'good');
  };
  await f(`${answers('bad')}end`, 'main.lua:2', 'syntax error');
  await f(`-- a comment\n${answers('bad').replace('msg:reply', 'mgs:reply')}`, 'main.lua:2', "unknown global 'mgs'");
  await f(`${answers('bad')}\nfunction on_conect() end`, 'main.lua:3', 'on_connect');
  await f('pipeline { stage.prefx {} }', 'main.lua:1', 'prefix');
  await f('pipeline { stage.prefix { file = "none.json" } }', 'main.lua:1', 'none.json');
  await f('error("not today")', 'main.lua:1', 'not today');
  await f('-- nothing', 'main.lua', 'pipeline');

  assert.equal((await gateway.save('main.lua', answers('mended'))).msg, 'scripts are live');
  assert.equal(await ask(c), 'mended');
  assert.equal(await gateway.metric('stratix_scripts_rejected'), 0);
  assert.equal((await gateway.status()).scripts.last.result, 'live');
  assert.equal(await gateway.metric('stratix_reloads_total{result="rejected"}'), 7);
});

test('a broken save that is taken back leaves nothing to complain about', async (t) => {
  const gateway = await Gateway.start(t, { scripts: { 'main.lua': answers('good') } });
  await gateway.save('main.lua', 'end');
  assert.equal(await gateway.metric('stratix_scripts_rejected'), 1);
  await gateway.write('main.lua', answers('good'));
  await until('the rejection to be over', async () => (await gateway.metric('stratix_scripts_rejected')) === 0);
  assert.notEqual((await gateway.status()).scripts.last.result, 'rejected');
});

test('every way of saving goes live on the open connections', async (t) => {
  const gateway = await Gateway.start(t, { scripts: { 'main.lua': answers('start') } });
  const c = await Client.open(gateway, 'c');
  const f = async (save, want) => {
    const verdict = await save;
    assert.equal(verdict.msg, 'scripts are live', verdict.line);
    assert.equal(await ask(c), want);
  };
  await f(gateway.save('main.lua', answers('in place')), 'in place');
  await f(gateway.saveByRename('main.lua', answers('renamed over')), 'renamed over');

  await mkdir(path.join(gateway.folder, 'lib'));
  await gateway.write('lib/words.lua', 'return { answer = "from a module" }');
  const requiring = 'local words = require "lib.words"\npipeline { function(msg) msg:reply(words.answer) end }\n';
  await f(gateway.save('main.lua', requiring), 'from a module');
  await f(gateway.save('lib/words.lua', 'return { answer = "the module was saved" }'), 'the module was saved');

  const before = gateway.log.length;
  await rename(gateway.folder, `${gateway.folder}.away`);
  await gateway.record('the complaint about a folder that is gone', (r) => r.msg.startsWith('scripts rejected'), before);
  assert.equal(await ask(c), 'the module was saved');
  await mkdir(gateway.folder);
  await f(gateway.save('main.lua', answers('a new folder')), 'a new folder');
  await rm(`${gateway.folder}.away`, { recursive: true });
  assert.equal(await gateway.metric('stratix_connections_opened_total'), 1);
});

test('a folder that was away for a while is taken up again', async (t) => {
  const gateway = await Gateway.start(t, { scripts: { 'main.lua': answers('here') } });
  const c = await Client.open(gateway, 'c');
  await rename(gateway.folder, `${gateway.folder}.away`);
  await until('the rejection', async () => (await gateway.metric('stratix_scripts_rejected')) === 1);
  await rename(`${gateway.folder}.away`, gateway.folder);
  await until('the end of the rejection', async () => (await gateway.metric('stratix_scripts_rejected')) === 0);
  assert.equal(await ask(c), 'here');
  assert.equal((await gateway.save('main.lua', answers('and watched'))).msg, 'scripts are live');
  assert.equal(await ask(c), 'and watched');
});

test('a save of routes.json alone routes the next message anew', async (t) => {
  const gateway = await Gateway.start(t);
  const c = await Client.open(gateway, 'client-1');
  const boss = await Client.open(gateway, 'boss');
  assert.equal((await c.ask({ type: 0, data: 'to myself' })).data, 'to myself');
  assert.equal((await gateway.save('routes.json', '{ "client-": { "client": "boss" } }')).msg, 'scripts are live');
  c.send({ type: 0, data: 'to the boss' });
  assert.equal((await boss.next()).data, 'to the boss');
  const verdict = await gateway.save('routes.json', '{\n  "client-": "nowhere"\n}');
  assert.ok(verdict.problem.includes('routes.json:2'), verdict.problem);
  c.send({ type: 0, data: 'to the boss again' });
  assert.equal((await boss.next()).data, 'to the boss again');
});

test('SIGHUP loads the scripts again, and says what came of it', async (t) => {
  const gateway = await Gateway.start(t);
  const last = () => gateway.status().then((s) => s.scripts.last);
  gateway.process.kill('SIGHUP');
  await until('the reload', async () => (await last()).trigger === 'signal');
  assert.equal((await last()).result, 'unchanged');
  await gateway.save('main.lua', 'end');
  gateway.process.kill('SIGHUP');
  await until('the second reload', async () => (await last()).trigger === 'signal');
  assert.equal((await last()).result, 'rejected');
});

test('a gateway that is started with broken scripts serves the last that worked, loudly', async (t) => {
  const gateway = await Gateway.start(t, { scripts: { 'main.lua': answers('yesterday') } });
  await gateway.stop();
  await gateway.write('main.lua', 'end');
  await gateway.run();
  const c = await Client.open(gateway, 'c');
  assert.equal(await ask(c), 'yesterday');
  assert.ok(gateway.log.some((r) => r.level === 'ERROR' && r.msg.startsWith('THE SCRIPTS FOLDER IS BROKEN')), gateway.text());
  assert.equal((await gateway.save('main.lua', answers('today'))).msg, 'scripts are live');
  assert.equal(await ask(c), 'today');
});
