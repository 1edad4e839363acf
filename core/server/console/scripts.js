// The scripts: what is live, how the last attempt to change it went, what a shadow
// run found, and the way back.
import { call } from './api.js';
import { confirm, notice } from './dialogs.js';
import { byId, el, fill, mark } from './dom.js';
import { clock, count, duration, rate, several } from './format.js';
import { placeOf } from './judge.js';

const code = (text) => el('code', {}, text);
const time = (when) => el('time', { datetime: when }, clock(when));
const facts = (pairs) => el('dl', { class: 'facts' }, pairs.filter(Boolean).map(([name, ...value]) => el('div', {}, el('dt', {}, name), el('dd', {}, value))));

/** How each result of an attempt looks, and what it means. */
const results = {
  live: ['ok', 'Live', 'it passed the gate'],
  canary: ['note', 'Canary', 'it passed the gate; a share of the clients has it first'],
  unchanged: ['ok', 'Unchanged', 'the folder holds what is live'],
  rejected: ['warn', 'Refused', 'what was live stays live, and the clients notice nothing'],
  rolled_back: ['warn', 'Taken back', 'what was live before is live again'],
};
const states = { live: 'ok', canary: 'note', good: 'unknown', bad: 'warn' };

/** A cell that stands under its title, or on a phone behind it. */
const cell = (title, attributes, ...content) => el('td', { role: 'cell', 'data-title': title, ...attributes }, ...content);

/** A problem or warning, with the place that it names first. */
function finding(text, level) {
  const [place, rest] = placeOf(text);
  return el('li', { class: 'finding' }, mark(level), el('span', {}, place ? [el('code', { class: 'where' }, place), ' '] : null, rest));
}

const findings = (list, level) => el('ul', { class: 'findings' }, list.map((text) => finding(text, level)));

/** What an attempt is about. */
function attempted({ generation, takenBack, restored }) {
  if (!takenBack) return `generation ${generation}`;
  if (takenBack === generation) return `generation ${generation}, a canary, was taken back`;
  return `generation ${takenBack} was taken back; ${generation} (what was live before${restored ? `, as ${restored}` : ''}) is live`;
}

function attempt(last) {
  const [level, word, meaning] = results[last.result] ?? ['unknown', last.result, ''];
  return [
    el('p', { class: 'result' }, mark(level), ' ', el('b', {}, word), ` – ${meaning}`),
    facts([
      ['Attempt', `${attempted(last)}, by ${last.trigger}`],
      ['When', time(last.at), `, in ${rate(last.millis)} ms`],
    ]),
    last.steps?.length > 0 ? el('ol', { class: 'steps', 'aria-label': 'Steps of the gate' }, last.steps.map((step) => el('li', { class: step.result === 'ok' ? 'ok' : 'failed' },
      mark(step.result === 'ok' ? 'ok' : 'bad'), ' ', el('b', {}, step.name), step.result === 'ok' ? '' : ' failed', el('span', { class: 'muted' }, ` ${rate(step.millis)} ms`),
      step.detail ? el('span', { class: 'muted' }, `, ${step.detail}`) : null))) : null,
    last.problems?.length > 0 ? [el('h3', {}, 'Why'), findings(last.problems, last.result === 'rejected' ? 'bad' : 'warn')] : null,
    last.warnings?.length > 0 ? [el('h3', {}, 'Warnings'), findings(last.warnings, 'warn')] : null,
  ];
}

/** What a shadow run found. Its problems stand with the attempt already if that was refused. */
function shadow(report, refused) {
  if (!report) {
    return el('p', { class: 'empty' }, 'No shadow run in the last attempt. A save runs what clients have sent of late through the old and the new scripts ',
      'before it goes live (', code('--gate shadow'), '); what they decide differently stands here.');
  }
  const cut = report.messages < report.of ? ` of ${count(report.of)}, then the time was over` : '';
  const changes = (report.changes ?? []).map((c) => el('tr', { role: 'row' },
    cell('Messages', { class: 'n' }, count(c.messages)),
    cell('Before', { class: 'was' }, c.before),
    cell('After', { class: 'is' }, c.after),
    cell('Example', {}, el('span', { class: 'name', title: c.client }, c.client), ' ', c.id ? el('a', { class: 'name', href: `#messages/${encodeURIComponent(c.id)}` }, c.id) : null)));
  return [
    el('p', { class: 'result' }, mark(report.newErrors > 0 ? 'bad' : report.differ > 0 ? 'note' : 'ok'), ' ',
      el('b', {}, report.differ > 0 ? `${several(report.differ, 'message')} decided differently` : 'No difference'), ` – ${several(report.messages, 'message')} were run${cut}`),
    facts([
      ['New errors', count(report.newErrors)],
      ['Errors', `${count(report.errors)}, before ${count(report.oldErrors)}`],
      ['Lua, p99', `${count(report.p99)} instructions, before ${count(report.oldP99)}`],
    ]),
    report.problems?.length > 0 && !refused ? findings(report.problems, 'bad') : null,
    changes.length > 0 ? el('div', { class: 'table' }, el('table', { class: 'stack', role: 'table' },
      el('caption', { class: 'unseen' }, 'What is decided differently'),
      el('thead', { role: 'rowgroup' }, el('tr', { role: 'row' }, ['Messages', 'Before', 'After', 'Example'].map((t, i) => el('th', { scope: 'col', role: 'columnheader', class: i === 0 ? 'n' : null }, t)))),
      el('tbody', { role: 'rowgroup' }, changes))) : null,
    report.more > 0 ? el('p', { class: 'muted' }, `${several(report.more, 'message')} differ in other ways.`) : null,
  ];
}

/** The view. admin says whether its buttons may be used. */
export function scripts({ admin, changed }) {
  const [live, last, diff, past] = [el('div'), el('div'), el('div'), el('div')];
  const why = el('p', { class: 'muted', id: 'scripts-why', hidden: admin }, 'Reloading and rolling back need a key with the scope admin; this one has not.');
  const describedBy = admin ? null : 'scripts-why';
  const button = (name, f, more = {}) => el('button', { type: 'button', disabled: !admin, 'aria-describedby': describedBy, onclick: f, ...more }, name);
  const reloading = button('Reload now', reload);
  const back = button('Roll back…', () => rollBack(null), { class: 'danger' });
  let known = { status: null, generations: [] };

  async function reload() {
    reloading.disabled = true;
    try {
      const status = await call('POST', '/v1/reload');
      notice(`Reloaded: ${(results[status.scripts.last.result] ?? [0, status.scripts.last.result])[1].toLowerCase()}.`);
    } catch (err) {
      notice(`The reload was refused: ${err.message}`, true);
    }
    reloading.disabled = false;
    changed();
  }

  /** Asks, and makes a former generation live: the one that is given, or what is good. */
  async function rollBack(to) {
    const { scripts: now } = known.status;
    const target = to ?? known.generations.find((g) => g.state === 'good');
    const canary = to === null && now.canary;
    if (!canary && !target) {
      notice('There is nothing to go back to: no other generation that was good is kept.', true);
      return;
    }
    const name = target && `generation ${target.number ? `${target.number}, ` : ''}${target.hash}`;
    const lines = canary
      ? [`The canary, generation ${now.canary.generation} (${now.canary.hash}), is taken back.`, `All clients have generation ${now.generation} then. Connections stay open.`]
      : [`Generation ${now.generation} (${now.hash}) is live now. It is marked as bad, and ${name}, which went live at ${clock(target.since)}, becomes live for all clients.`,
        'Connections stay open. The scripts folder is not changed: the next save in it makes it live again.'];
    if (!canary && target.state === 'bad') lines.push(`It was taken back before: ${target.reason}`);
    const done = await confirm({
      title: canary ? 'Take the canary back?' : 'Roll the scripts back?',
      lines,
      yes: canary ? 'Take it back' : 'Roll back',
      act: () => call('POST', '/v1/rollback', canary ? {} : { to: target.hash }),
    });
    if (done) notice(canary ? 'The canary was taken back.' : `Rolled back to ${name}.`);
    changed();
  }

  const root = el('section', { 'aria-labelledby': 'scripts-title' },
    el('div', { class: 'head' }, el('h2', { id: 'scripts-title', tabindex: '-1' }, 'Scripts'), el('div', { class: 'buttons' }, reloading, back), why),
    el('div', { class: 'columns lean' },
      el('div', { class: 'column' },
        el('section', { class: 'panel' }, el('h2', {}, 'Last attempt'), last),
        el('section', { class: 'panel' }, el('h2', {}, 'Shadow run'), diff)),
      el('div', { class: 'column' },
        el('section', { class: 'panel' }, el('h2', {}, 'Live'), live),
        el('section', { class: 'panel' }, el('h2', {}, 'Generations'), past))));

  return {
    root,
    title: 'Scripts',
    /** Shows the status and the generations of the API. */
    set(status, generations) {
      known = { status, generations: generations ?? [] };
      const s = status.scripts;
      fill(live, facts([
        ['Generation', el('b', {}, count(s.generation)), ' ', code(s.hash)],
        ['Live for', duration((Date.now() - Date.parse(s.since)) / 1000), ', since ', time(s.since)],
        s.trialUntil && ['On trial', 'until ', time(s.trialUntil), '; then it has proved itself'],
        s.canary && ['Canary', `generation ${s.canary.generation} `, code(s.canary.hash), ` for ${rate(100 * s.canary.share)} % of the clients, until `, time(s.canary.until)],
        ['Pipeline', (s.stages ?? []).map((name) => [code(name), ' '])],
        ['Policy', s.policy ? 'on_policy decides who may send to whom' : 'none: every client may send to every other'],
        ['Folder', code(s.folder), s.lastGood ? ' – it holds something else: the last good scripts are served' : ''],
      ]), s.warnings?.length > 0 ? [el('h3', {}, 'Warnings'), findings(s.warnings, 'warn')] : null);
      fill(last, attempt(s.last));
      fill(diff, shadow(s.last.shadow, s.last.result === 'rejected'));
      // The table is made anew: what had the focus in it gets it again.
      const held = past.contains(document.activeElement) ? document.activeElement.dataset.hash : '';
      fill(past, el('div', { class: 'table' }, el('table', {},
        el('caption', { class: 'unseen' }, 'What is and was live'),
        el('thead', {}, el('tr', {}, ['Generation', 'State', 'Went live', ''].map((t) => el('th', { scope: 'col' }, t || el('span', { class: 'unseen' }, 'Way back'))))),
        el('tbody', {}, known.generations.map((g) => el('tr', {},
          el('th', { scope: 'row' }, g.number ? `${g.number} ` : '', code(g.hash)),
          el('td', {}, mark(states[g.state] ?? 'unknown'), ` ${g.state}`, g.reason ? el('span', { class: 'muted' }, ` – ${g.reason}`) : null),
          el('td', {}, time(g.since)),
          el('td', { class: 'act' }, g.state === 'good' || g.state === 'bad' ? button('Make live…', () => rollBack(g), { 'data-hash': g.hash, 'aria-label': `Make ${g.hash} live` }) : null)))))));
      if (held) (past.querySelector(`[data-hash="${CSS.escape(held)}"]`) ?? byId('scripts-title')).focus();
      back.disabled = !admin;
    },
    reload: () => { if (admin) reload(); },
  };
}
