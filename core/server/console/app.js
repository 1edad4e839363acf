// The console: logs in, follows the gateway, and shows one view of it at a time.
import { call } from './api.js';
import { clients } from './clients.js';
import { byId, el, fill, say } from './dom.js';
import { reachAt } from './example.js';
import { explain } from './explain.js';
import { follow } from './follow.js';
import { duration } from './format.js';
import { History } from './history.js';
import { announce, lamps } from './lamps.js';
import { overview } from './overview.js';
import { scripts } from './scripts.js';
import { enter } from './session.js';
import { shortcuts } from './shortcuts.js';
import { tail } from './tail.js';

const late = 3000; // milliseconds without data, after which what is shown is called old
const hiddenFor = 60_000; // after that a page that nobody sees stops asking: a browser has six connections for all its pages

const { admin } = await enter();
const history = new History();
const state = { frame: null, history, status: null, now: Date.now(), silent: 0, trouble: '' };
const lights = lamps(byId('lamps'));
const [following, one] = [tail(), explain()];
const views = {
  overview: overview(),
  scripts: scripts({ admin, changed: () => details() }),
  messages: {
    title: 'Messages',
    root: el('section', { 'aria-label': 'Messages' }, el('div', { class: 'columns messages' }, following.root, one.root)),
    show(name) {
      following.show();
      if (name) one.open(name);
    },
    hide: following.hide,
    focus: following.focus,
  },
  clients: clients({ admin }),
};
let view = '';

// --- what is known of the scripts beyond the live data

let asking = false;
let askAgain = false;

/** Asks for the status and the generations, and shows them. */
async function details() {
  if (asking) {
    askAgain = true;
    return;
  }
  asking = true;
  try {
    const [status, generations] = await Promise.all([call('GET', '/v1/status'), call('GET', '/v1/generations')]);
    state.status = status;
    say(byId('where'), status.listen);
    reachAt(status.listen);
    views.scripts.set(status, generations);
    show();
  } catch {
    // The live data says that the gateway does not answer; it asks again when that is back.
  } finally {
    asking = false;
    if (askAgain) {
      askAgain = false;
      details();
    }
  }
}

// --- the live data

let lastData = performance.now();
let given = false; // the stream was refused for good
let known = ''; // what the details depend on
let version = '';

function take(frame) {
  lastData = performance.now();
  state.trouble = '';
  state.frame = frame;
  if (frame.rates) history.add(frame);
  const depends = JSON.stringify([frame.generation, frame.gate?.at, frame.gate?.result, frame.readiness, frame.log?.full, frame.log?.failing]);
  if (depends !== known) {
    known = depends;
    details();
  }
  if (version && frame.version !== version) fill(byId('notices'), el('p', { class: 'notice' }, `The gateway is version ${frame.version} now: reload this page.`));
  version = frame.version;
  show();
}

/** Draws what is known, as of now. */
function show() {
  const silence = performance.now() - lastData;
  const old = silence > late;
  state.now = Date.now();
  state.silent = old ? silence / 1000 : 0;
  const freshness = byId('freshness');
  const was = freshness.classList.contains('old');
  freshness.classList.toggle('old', old);
  document.body.classList.toggle('stale', old);
  if (old) say(freshness, given ? 'No data' : `No data for ${duration(silence / 1000)}, trying again`);
  else say(freshness, state.frame ? 'Live' : 'Connecting');
  if (old && !was) announce('No data from the gateway, trying again');
  if (!old && was) announce('Data is live again');
  lights.update(state);
  views[view]?.update?.(state);
}

let leave = null;

function listen() {
  leave ??= follow('/v1/live', {}, { data: take, trouble: (why, final) => { state.trouble = why; given = final; } });
}

let asleep;
document.addEventListener('visibilitychange', () => {
  clearTimeout(asleep);
  if (!document.hidden) {
    if (!leave) lastData = performance.now();
    listen();
    if (view) views[view].show?.();
    return;
  }
  asleep = setTimeout(() => {
    leave?.();
    leave = null;
    views[view]?.hide?.();
  }, hiddenFor);
});

// --- views

/** Shows the view that the address names, and in it what it names. */
function turn() {
  const [name, ...rest] = location.hash.slice(1).split('/');
  const next = Object.hasOwn(views, name) ? name : 'overview';
  let item = '';
  try { item = decodeURIComponent(rest.join('/')); } catch { /* not one of our links */ }
  if (next !== view) {
    views[view]?.hide?.();
    view = next;
    for (const [n, v] of Object.entries(views)) v.root.hidden = n !== view;
    for (const a of byId('nav').children) {
      if (a.hash === `#${view}`) a.setAttribute('aria-current', 'page');
      else a.removeAttribute('aria-current');
    }
    document.title = `${views[view].title} – Stratix console`;
  }
  views[view].show?.(item);
  show();
}

for (const v of Object.values(views)) byId('views').append(v.root);
byId('nav').hidden = false;
byId('console').hidden = false;
window.addEventListener('hashchange', turn);
const go = (name) => () => { location.hash = `#${name}`; };
shortcuts([
  ['1', 'overview', go('overview')],
  ['2', 'scripts', go('scripts')],
  ['3', 'messages', go('messages')],
  ['4', 'clients', go('clients')],
  ['/', 'to the filter of the view', () => views[view].focus?.()],
  ['p', 'pause the tail, or go on', () => { if (view === 'messages') following.toggle(); }],
  ['t', 'theme: system, light, dark', () => byId('theme').click()],
]);
listen();
turn();
setInterval(show, 1000);
