// Single keys. They are listed under "?", do nothing while somebody types, and can
// be switched off, for those who speak to their computer.
import { byId, el, fill, levels, mark } from './dom.js';

const place = 'stratix.keys';

/** Listens to keys: [[key, what it does, f], ...]. */
export function shortcuts(all) {
  const help = byId('help');
  const on = byId('keys-on');
  try { on.checked = localStorage.getItem(place) !== 'off'; } catch { on.checked = true; }
  on.addEventListener('change', () => {
    try { localStorage.setItem(place, on.checked ? 'on' : 'off'); } catch { /* it holds for this page then */ }
  });
  const open = () => { if (!help.open) help.showModal(); };
  const listed = [...all, ['?', 'this list', open]];
  fill(byId('help-keys'), listed.map(([key, what]) => el('div', {}, el('dt', {}, el('kbd', {}, key)), el('dd', {}, what))),
    el('div', {}, el('dt', {}, el('kbd', {}, 'Esc')), el('dd', {}, 'close a dialog')),
    el('div', {}, el('dt', {}, el('kbd', {}, 'Tab')), el('dd', {}, 'to the next link, button or field')));
  fill(byId('legend'), Object.entries(levels).map(([level, what]) => el('span', { class: 'legend' }, mark(level), ` ${what} `)));
  byId('help-open').addEventListener('click', open);
  byId('help-close').addEventListener('click', () => help.close());

  document.addEventListener('keydown', (event) => {
    if (!on.checked || event.ctrlKey || event.metaKey || event.altKey || event.isComposing) return;
    if (document.querySelector('dialog[open]') || event.target.closest('input:not([type="checkbox"]), select, textarea')) return;
    const found = listed.find(([key]) => key === event.key);
    if (!found) return;
    event.preventDefault();
    found[2]();
  });
}
