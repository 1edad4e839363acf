// A client of stratix.v1 that follows the README's "Resuming" and "Sending
// again" by itself. It runs in Node with the package ws, and in a page as it is.

/** One ClientID that wants to miss nothing, over any number of connections. */
export class Resuming {
  received = []; // each message once, in the order in which they came
  seqs = new Set(); // that came, of this epoch
  twice = []; // seqs that came again in one epoch although they were settled: there must be none
  hellos = []; // what the gateway answered
  lost = []; // gaps
  answers = new Map(); // by messageId: the last answer
  unanswered = new Map(); // by messageId: sent again on each connection
  #upto = 0; // everything up to it is settled
  #ahead = new Set(); // seqs behind it that are settled, too
  #known = new Set(); // sender and messageId of what was received

  constructor(WebSocket, url) {
    const connect = () => {
      this.ws = new WebSocket(url, ['stratix.v1']);
      this.ws.onopen = () => this.#say(this.epoch ? { type: 3, epoch: this.epoch, ...this.#settled() } : { type: 3 });
      this.ws.onmessage = (e) => this.#hear(JSON.parse(e.data));
      this.ws.onerror = () => {}; // the close follows
      this.ws.onclose = () => {
        this.ready = false;
        if (!this.over) setTimeout(connect, 20);
      };
    };
    connect();
  }

  /** Sends a message with a messageId until it is answered. */
  send(message) {
    this.unanswered.set(message.messageId, message);
    if (this.ready) this.#say(message);
  }

  close() {
    this.over = true;
    this.ws.close();
  }

  #say(frame) {
    if (this.ws.readyState === 1) this.ws.send(JSON.stringify(frame));
  }

  #settled() {
    return { seq: this.#upto, also: [...this.#ahead].map((seq) => [seq, seq]) };
  }

  #settle(from, to) {
    for (let seq = from; seq <= to; seq++) if (seq > this.#upto) this.#ahead.add(seq);
    while (this.#ahead.delete(this.#upto + 1)) this.#upto++;
    this.timer ??= setTimeout(() => {
      this.timer = undefined;
      if (this.ready) this.#say({ type: 1, ...this.#settled() });
    }, 50);
  }

  #hear(frame) {
    if (frame.type === 3) {
      this.hellos.push(frame);
      if (!frame.recovered) {
        [this.epoch, this.#upto, this.#ahead, this.seqs] = [frame.epoch, frame.seq, new Set(), new Set()];
      }
      this.ready = true;
      for (const message of this.unanswered.values()) this.#say(message);
    }
    for (const gap of frame.gaps ?? []) {
      this.lost.push(gap);
      this.#settle(gap[0], gap[1]);
    }
    if (frame.type === 0) this.#take(frame);
    if (frame.messageId && (frame.type === 1 || frame.type === 2)) {
      this.answers.set(frame.messageId, frame);
      this.unanswered.delete(frame.messageId);
    }
  }

  #take(message) {
    const { seq, from, messageId } = message;
    if (seq !== undefined) {
      if (this.seqs.has(seq)) this.twice.push(seq);
      this.seqs.add(seq);
      this.#settle(seq, seq);
    }
    const name = JSON.stringify([from, messageId]);
    if (messageId !== undefined && this.#known.has(name)) return;
    this.#known.add(name);
    this.received.push(message);
  }
}
