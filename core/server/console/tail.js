// The live tail: messages as they are decided, the newest on top.
import { el, fill, mark, say } from './dom.js';
import { connecting } from './example.js';
import { follow } from './follow.js';
import { clock, count, microsText, several } from './format.js';

const most = 200; // rows that are kept

/** How bad each verdict is. */
export const verdicts = { accepted: 'ok', dropped: 'note', rejected: 'warn', forbidden: 'warn', malformed: 'warn', no_route: 'warn', error: 'bad' };

/** "accepted", "no route". */
export const wordOf = (verdict) => verdict.replaceAll('_', ' ');

/** Where a message was sent, in short. */
export function targetText(trace) {
  const shown = (trace.targets ?? []).map((t) => (t.name ? `${t.kind} ${t.name}` : t.kind));
  const more = trace.targetCount - shown.length;
  return shown.join(', ') + (more > 0 ? ` and ${count(more)} more` : '');
}

/** The stage that ended it, and why. */
function whyText(trace) {
  const last = trace.stages?.at(-1);
  const ended = trace.verdict !== 'accepted' && last ? `${last.stage}` : '';
  const said = [trace.code !== trace.verdict && trace.code, trace.reason, trace.answer?.code, trace.answer?.reason].filter(Boolean).join(': ');
  return [ended, said].filter(Boolean).join(' – ');
}

function row(trace) {
  const spent = trace.sampled ? (trace.stages ?? []).reduce((sum, s) => sum + s.micros, 0) : NaN;
  const told = trace.answer?.status ?? '';
  const cell = (className, ...content) => el('td', { role: 'cell', class: className }, ...content);
  return el('tr', { role: 'row' },
    cell('time', clock(trace.time)),
    cell('who', el('a', { class: 'name', title: trace.client, href: `#clients/${encodeURIComponent(trace.client)}` }, trace.client)),
    cell('what', trace.messageId ? el('a', { class: 'name', title: trace.messageId, href: `#messages/${encodeURIComponent(trace.messageId)}` }, trace.messageId) : el('span', { class: 'muted' }, 'no id')),
    cell('end', el('span', { class: `verdict ${verdicts[trace.verdict] ?? 'unknown'}` }, mark(verdicts[trace.verdict] ?? 'unknown'), ` ${wordOf(trace.verdict)}`),
      el('span', { class: 'why' }, ` ${whyText(trace)}`)),
    cell('minor', targetText(trace), told ? el('span', { class: 'muted' }, ` ${told}`) : null),
    cell('n minor', Number.isFinite(spent) ? microsText(spent) : ''));
}

export function tail() {
  const kind = el('select', { id: 'tail-kind' }, el('option', { value: 'client' }, 'Client is'), el('option', { value: 'prefix' }, 'Client begins with'));
  const name = el('input', { id: 'tail-name', autocomplete: 'off', spellcheck: 'false', maxlength: '128', placeholder: 'any', 'aria-label': 'Client or prefix' });
  const verdict = el('select', { id: 'tail-verdict' }, el('option', { value: '' }, 'any'), Object.keys(verdicts).map((v) => el('option', { value: v }, wordOf(v))));
  const pause = el('button', { type: 'button', id: 'tail-pause', onclick: () => toggle() }, 'Pause');
  const clear = el('button', { type: 'button', class: 'quiet', onclick: () => reset() }, 'Clear');
  const state = el('p', { class: 'muted', role: 'status', id: 'tail-state' });
  const body = el('tbody', { role: 'rowgroup' });
  const grid = el('table', { class: 'tail', role: 'table', hidden: true }, el('caption', { class: 'unseen' }, 'Messages as they are decided, the newest first'),
    el('thead', { role: 'rowgroup' }, el('tr', { role: 'row' }, [['Time', 'time'], ['Client'], ['Message'], ['Verdict'], ['Goes to', 'minor'], ['In stages', 'n minor']].map(([t, c]) => el('th', { scope: 'col', role: 'columnheader', class: c }, t)))), body);
  const empty = el('p', { class: 'empty' });
  let leave = null;
  let shown = false;
  let paused = false;
  let [seen, missed] = [0, 0];
  let waiting = [];
  let drawing = 0;
  let filtered = JSON.stringify(['client', '', '']);

  function draw() {
    drawing = 0;
    const fresh = waiting.slice(-most).reverse().map(row);
    waiting = [];
    body.prepend(...fresh);
    while (body.children.length > most) body.lastChild.remove();
    grid.hidden = body.children.length === 0;
    empty.hidden = !grid.hidden;
    tell();
  }

  function tell(trouble = '') {
    const counted = `${several(seen, 'message')} seen${seen > most ? `, the last ${most} are shown` : ''}${missed > 0 ? `; ${count(missed)} came too fast and were left out` : ''}`;
    const doing = paused ? 'Paused.' : trouble || 'Following.';
    say(state, `${doing} ${seen > 0 ? counted : ''}`.trim());
  }

  function start() {
    if (leave || paused || !shown) return;
    tell('Asking…');
    leave = follow('/v1/tail', { [kind.value]: name.value, verdict: verdict.value }, {
      alive: () => { if (drawing === 0) tell(); },
      data(trace) {
        if (trace.missed) {
          missed += trace.missed;
          return;
        }
        seen++;
        waiting.push(trace);
        if (waiting.length > 2 * most) waiting = waiting.slice(-most);
        drawing ||= requestAnimationFrame(draw);
      },
      trouble(text, final) {
        tell(final ? `Refused: ${text}.` : `No data: ${text}; trying again.`);
        if (final) leave = null;
      },
    });
  }

  function stop() {
    leave?.();
    leave = null;
  }

  function toggle() {
    paused = !paused;
    fill(pause, paused ? 'Go on' : 'Pause');
    pause.setAttribute('aria-pressed', String(paused));
    stop();
    start();
    tell();
  }

  function reset() {
    waiting = [];
    [seen, missed] = [0, 0];
    body.replaceChildren();
    fill(empty, name.value || verdict.value ? 'No message has matched yet. Take the filter away to see all of them.'
      : ['No messages yet. Connect a client: ', connecting()]);
    draw();
  }

  /** Follows what the form asks for, if that is something else. */
  function filter() {
    const asked = JSON.stringify([kind.value, name.value, verdict.value]);
    if (asked === filtered) return;
    filtered = asked;
    stop();
    reset();
    start();
  }

  const form = el('form', { class: 'filters', onsubmit: (event) => { event.preventDefault(); filter(); }, onchange: filter },
    el('label', { for: 'tail-kind', class: 'unseen' }, 'Client or prefix'), kind, name,
    el('label', { for: 'tail-verdict' }, 'Verdict'), verdict, pause, clear);
  reset();
  return {
    root: el('section', { class: 'panel', 'aria-labelledby': 'tail-title' },
      el('h2', { id: 'tail-title' }, 'Live tail', el('small', {}, ' names and verdicts, no content')), form, state, el('div', { class: 'table long-list' }, grid), empty),
    show() { shown = true; start(); },
    hide() { shown = false; stop(); },
    toggle,
    focus: () => name.focus(),
  };
}
