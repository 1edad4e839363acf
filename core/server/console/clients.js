// Clients: those that are connected or that something waits for, and one of them.
import { at, call } from './api.js';
import { confirm, notice } from './dialogs.js';
import { el, fill, mark } from './dom.js';
import { connecting } from './example.js';
import { bytes, clock, count, duration, several } from './format.js';

const facts = (pairs) => el('dl', { class: 'facts' }, pairs.filter(Boolean).map(([name, ...value]) => el('div', {}, el('dt', {}, name), el('dd', {}, value))));
const link = (id) => el('a', { class: 'name', title: id, href: `#clients/${encodeURIComponent(id)}` }, id);
const state = (c) => [mark(c.connected ? 'ok' : 'unknown'), c.connected ? ' connected' : ' offline'];
const shown = 20; // of what waits for a client
const maxReason = 120; // bytes: a close frame has no room for more

function grid(caption, heads, rows) {
  return el('div', { class: 'table' }, el('table', {}, el('caption', { class: 'unseen' }, caption),
    el('thead', {}, el('tr', {}, heads.map(([text, className]) => el('th', { scope: 'col', class: className }, text)))), el('tbody', {}, rows)));
}

export function clients({ admin }) {
  const prefix = el('input', { id: 'clients-prefix', autocomplete: 'off', spellcheck: 'false', maxlength: '128', placeholder: 'any' });
  const list = el('div', { id: 'clients-list' });
  const one = el('div', { id: 'client' });
  const title = el('h2', { id: 'client-title', tabindex: '-1' }, 'One client');
  let asked = 0;

  async function look(after = '') {
    try {
      const page = await call('GET', '/v1/clients', { prefix: prefix.value, after });
      if (page.clients.length === 0) {
        fill(list, el('p', { class: 'empty' }, prefix.value ? 'No client has an ID that begins so.' : ['No clients yet. Connect one: ', connecting()]));
        return;
      }
      fill(list, grid('Clients, in the order of their IDs', [['Client'], ['State'], ['Address', 'minor'], ['Groups', 'n minor'], ['Waiting', 'n']], page.clients.map((c) => el('tr', {},
        el('th', { scope: 'row' }, link(c.id)), el('td', { class: 'whole' }, state(c), c.reliable ? el('span', { class: 'muted' }, ' reliable') : null),
        el('td', { class: 'minor' }, c.address ?? ''), el('td', { class: 'n minor' }, count(c.groupCount)), el('td', { class: `n ${c.pending > 0 ? '' : 'zero'}` }, count(c.pending))))),
      el('p', { class: 'buttons' },
        after ? el('button', { type: 'button', onclick: () => look() }, 'First page') : null,
        page.next ? el('button', { type: 'button', onclick: () => look(page.next) }, 'Next page') : null));
    } catch (err) {
      fill(list, el('p', { class: 'wrong', role: 'alert' }, err.message));
    }
  }

  async function disconnect(id) {
    const done = await confirm({
      title: 'Disconnect this client?',
      lines: [['The connection of ', el('b', { class: 'name' }, id), ' is closed with code 4003. What waits for it stays, and it may come back at once.']],
      yes: 'Disconnect',
      ask: 'Reason that it is told',
      limit: maxReason,
      act: (reason) => call('DELETE', at('clients', id), { reason }),
    });
    if (!done) return;
    notice(`${id} was disconnected.`);
    fill(one, el('p', { class: 'empty' }, el('b', { class: 'name' }, id), ' was disconnected. Choose it again to see whether it has come back.'));
    title.focus();
    look();
  }

  function waits({ pending, messages }) {
    if (messages.length === 0) return el('p', { class: 'empty' }, 'Nothing waits for it.');
    return [grid('What waits, the most urgent first', [['Seq', 'n'], ['Message'], ['From', 'minor'], ['For'], ['Size', 'n'], ['In']], messages.map((m) => el('tr', {},
      el('td', { class: 'n' }, count(m.seq)),
      el('td', {}, m.messageId ? el('a', { class: 'name', title: m.messageId, href: `#messages/${encodeURIComponent(m.messageId)}` }, m.messageId) : el('span', { class: 'muted' }, 'no id')),
      el('td', { class: 'minor' }, link(m.from)),
      el('td', { class: 'whole' }, duration(m.age), m.priority > 0 ? el('span', { class: 'muted' }, ` priority ${m.priority}`) : null, m.onTheWay ? el('span', { class: 'muted' }, ' on the way') : null),
      el('td', { class: 'n' }, bytes(m.size)), el('td', {}, m.stored)))),
    pending > messages.length ? el('p', { class: 'muted' }, `${count(pending - messages.length)} more wait behind these.`) : null];
  }

  async function open(id) {
    const mine = ++asked;
    try {
      const [c, pending] = await Promise.all([call('GET', at('clients', id)), call('GET', at('clients', id, '/pending'), { limit: shown })]);
      if (mine !== asked) return;
      fill(one, el('p', { class: 'result' }, el('b', { class: 'name' }, c.id), ' ', state(c)),
        facts([
          c.since && ['Connected', `for ${duration((Date.now() - Date.parse(c.since)) / 1000)}, since ${clock(c.since)}`],
          !c.connected && c.lastSeen && ['Last seen', clock(c.lastSeen)],
          c.address && ['Address', c.address],
          ['Kind', c.reliable ? 'reliable: it acknowledges and resumes' : 'plain'],
          ['Groups', c.groupCount > 0 ? `${(c.groups ?? []).join(', ')}${c.groupCount > (c.groups ?? []).length ? ` and ${count(c.groupCount - (c.groups ?? []).length)} more` : ''}` : 'none'],
          ['Waiting', `${several(c.pending, 'message')}, ${bytes(c.pendingBytes)}; ${count(c.onTheWay)} on the way`],
        ]),
        c.connected ? el('p', { class: 'buttons' },
          el('button', { type: 'button', class: 'danger', disabled: !admin, 'aria-describedby': admin ? null : 'client-why', onclick: () => disconnect(id) }, 'Disconnect…'),
          admin ? null : el('span', { class: 'muted', id: 'client-why' }, 'Disconnecting needs a key with the scope admin; this one has not.')) : null,
        el('h3', {}, 'Waiting'), waits(pending));
    } catch (err) {
      if (mine === asked) fill(one, el('p', { class: 'result' }, el('b', { class: 'name' }, id)), el('p', { class: 'wrong', role: 'alert' }, err.message));
    }
  }

  fill(one, el('p', { class: 'empty' }, 'Choose a client to see since when it is here, its groups, and what waits for it.'));
  return {
    root: el('section', { 'aria-labelledby': 'clients-title' }, el('div', { class: 'columns' },
      el('section', { class: 'panel' }, el('h2', { id: 'clients-title', tabindex: '-1' }, 'Clients'),
        el('form', { class: 'filters', onsubmit: (event) => { event.preventDefault(); look(); } },
          el('label', { for: 'clients-prefix' }, 'Begin with'), prefix, el('button', { type: 'submit' }, 'Look')), list),
      el('section', { class: 'panel' }, title, one))),
    title: 'Clients',
    show(name) {
      look();
      if (!name) return;
      open(name);
      title.focus();
    },
    focus: () => prefix.focus(),
  };
}
