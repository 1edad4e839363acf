// Who is here: what the key may do, logging in, logging out.
import { call, hasKey, keep, onLocked, Problem } from './api.js';
import { byId, say } from './dom.js';

/** Resolves with what the caller may do, once it may read: { admin, keyed }. */
export async function enter() {
  let who = await known();
  while (!who) who = await logIn();
  onLocked((detail) => leave(detail));
  const out = byId('logout');
  out.hidden = !hasKey();
  out.addEventListener('click', () => leave('You have logged out.'));
  return { admin: who.scopes.includes('admin') };
}

const whoAmI = (asKey) => call('GET', '/v1/whoami', {}, asKey === undefined ? {} : { asKey });

const reads = (who) => who.scopes.includes('read') || who.scopes.includes('admin');

/** What the key that is kept may do, or nobody; null if a key has to be given. */
async function known() {
  for (let wait = 500; ; wait = Math.min(2 * wait, 8000)) {
    try {
      const who = await whoAmI();
      if (reads(who)) return who;
      keep('');
      say(byId('login-wrong'), lacking(who));
      return null;
    } catch (err) {
      if (err instanceof Problem && err.status === 401) {
        if (!hasKey()) return null;
        keep(''); // it is not one of the gateway's any more
        say(byId('login-wrong'), left() ?? err.message);
        continue;
      }
      say(byId('freshness'), `${err.message}, trying again`);
      await new Promise((resolve) => setTimeout(resolve, wait));
    }
  }
}

const lacking = (who) => `This key has the scope ${who.scopes.join(', ')}; the console needs read or admin.`;

/** Asks for a key, once. Resolves with what it may do, or null if it is wrong. */
function logIn() {
  const [section, form, input, wrong] = [byId('login'), byId('login-form'), byId('key'), byId('login-wrong')];
  const why = left();
  if (why) say(wrong, why);
  section.hidden = false;
  input.focus();
  return new Promise((resolve) => {
    let asking = false;
    // It listens for good: the browser must not send the form itself.
    form.onsubmit = async (event) => {
      event.preventDefault();
      if (asking) return;
      asking = true;
      const text = input.value.trim();
      say(wrong, '');
      let who = null;
      try {
        if (!/^[!-~]+$/.test(text)) throw new Error('This is no key: it holds a blank, or a character that no key has.');
        who = await whoAmI(text);
        if (reads(who)) {
          keep(text);
          input.value = '';
          section.hidden = true;
        } else {
          say(wrong, lacking(who));
          who = null;
        }
      } catch (err) {
        say(wrong, err instanceof Problem && err.status === 401 ? 'This key is not one of the gateway’s.' : err.message);
      }
      resolve(who);
    };
  });
}

const place = 'stratix.left';

/** Forgets the key and begins anew: whatever was on the page goes with it. */
function leave(why) {
  onLocked(() => {}); // what else is on its way is refused for the same reason
  keep('');
  try { sessionStorage.setItem(place, why ?? ''); } catch { /* it is not said then */ }
  location.reload();
}

/** Why the page was left before, once. */
function left() {
  try {
    const why = sessionStorage.getItem(place);
    sessionStorage.removeItem(place);
    return why || null;
  } catch {
    return null;
  }
}
