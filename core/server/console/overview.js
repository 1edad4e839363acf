// The overview: what passes through, how fast, what each stage makes of it, who
// sends most, what waits, what is lost.
import { el, fill, mark, say, svg } from './dom.js';
import { connecting } from './example.js';
import { bytes, count, duration, micros, microsText, rate } from './format.js';
import { span } from './history.js';
import { lost as lostOf } from './judge.js';
import { spark } from './spark.js';
import { table } from './table.js';

const code = (text) => el('code', {}, text);
const muted = (text) => el('span', { class: 'muted' }, text);
const link = (client) => el('a', { href: `#clients/${encodeURIComponent(client)}`, class: 'name', title: client }, client);
const zero = (value) => () => (item) => (value(item) > 0 ? '' : 'zero');
const quiet = (value) => zero(value)();

/** A number with its unit, a line of words, and its last two minutes: value(frame) is what is drawn. */
function tile(title, value, show, words, asPeak = rate) {
  const number = el('span', { class: 'number' });
  const unit = el('span', { class: 'unit' });
  const line = el('p', { class: 'words' });
  const peak = el('span', { class: 'peak' });
  const drawing = spark(span);
  return {
    root: el('div', { class: 'tile' }, el('div', { class: 'over' }, el('h3', {}, title), peak), el('p', { class: 'value' }, number, ' ', unit), line, drawing.root),
    set(frame, history) {
      const [text, of] = show(frame);
      say(number, text);
      say(unit, of);
      say(line, words(frame));
      const top = drawing.draw(history.series(value), frame.ts);
      say(peak, top > 0 ? `peak ${asPeak(top)}` : '');
    },
  };
}

const latencyOf = (f) => (f.latency.p99 === null ? ['–', ''] : micros(f.latency.p99));

/** What became of messages that came to nothing. */
const ends = [['failed', 'failed'], ['rejected', 'rejected'], ['dropped', 'dropped'], ['forbidden', 'forbidden'], ['malformed', 'malformed'], ['noRoute', 'without a route']];
const refusals = (f) => ends.reduce((sum, [name]) => sum + f.rates[name], 0);
const refusalText = (f) => ends.filter(([name]) => f.rates[name] > 0).map(([name, word]) => `${rate(f.rates[name])} ${word}`).join(', ') || 'no message was refused';

function tiles() {
  return [
    tile('Received', (f) => f.rates.received, (f) => [rate(f.rates.received), '/s'], (f) => `${rate(f.rates.accepted)} accepted; ${bytes(f.rates.bytesIn)}/s in`),
    tile('Delivered', (f) => f.rates.delivered, (f) => [rate(f.rates.delivered), '/s'], (f) => `${bytes(f.rates.bytesOut)}/s out${f.rates.undelivered > 0 ? `; ${rate(f.rates.undelivered)}/s not delivered` : ''}`),
    tile('Latency p99', (f) => f.latency.p99, latencyOf, (f) => (f.latency.p99 !== null
      ? `p50 ${microsText(f.latency.p50)}, p90 ${microsText(f.latency.p90)}, max ${microsText(f.latency.max)}` : 'nothing was measured'), microsText),
    tile('Came to nothing', refusals, (f) => [rate(refusals(f)), '/s'], refusalText),
    tile('Connections', (f) => f.connections.open, (f) => [count(f.connections.open), ''],
      (f) => `${count(f.connections.reliable)} reliable; ${count(f.connections.mailboxes)} mailboxes`, count),
    tile('Waiting', (f) => f.pending.messages, (f) => [count(f.pending.messages), ''],
      (f) => (f.pending.messages > 0 ? `${bytes(f.pending.bytes)}, the oldest for ${duration(f.pending.oldest)}` : 'everybody has everything'), count),
  ];
}

/** What one stage costs of a second, in microseconds. */
const cost = (s) => (s.time ?? 0) * (s.next + s.done + s.drop + s.hold + s.error);

function stageTable() {
  let all = 0;
  const bars = new Map();
  const t = table({
    caption: 'What each stage of the pipeline says, a second, and what it costs',
    key: (s) => `${s.name} ${s.place}`,
    columns: [
      { title: 'Stage', node: (s) => (s.name === `lua ${s.place}` ? [code(s.place), muted(' Lua')] : [code(s.name), muted(` ${s.place ?? ''}`)]) },
      ...['next', 'done', 'drop', 'hold'].map((verdict) => (
        { title: verdict, numeric: true, minor: verdict === 'hold', text: (s) => rate(s[verdict]), tone: quiet((s) => s[verdict]) })),
      { title: 'error', numeric: true, text: (s) => rate(s.error), tone: (s) => (s.error > 0 ? 'bad' : 'zero') },
      { title: 'mean', numeric: true, text: (s) => (s.time === null ? '–' : microsText(s.time)), tone: (s) => (s.time === null ? 'zero' : '') },
      { title: 'Lua', numeric: true, minor: true, text: (s) => (s.instructions === null ? '' : count(s.instructions)) },
      {
        title: 'share', class: 'share',
        node: (s) => {
          const bar = svg('rect', { height: 8, rx: 2 });
          bars.set(`${s.name} ${s.place}`, bar);
          return svg('svg', { class: 'meter', viewBox: '0 0 100 8', preserveAspectRatio: 'none', 'aria-hidden': 'true', focusable: 'false' }, bar);
        },
      },
    ],
    empty: () => ['The pipeline has no stages: ', code('main.lua'), ' names them.'],
  });
  return {
    root: t.root,
    set(stages) {
      all = stages.reduce((sum, s) => sum + cost(s), 0);
      t.set(stages);
      for (const s of stages) bars.get(`${s.name} ${s.place}`).setAttribute('width', all > 0 ? (100 * cost(s) / all).toFixed(1) : 0);
    },
  };
}

function topTable() {
  return table({
    caption: 'The clients that send most',
    key: (c) => c.client,
    columns: [
      { title: 'Client', node: (c) => link(c.client) },
      { title: 'messages/s', numeric: true, text: (c) => rate(c.messages) },
      { title: 'bytes/s', numeric: true, text: (c) => bytes(c.bytes) },
      { title: 'errors/s', numeric: true, text: (c) => rate(c.errors), tone: (c) => (c.errors > 0 ? 'bad' : 'zero') },
    ],
    empty: () => ['No messages yet. Connect a client: ', connecting(),
      ' and send ', code('{"type":0,"messageId":"m1","data":"hello"}')],
  });
}

function pendingTable() {
  return table({
    caption: 'The clients for whom most waits',
    key: (c) => c.client,
    columns: [
      { title: 'Client', node: (c) => link(c.client) },
      { title: 'messages', numeric: true, text: (c) => count(c.messages) },
    ],
    empty: () => ['Nothing waits. What is sent to a client that is offline waits here, where the pipeline has ', code('stage.ring'), '.'],
  });
}

function lossTable() {
  const within = el('span', {}, 'lately');
  const t = table({
    caption: 'What will never arrive, what came to nothing, and connections that were refused',
    key: ([what]) => what,
    columns: [
      { title: 'What', node: ([what, , , level]) => [mark(level), ' ', what] },
      { title: within, numeric: true, text: ([, now]) => count(now), tone: ([, now, , level]) => (now > 0 ? level : 'zero') },
      { title: 'since the start', numeric: true, text: ([, , total]) => count(total) },
    ],
    empty: () => 'Nothing was lost, no message was rejected and no connection was refused, since the gateway started.',
  });
  return {
    root: t.root,
    set(frame, history) {
      say(within, `last ${duration(history.seconds)}`); // two minutes, or since this page looks
      t.set(lossRows(frame, history));
    },
  };
}

function upstreamTable() {
  return table({
    caption: 'Services that messages are posted to',
    key: (u) => u.name,
    columns: [
      { title: 'Upstream', node: (u) => code(u.name) },
      { title: 'breaker', text: (u) => (u.state === 'live' ? u.breaker.replaceAll('_', ' ') : u.state), tone: (u) => (u.breaker === 'open' ? 'bad' : '') },
      { title: 'queued', numeric: true, text: (u) => count(u.queued), tone: quiet((u) => u.queued) },
      { title: 'posts/s', numeric: true, text: (u) => rate(u.posts), tone: quiet((u) => u.posts) },
      { title: 'failures/s', numeric: true, text: (u) => rate(u.failures), tone: (u) => (u.failures > 0 ? 'bad' : 'zero') },
    ],
    empty: () => ['No upstreams. A script names one: ', code('upstream "orders" { url = "..." }')],
  });
}

function lossRows(frame, history) {
  const rows = (f) => [
    ...lostOf(f).map(([what, n, level]) => [what in f.gaps ? `messages ${what}` : what, n, level]),
    ...ends.map(([name, word]) => [`messages ${word}`, f.cameToNothing[name], name === 'failed' ? 'warn' : 'note']),
    ...f.upstreams.map((u) => [`refused for ${u.name}: no room`, u.refused, 'warn']),
    ...Object.entries(f.connections.refused).map(([why, n]) => [`connections refused: ${why.replaceAll('_', ' ')}`, n, 'note']),
  ].filter(([, n]) => n > 0);
  const grown = new Map(history.growth((f) => Object.fromEntries(rows(f))));
  return rows(frame).map(([what, n, level]) => [what, grown.get(what) ?? 0, n, level]).sort((a, b) => b[1] - a[1] || b[2] - a[2]);
}

const facts = (pairs) => pairs.filter(Boolean).map(([name, value]) => el('div', {}, el('dt', {}, name), el('dd', {}, value)));

const panel = (title, note, ...content) => el('section', { class: 'panel' }, el('h2', {}, title, note ? el('small', {}, ` ${note}`) : null), ...content);

export function overview() {
  const numbers = tiles();
  const [stages, top, pending, lost, upstreams] = [stageTable(), topTable(), pendingTable(), lossTable(), upstreamTable()];
  const machine = el('dl', { class: 'facts' });
  const root = el('section', { 'aria-labelledby': 'overview-title' },
    el('h2', { id: 'overview-title', class: 'unseen', tabindex: '-1' }, 'Overview'),
    el('div', { class: 'tiles' }, numbers.map((n) => n.root)),
    el('div', { class: 'columns' },
      el('div', { class: 'column' },
        panel('Pipeline', 'a second, of the live generation', stages.root),
        panel('Lost and refused', '', lost.root),
        panel('Upstreams', '', upstreams.root)),
      el('div', { class: 'column' },
        panel('Top clients', 'that send', top.root),
        panel('Waiting', 'for whom', pending.root),
        panel('Machine', '', machine))));
  return {
    root,
    title: 'Overview',
    update({ frame, history }) {
      if (!frame?.rates) return;
      for (const n of numbers) n.set(frame, history);
      stages.set(frame.stages);
      top.set(frame.top);
      pending.set(frame.pending.clients);
      lost.set(frame, history);
      upstreams.set(frame.upstreams);
      const { log } = frame;
      fill(machine, facts([
        ['CPU', frame.cpu === null ? 'not known' : `${rate(100 * frame.cpu)} % of a core`],
        ['Memory', `${frame.memory.rss === null ? '' : `${bytes(frame.memory.rss)}; `}heap ${bytes(frame.memory.heap)}`],
        ['Up', duration(frame.uptime)],
        ['Log', log ? `${bytes(log.bytes)} in ${count(log.segments)} segment${log.segments === 1 ? '' : 's'}` : 'none: nothing is kept'],
        log && ['Commits', `${rate(log.commits)}/s${log.commitMs !== null ? `, ${rate(log.commitMs)} ms each` : ''}`],
        ['Upgraded', `${count(frame.connections.upgraded)} since the start`],
        ['Version', frame.version],
      ]));
    },
  };
}
