// Elements. Whatever is shown is put in as text or as an attribute that cannot run:
// nothing in this page reads markup, so no name of a client can become some.

/** Makes an element. Attributes whose name begins with "on" are listeners; those that are false or null are left out. */
export function el(name, attributes = {}, ...children) {
  return dress(document.createElement(name), attributes, children);
}

const vector = 'http://www.w3.org/2000/svg';

/** Makes an element of a drawing. */
export function svg(name, attributes = {}, ...children) {
  return dress(document.createElementNS(vector, name), attributes, children);
}

function dress(node, attributes, children) {
  for (const [key, value] of Object.entries(attributes)) {
    if (value === false || value === null || value === undefined) continue;
    if (key.startsWith('on')) node.addEventListener(key.slice(2), value);
    else node.setAttribute(key, value === true ? '' : value);
  }
  node.append(...shown(children));
  return node;
}

// Characters that cannot be seen, and some that turn the text around them: what a
// script says of a message may hold them.
const unseen = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff]/g;

const seen = (text) => text.replace(unseen, (c) => `\\u${c.charCodeAt(0).toString(16).padStart(4, '0')}`);

/** The children that there are; a text shows all that it holds. */
const shown = (children) => children.flat(3).filter((child) => child !== null && child !== undefined && child !== false)
  .map((child) => (typeof child === 'string' ? seen(child) : child));

/** Replaces what is in a node. */
export function fill(node, ...children) {
  node.replaceChildren(...shown(children));
}

/** Sets the text of a node, if it is another one: what does not change keeps its selection. */
export function say(node, text) {
  const next = seen(String(text));
  if (node.textContent !== next) node.textContent = next;
}

export const byId = (id) => document.getElementById(id);

const shapes = {
  ok: ['circle', { cx: 8, cy: 8, r: 5.5 }],
  note: ['path', { d: 'M8 1.5 14.5 8 8 14.5 1.5 8Z' }],
  warn: ['path', { d: 'M8 2 15 14H1Z' }],
  bad: ['path', { d: 'M2 2h12v12H2Z' }],
  unknown: ['circle', { cx: 8, cy: 8, r: 5, class: 'hollow' }],
};

/** What each shape says, for those who do not see colours, and for the help. */
export const levels = { ok: 'fine', note: 'of note', warn: 'look at it', bad: 'act', unknown: 'not known' };

/** A sign of a level: its shape, and its colour. */
export function mark(level) {
  const [name, attributes] = shapes[level];
  return svg('svg', { class: `mark ${level}`, viewBox: '0 0 16 16', 'aria-hidden': 'true', focusable: 'false' }, svg(name, attributes));
}
