// The three answers at the top of every view, and what is said of them aloud when
// they change.
import { byId, el, fill, mark, say } from './dom.js';
import { duration } from './format.js';
import { health, losses, scripts } from './judge.js';

const titles = ['Gateway', 'Loss', 'Scripts'];

/** Says it to those who cannot see it. */
export function announce(text) { say(byId('announcer'), text); }

export function lamps(root) {
  const cells = titles.map((title) => {
    const sign = el('span', { class: 'sign' });
    const word = el('b');
    const place = el('code', { class: 'where' });
    const more = el('span', { class: 'more' });
    const link = el('a', { class: 'lamp unknown', href: '#overview' }, sign,
      el('span', { class: 'said' }, el('span', { class: 'title' }, title), word, el('span', { class: 'why' }, place, ' ', more)));
    root.append(link);
    return { link, sign, word, place, more, level: '', told: '' };
  });

  function set(cell, { level, word, more, place, view }) {
    if (cell.level !== level) {
      cell.level = level;
      cell.link.className = `lamp ${level}`;
      fill(cell.sign, mark(level));
    }
    say(cell.word, word);
    say(cell.place, place);
    cell.place.hidden = place === '';
    say(cell.more, more);
    cell.link.setAttribute('href', `#${view}`);
  }

  return {
    /** Shows how it is; silent is for how many seconds nothing has come, 0 while something comes, and trouble why. */
    update({ frame, history, status, now, silent, trouble }) {
      if (!frame) {
        const waiting = { level: 'unknown', word: silent > 0 ? 'No answer' : 'Looking', more: trouble || 'waiting for the first data', place: '', view: 'overview' };
        for (const cell of cells) set(cell, waiting);
        return;
      }
      const said = [health(frame, status), losses(frame, history), scripts(frame, status, now)];
      if (silent > 0) {
        said[0] = { level: 'bad', word: 'No data', more: `for ${duration(silent)}${trouble ? ` (${trouble})` : ''}; everything below is from before`, place: '', view: 'overview' };
        for (const i of [1, 2]) said[i] = { ...said[i], level: 'unknown', word: 'Not known', more: `before: ${said[i].word}, ${said[i].more}` };
      }
      cells.forEach((cell, i) => set(cell, said[i]));
      const news = cells.filter((cell, i) => {
        const told = `${said[i].level} ${said[i].word.replace(/[\d,]+/g, 'n')} ${said[i].place}`;
        const changed = cell.told !== '' && cell.told !== told;
        cell.told = told;
        return changed;
      });
      if (news.length > 0) announce(news.map((cell) => `${titles[cells.indexOf(cell)]}: ${cell.word.textContent} ${cell.place.textContent}`).join('. '));
    },
  };
}
