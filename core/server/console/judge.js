// What an operator wants to know first: is it healthy, is something being lost, how
// are the scripts. Nothing here draws.
import { count, duration, microsText, rate, several } from './format.js';

/** What each cause of a gap means. Conflated messages made way for newer ones on purpose. */
const causes = { expired: 'warn', overflow: 'warn', conflated: 'ok', damaged: 'bad', lost: 'bad' };
const order = ['ok', 'note', 'unknown', 'warn', 'bad'];

/**
 * What is lost since the start: [[what, how many, level, sentOn], ...]. sentOn: an upstream
 * did not take it, and it goes on to somebody as a dead letter.
 */
export function lost({ gaps, deadLettersLost, upstreams }) {
  const all = Object.entries(gaps ?? {}).map(([cause, n]) => [cause, n, causes[cause] ?? 'warn']);
  all.push(['dead letters that reached nobody', deadLettersLost, 'bad']);
  for (const u of upstreams ?? []) all.push([`given up for ${u.name}`, u.lost + u.expired, u.deadLetters ? 'warn' : 'bad', u.deadLetters]);
  return all.filter(([, n]) => n > 0);
}

/** The same as numbers by what, of those that are a loss. */
const losing = (frame) => Object.fromEntries(lost(frame).filter(([, , level]) => level !== 'ok'));

const list = (pairs) => pairs.map(([name, n]) => `${name} ${count(n)}`).join(', ');

/** One lamp: a level, a word, a line that says more, and where to look: a view, or file:line. */
const lamp = (level, word, more, { place = '', view = 'overview' } = {}) => ({ level, word, more, place, view });

/** Splits a problem into the place that it names and the rest: "main.lua:3: no" is ["main.lua:3", "no"]. */
export function placeOf(problem) {
  const found = /^([\w./-]+\.(?:lua|json|txt):\d+):?\s*([\s\S]*)$/.exec(problem);
  return found ? [found[1], found[2]] : ['', problem];
}

/** The first problem that names a place; else the first. */
export function firstProblem(problems = []) {
  return placeOf(problems.find((problem) => placeOf(problem)[0]) ?? problems[0] ?? '');
}

/** Is the gateway healthy? status is what /v1/status says, or null as long as it has not. */
export function health(frame, status) {
  const { connections, rates, latency, log = {}, upstreams, readiness } = frame;
  if (readiness === 'recovering') return lamp('warn', 'Recovering', 'what waits is read back from the log; nobody is let in yet');
  if (!rates) return lamp('warn', 'Shutting down', 'clients are told when to come back');
  const found = [];
  const open = upstreams.filter((u) => u.breaker === 'open');
  const refused = `messages that must be kept are refused, and their senders are told${status?.log?.lastError ? `: ${status.log.lastError}` : ''}`;
  if (log.full) found.push(['bad', 'The disk is full', refused]);
  else if (log.failing) found.push(['bad', 'The log fails', refused]);
  if (readiness === 'draining') found.push(['warn', 'Shutting down', 'clients are told when to come back']);
  if (rates.failed > 0) {
    const worst = frame.stages.reduce((a, b) => (b.error > (a?.error ?? 0) ? b : a), null);
    found.push(['warn', 'Scripts fail', `${rate(rates.failed)}/s of the messages end in an error`, worst?.place]);
  }
  if (frame.keysFailing?.length > 0) found.push(['warn', 'Keys cannot be renewed', `the keys of tokens cannot be fetched: those from before stay (${frame.keysFailing.join(', ')})`]);
  if (open.length > 0) found.push(['warn', `Upstream ${open[0].name} is down`, `its breaker is open; ${count(open[0].queued)} wait for it`]);
  if (found.length === 0) {
    const pace = latency.p99 !== null ? `, p99 ${microsText(latency.p99)}` : '';
    return lamp('ok', 'Healthy', `${several(connections.open, 'connection')}, ${rate(rates.received)} messages/s${pace}`);
  }
  const [level, word, more, place] = found.sort((a, b) => order.indexOf(b[0]) - order.indexOf(a[0]))[0];
  const others = found.length > 1 ? ` (and ${found.slice(1).map(([, w]) => w.toLowerCase()).join(', ')})` : '';
  return lamp(level, word, more + others, { place });
}

/** Is something being lost? */
export function losses(frame, history) {
  if (!frame.rates) return lamp('unknown', 'Not known yet', 'the log is being read');
  const all = Object.entries(losing(frame));
  const total = all.reduce((sum, [, n]) => sum + n, 0);
  const grown = history.growth(losing);
  const within = `in the last ${duration(history.seconds)}`;
  const since = total === 0 ? 'nothing since the start' : `since the start: ${list(all)}`;
  if (grown.length > 0) {
    const kinds = new Map(lost(frame).map(([what, , ...kind]) => [what, kind]));
    const sum = (some) => grown.filter(([what]) => some(...kinds.get(what))).reduce((all, [, more]) => all + more, 0);
    const n = sum((level, sentOn) => !sentOn);
    const word = n > 0 ? `${several(n, 'message')} lost` : `${several(sum(() => true), 'message')} given up`;
    return lamp(sum((level) => level === 'bad') > 0 ? 'bad' : 'warn', word, `${within}: ${list(grown)}; ${since}`);
  }
  const { undelivered } = frame.rates;
  if (undelivered > 0) return lamp('note', 'Some reach nobody', `${rate(undelivered)}/s: no recipient is there, or no room; of what is kept ${total === 0 ? 'nothing was lost' : `were lost ${since}`}`);
  return lamp('ok', history.seconds < 1 ? 'Nothing lost right now' : 'Nothing lost', history.seconds < 1 ? since : `${within}; ${since}`);
}

/** How are the scripts? status is as for health; now is in milliseconds. */
export function scripts(frame, status, now) {
  const { generation, gate } = frame;
  if (!generation) return lamp('unknown', 'Not known yet', 'the gateway is recovering', { view: 'scripts' });
  const view = { view: 'scripts' };
  const details = status?.scripts;
  const live = `generation ${generation.number} is ${generation.state === 'trial' ? 'on trial' : 'live'}`;
  const [place, problem] = firstProblem(gate?.problems);
  if (gate?.result === 'rejected') return lamp('warn', 'A save was refused', `${problem}; ${live}`, { place, ...view });
  if (gate?.result === 'rolled_back') return lamp('warn', 'Scripts were taken back', `${problem}; ${live}`, { place, ...view });
  if (generation.standsIn) return lamp('warn', 'The folder is not live', `the last good scripts are: ${live}`, view);
  const until = details?.canary?.until ?? details?.trialUntil;
  const left = until && Date.parse(until) > now ? `, ${duration((Date.parse(until) - now) / 1000)} left` : '';
  if (generation.state === 'canary') {
    const share = details?.canary ? `${rate(100 * details.canary.share)} %` : 'a share';
    return lamp('note', `Generation ${generation.canary} is a canary`, `for ${share} of the clients${left}; the others have generation ${generation.number}`, view);
  }
  if (generation.state === 'trial') return lamp('note', `Generation ${generation.number} is on trial`, `it goes back by itself if it fails${left}`, view);
  return lamp('ok', `Generation ${generation.number} is live`, `for ${duration((now - generation.since) / 1000)}, ${generation.hash}`, view);
}
