// Tables whose rows stay the same elements while their numbers change, so that
// neither focus nor selection is lost. Rows do not change places under a pointer or
// the focus.
import { el, fill, say } from './dom.js';

const canHover = matchMedia('(hover: hover)'); // elsewhere what was tapped counts as hovered

/**
 * Makes a table. A column has a title; text(item), or node(item) which is asked once
 * a row; and maybe: numeric, minor (left out on a phone), tone(item) for a class.
 */
export function table({ caption, columns, key, empty }) {
  const body = el('tbody');
  const heads = columns.map((c) => el('th', { scope: 'col', class: classOf(c) }, c.title));
  const grid = el('table', {}, el('caption', { class: 'unseen' }, caption), el('thead', {}, el('tr', {}, heads)), body);
  const nothing = el('p', { class: 'empty' });
  const root = el('div', { class: 'table' }, grid, nothing);
  const rows = new Map();

  function make(item) {
    const cells = columns.map((c, i) => {
      const cell = el(i === 0 ? 'th' : 'td', { class: classOf(c), scope: i === 0 ? 'row' : null });
      if (c.node) fill(cell, c.node(item));
      return cell;
    });
    return { row: el('tr', {}, cells), cells };
  }

  return {
    root,
    set(items) {
      const still = body.contains(document.activeElement) || (canHover.matches && body.matches(':hover'));
      const kept = new Set(items.map(key));
      for (const [name, { row }] of rows) {
        if (kept.has(name)) continue;
        row.remove();
        rows.delete(name);
      }
      items.forEach((item, i) => {
        const name = key(item);
        const fresh = !rows.has(name);
        if (fresh) rows.set(name, make(item));
        const { row, cells } = rows.get(name);
        columns.forEach((c, n) => {
          if (c.text) say(cells[n], c.text(item));
          if (c.tone) cells[n].className = `${classOf(c)} ${c.tone(item)}`.trim();
        });
        if (fresh && still) body.append(row);
        else if (!still && body.children[i] !== row) body.insertBefore(row, body.children[i] ?? null);
      });
      grid.hidden = items.length === 0;
      nothing.hidden = items.length > 0;
      if (items.length === 0 && !nothing.hasChildNodes()) fill(nothing, empty());
    },
  };
}

function classOf(column) {
  return [column.numeric && 'n', column.minor && 'minor', column.class].filter(Boolean).join(' ');
}
