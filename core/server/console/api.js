// The gateway's API: one request, or a stream of events. The key is kept in this
// tab, and goes into a header, never into an address.

const place = 'stratix.key';

let key = read();

function read() {
  try { return sessionStorage.getItem(place) ?? ''; } catch { return ''; } // a browser may forbid it
}

/** Keeps the key for this tab; '' forgets it. */
export function keep(text) {
  key = text;
  try {
    if (text) sessionStorage.setItem(place, text);
    else sessionStorage.removeItem(place);
  } catch { /* it holds as long as the page then */ }
}

export const hasKey = () => key !== '';

/** An answer that is an error. */
export class Problem extends Error {
  constructor(status, code, detail) {
    super(detail);
    this.status = status;
    this.code = code;
  }
}

/** No answer came, or it broke off. */
export class Unreachable extends Error {}

let locked = () => {};

/** Says what to do when a key is not taken any more. */
export function onLocked(f) { locked = f; }

/** The path of something with a name in it. Browsers take dots alone for folders, however they are written. */
export function at(folder, name, rest = '') {
  if (/^\.{1,2}$/.test(name)) throw new Error(`a browser cannot ask for something called "${name}": use curl or bin/stratix`);
  return `/v1/${folder}/${encodeURIComponent(name)}${rest}`;
}

async function ask(method, path, query, { accept, signal, asKey = key }) {
  const parameters = new URLSearchParams(Object.entries(query).filter(([, value]) => value !== '' && value !== undefined));
  const headers = { Accept: accept };
  if (asKey) headers.Authorization = `Bearer ${asKey}`;
  let response;
  try {
    response = await fetch(parameters.size > 0 ? `${path}?${parameters}` : path,
      { method, headers, signal, cache: 'no-store', credentials: 'omit', redirect: 'error', referrerPolicy: 'no-referrer' });
  } catch (cause) {
    throw new Unreachable('the gateway does not answer', { cause });
  }
  if (response.ok) return response;
  const problem = await response.json().catch(() => ({}));
  if (response.status === 401 && asKey === key) locked(problem.detail);
  throw new Problem(response.status, problem.code ?? 'unknown', problem.detail ?? `the gateway answered ${response.status}`);
}

/** Resolves with what is answered; null where that is nothing. */
export async function call(method, path, query = {}, options = {}) {
  const response = await ask(method, path, query, { accept: 'application/json', signal: AbortSignal.timeout(30_000), ...options });
  if (response.status === 204) return null;
  try {
    return await response.json();
  } catch (cause) {
    throw new Unreachable('the answer broke off', { cause });
  }
}

/** Yields the events of a stream: what is in them, and undefined for a sign of life. */
export async function* events(path, query, signal) {
  const response = await ask('GET', path, query, { accept: 'text/event-stream', signal });
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  let text = '';
  for (;;) {
    let part;
    try {
      part = await reader.read();
    } catch (cause) {
      throw new Unreachable('the stream broke off', { cause });
    }
    if (part.done) return;
    const blocks = (text + part.value).split('\n\n');
    text = blocks.pop();
    for (const block of blocks) {
      const data = block.split('\n').filter((line) => line.startsWith('data:')).map((line) => line.slice(5)).join('\n');
      yield data === '' ? undefined : JSON.parse(data);
    }
  }
}
