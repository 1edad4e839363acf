// What the unit tests have in common: a socket that the test is the other end of, and a clock that stands still.
import { setImmediate as turn } from 'node:timers/promises';
import { StratixClient } from 'stratix-client';

/** Lets everything happen that waits for no timer. */
export async function rest() {
  for (let i = 0; i < 5; i++) await turn();
}

/** A client without a network. Time moves with tick only; Math.random is 1/2. */
export function kit(t, options = {}) {
  t.mock.timers.enable({ apis: ['setTimeout', 'setInterval', 'Date'], now: 1_700_000_000_000 });
  t.mock.method(Math, 'random', () => 0.5);
  const sockets = [];
  class Socket {
    readyState = 0;
    sent = []; // frames that the client sent
    constructor(url, protocols, more) {
      Object.assign(this, { url, protocols, more });
      sockets.push(this);
    }
    send(text) { this.sent.push(JSON.parse(text)); }
    close(code) {
      this.readyState = 3;
      this.closedWith = code ?? 'no code';
    }
    // What the gateway does.
    open() {
      this.readyState = 1;
      this.onopen?.({});
    }
    give(...frames) { for (const frame of frames) this.onmessage?.({ data: JSON.stringify(frame) }); }
    end(code = 1006, reason = '') {
      this.readyState = 3;
      this.onclose?.({ code, reason });
    }
    take() { return this.sent.splice(0); }
  }
  const client = new StratixClient({ clientId: 'me', gatewayUrl: 'ws://gateway/ws', WebSocket: Socket, ...options });
  // A test looks at what becomes of a promise when it likes.
  for (const name of ['connect', 'send', 'request', 'join', 'leave']) {
    const call = client[name].bind(client);
    client[name] = (...args) => {
      const promise = call(...args);
      promise.catch(() => {});
      return promise;
    };
  }
  const events = [];
  for (const name of ['state', 'gap', 'error', 'drain', 'ack']) client.on(name, (event) => events.push([name, event]));
  const k = {
    client, sockets, Socket, events,
    get socket() { return sockets.at(-1); },
    of: (name) => events.filter(([n]) => n === name).map(([, event]) => event),
    states: () => k.of('state').map((s) => s.state),
    async tick(ms) {
      await rest();
      t.mock.timers.tick(ms);
      await rest();
    },
    /** Lets the gateway accept the newest socket, and answer its hello. */
    async welcome(more = {}) {
      await rest();
      k.socket.open();
      const hello = k.socket.take();
      k.socket.give({ type: 3, epoch: 'e1', seq: 0, last: 0, recovered: false, ...more });
      await rest();
      return hello[0];
    },
    async connected(more) {
      const connecting = client.connect();
      await k.welcome(more);
      await connecting;
      return k;
    },
  };
  t.after(() => { client.close(); });
  return k;
}

export const ackOf = (messageId, more = {}) => ({ type: 1, messageId, stored: 'disk', status: 'queued', ...more });

/** What a promise came to: its value, or { code } of its error; 'pending' as long as there is neither. */
export async function outcome(promise) {
  let result = 'pending';
  promise.then((value) => { result = value; }, ({ code, sent, kept }) => { result = { code, sent, kept }; });
  await rest();
  return result;
}
