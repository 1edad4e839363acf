// A stream that is followed until it is left: a broken one is asked for again, later
// each time, and a silent one is given up.
import { events, Problem } from './api.js';

const first = 500; // milliseconds before another try ...
const longest = 5000; // ... at the most
const silence = 15_000; // a stream says something at least every ten seconds

/**
 * Follows a stream. data gets what comes, alive is called with every sign of life,
 * trouble with why there is none (final: and there will be none). Returns how to leave.
 */
export function follow(path, query, { data, alive = () => {}, trouble = () => {} }) {
  let left = false;
  let attempt;
  let wake = () => {};

  const once = async () => {
    attempt = new AbortController();
    let timer;
    const watch = () => {
      clearTimeout(timer);
      timer = setTimeout(() => attempt.abort(), silence);
    };
    watch();
    let came = false;
    try {
      for await (const value of events(path, query, attempt.signal)) {
        if (left) return came;
        watch();
        came = true;
        alive();
        if (value !== undefined) data(value);
      }
      if (!left) trouble('the gateway ended the stream', false);
    } catch (err) {
      if (left) return came;
      const final = err instanceof Problem && err.status < 500 && err.status !== 429;
      trouble(err.message, final);
      if (final) left = true;
    } finally {
      clearTimeout(timer);
      attempt.abort();
    }
    return came;
  };

  (async () => {
    let wait = first;
    while (!left) {
      wait = await once() ? first : Math.min(2 * wait, longest);
      if (left) return;
      await new Promise((resolve) => {
        wake = resolve;
        setTimeout(resolve, wait * (0.75 + Math.random() / 2));
      });
    }
  })();

  return () => {
    left = true;
    attempt?.abort();
    wake();
  };
}
