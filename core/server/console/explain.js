// The way of one message: what each stage said of it, what it changed, where the
// message went, what its sender was told.
import { at, call } from './api.js';
import { el, fill, mark } from './dom.js';
import { clock, count, duration, microsText, several } from './format.js';
import { targetText, verdicts, wordOf } from './tail.js';

const said = { next: 'ok', done: 'ok', drop: 'note', hold: 'note', error: 'bad' };
const storages = ['unset', 'none', 'memory', 'disk'];
const time = (when) => el('time', { datetime: when }, clock(when));
const facts = (pairs) => el('dl', { class: 'facts' }, pairs.filter(Boolean).map(([name, ...value]) => el('div', {}, el('dt', {}, name), el('dd', {}, value))));

function changeText(c) {
  if (c.what === 'storage') return `storage ${storages[c.was] ?? c.was} → ${storages[c.is] ?? c.is}`;
  const size = c.what === 'data' || c.what === 'headers' ? ' bytes' : '';
  const values = c.before || c.after ? `: ${c.before ?? ''} → ${c.after ?? ''}` : '';
  return `${c.what} ${count(c.was)} → ${count(c.is)}${size}${c.keys ? ` (${c.keys})` : ''}${values}`;
}

function stage(s, sampled) {
  const measured = [sampled && microsText(s.micros), s.instructions > 0 && several(s.instructions, 'instruction'), s.heldMillis > 0 && `held for ${count(s.heldMillis)} ms`];
  return el('li', {}, mark(said[s.verdict] ?? 'unknown'), el('div', {},
    el('code', {}, s.stage), ' ', el('b', {}, s.verdict), ' ', el('span', { class: 'muted' }, measured.filter(Boolean).join(', ')),
    (s.changes ?? []).map((c) => el('div', { class: 'change' }, changeText(c)))));
}

function answerText(a) {
  const counts = ['delivered', 'queued', 'offline', 'refused'].filter((word) => a[word] > 0).map((word) => `${count(a[word])} ${word}`).join(', ');
  const told = a.code ? `${a.code}${a.reason ? `: ${a.reason}` : ''}` : [a.status, a.stored && `stored: ${a.stored}`].filter(Boolean).join(', ');
  return `${told}${counts ? ` (${counts})` : ''}${a.told ? '' : '; the sender had not asked, or was gone'}`;
}

/** Whether it goes to upstreams: '' for not, 'too', or 'alone'. */
function upstreams(t) {
  const to = t.targets ?? [];
  if (!to.some((target) => target.kind === 'upstream')) return '';
  return to.length === t.targetCount && to.every((target) => target.kind === 'upstream') ? 'alone' : 'too';
}

/** Where it waits for its recipients: for an upstream in memory, whatever is wanted. */
function keptText(t) {
  const kept = t.storage === 'memory' || t.storage === 'disk';
  if (upstreams(t) === 'alone') return `in memory, in the queue of the upstream${kept ? `; a dead letter of it would be kept: ${t.storage}` : ''}`;
  return upstreams(t) === 'too' && kept ? `${t.storage}; in memory for the upstream` : t.storage;
}

function way(t) {
  const level = verdicts[t.verdict] ?? 'unknown';
  const why = [t.code !== t.verdict && t.code, t.reason].filter(Boolean).join(': ');
  return el('article', { class: 'way' },
    el('h3', {}, mark(level), ` ${wordOf(t.verdict)}`, why ? el('span', { class: 'why' }, ` ${why}`) : null),
    facts([
      ['From', el('a', { class: 'name', href: `#clients/${encodeURIComponent(t.client)}` }, t.client), t.remote ? ` at ${t.remote}` : ''],
      ['When', time(t.time), t.size ? `, ${several(t.size, 'byte')}` : ''],
      t.generation && ['Generation', count(t.generation), `, shard ${count(t.shard)}`],
      t.sampled && ['Lua', several(t.instructions, 'instruction')],
      (t.priority > 0 || t.ttl > 0) && ['Asked', [t.priority > 0 && `priority ${t.priority}`, t.ttl > 0 && `ttl ${duration(t.ttl)}`].filter(Boolean).join(', ')],
    ]),
    el('ol', { class: 'stages', 'aria-label': 'Stages' }, (t.stages ?? []).map((s) => stage(s, t.sampled))),
    t.sampled ? null : el('p', { class: 'muted' }, 'It was not sampled: only its end is known.'),
    facts([
      t.targetCount > 0 && ['Goes to', targetText(t), t.ownTargets ? ' – its own to' : ''],
      t.replies > 0 && ['Replies', count(t.replies)],
      t.groups > 0 && ['Groups changed', count(t.groups)],
      t.storage && t.verdict === 'accepted' && ['Kept', keptText(t)],
      t.data && ['Data', el('code', {}, t.data)],
      t.answer && ['Sender was told', answerText(t.answer), ` at ${clock(t.answer.time)}`],
      !t.answer && t.verdict !== 'accepted' && ['Sender was told', [`error ${t.code}`, t.reason].filter(Boolean).join(': ')],
      t.late && ['Later', `${t.late.outcome} at ${clock(t.late.time)}`],
    ]));
}

/** Why there is no trace, and what to do. */
function absent(e) {
  if (e.rate === 0) return 'This gateway keeps no traces (--explain-rate 0). Restart it with --explain-rate 64, or watch the next messages in the tail.';
  const since = e.sampled.since > e.ended.since ? e.sampled.since : e.ended.since;
  return `There is no trace of it. ${e.rate > 1 ? `One message in ${count(e.rate)} that goes through leaves one; ` : ''}what came before ${clock(since)} is gone`
    + `${e.skipped > 0 ? `; of those that came to nothing ${count(e.skipped)} were too many at once` : ''}; or it has not come. Watch the next ones in the tail, or start the gateway with --explain-rate 1.`;
}

export function explain() {
  const id = el('input', { id: 'explain-id', autocomplete: 'off', spellcheck: 'false', placeholder: 'msg-001', required: true });
  const client = el('input', { id: 'explain-client', autocomplete: 'off', spellcheck: 'false', maxlength: '128', placeholder: 'any' });
  const result = el('div', { id: 'explained' }, el('p', { class: 'empty' }, 'Give a messageId, or choose a message in the tail, to see its way: stages, times, what they changed, and what its sender was told.'));
  const title = el('h2', { id: 'explain-title', tabindex: '-1' }, 'The way of one message');
  let asked = 0;

  async function look() {
    const mine = ++asked;
    const name = id.value;
    if (name === '') return;
    result.setAttribute('aria-busy', 'true');
    try {
      const e = await call('GET', at('messages', name), { client: client.value });
      if (mine !== asked) return;
      const traces = e.traces ?? [];
      fill(result, el('p', { role: 'status' }, traces.length > 0 ? [el('span', { class: 'name' }, name), ` – ${several(traces.length, 'trace')}`] : [el('span', { class: 'name' }, name), ': ', absent(e)]),
        traces.map(way).reverse());
    } catch (err) {
      if (mine === asked) fill(result, el('p', { class: 'wrong', role: 'alert' }, err.message));
    } finally {
      if (mine === asked) result.removeAttribute('aria-busy');
    }
  }

  return {
    root: el('section', { class: 'panel', 'aria-labelledby': 'explain-title' }, title,
      el('form', { class: 'filters', onsubmit: (event) => { event.preventDefault(); location.hash = `#messages/${encodeURIComponent(id.value)}`; look(); } },
        el('label', { for: 'explain-id' }, 'messageId'), id, el('label', { for: 'explain-client' }, 'of client'), client, el('button', { type: 'submit' }, 'Explain')),
      result),
    /** Shows the way of this message. */
    open(name) {
      if (name !== id.value) client.value = '';
      id.value = name;
      look();
      title.focus();
    },
  };
}
