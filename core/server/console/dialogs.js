// The dialogs: what asks before something is done, and the list of keys. Both are
// modal; the browser keeps the focus in them and gives it back.
import { byId, el, fill } from './dom.js';

/**
 * Asks before something is done. lines say what will happen; ask is the label of a
 * text that goes with it, or ''. act(text) does it: its error is shown, and the
 * dialog stays. Resolves with whether it was done.
 */
export function confirm({ title, lines, yes, ask = '', limit = 0, act }) {
  const dialog = byId('confirm');
  const [form, input, wrong, go] = [byId('confirm-form'), byId('confirm-input'), byId('confirm-wrong'), byId('confirm-yes')];
  fill(byId('confirm-title'), title);
  fill(byId('confirm-text'), lines.map((line) => el('p', {}, line)));
  fill(byId('confirm-ask').querySelector('label'), ask);
  byId('confirm-ask').hidden = ask === '';
  input.value = '';
  input.maxLength = limit || 200;
  fill(wrong);
  fill(go, yes);
  go.disabled = false;

  return new Promise((resolve) => {
    const listening = new AbortController();
    const on = (node, event, f) => node.addEventListener(event, f, { signal: listening.signal });
    let done = false;
    on(form, 'submit', async (event) => {
      event.preventDefault();
      if (go.disabled) return;
      go.disabled = true;
      try {
        await act(input.value.trim());
        done = true;
        dialog.close();
      } catch (err) {
        fill(wrong, err.message);
        go.disabled = false;
      }
    });
    on(byId('confirm-no'), 'click', () => dialog.close());
    on(dialog, 'close', () => {
      listening.abort();
      resolve(done);
    });
    dialog.showModal();
    (ask ? input : byId('confirm-no')).focus();
  });
}

let vanishing;

/** Says what came of something, for a while; a failure stays until the next. */
export function notice(text, failed = false) {
  clearTimeout(vanishing);
  const root = byId('notices');
  const close = el('button', { type: 'button', class: 'quiet', onclick: () => fill(root) }, 'Dismiss');
  fill(root, el('p', { class: failed ? 'notice wrong' : 'notice' }, text, ' ', close));
  if (!failed) vanishing = setTimeout(() => { if (!root.contains(document.activeElement)) fill(root); }, 12_000);
}
