// Two clients that send to each other, and what must come of it. Runs in Node, and in a page as it is.

/** Sends data first to last to a peer, with at most so many unanswered at a time; resolves with the codes that were refused. */
export async function send(client, to, first, last, inFlight = 32) {
  const refused = [];
  const flying = new Set();
  for (let n = first; n <= last; n++) {
    const sending = client.send({ n }, { to }).catch((error) => refused.push(error.code)).finally(() => flying.delete(sending));
    flying.add(sending);
    if (flying.size >= inFlight) await Promise.race(flying);
  }
  await Promise.all(flying);
  return refused;
}

/** Writes down what comes to a client. */
export function record(client) {
  const log = { received: [], gaps: [], states: [], errors: [] };
  client.on('message', (m) => { log.received.push([m.from, m.data.n]); });
  client.on('gap', (gap) => { log.gaps.push(gap); });
  client.on('state', ({ state, error }) => { log.states.push(error ? `${state}: ${error.code}` : state); });
  client.on('error', (error) => { log.errors.push(`${error.code}: ${error.message}`); });
  return log;
}
