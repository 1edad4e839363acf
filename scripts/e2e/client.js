// A client on the npm package ws, which shares no code with the gateway.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import WebSocket from 'ws';
import { patience } from './gateway.js';

/** One connection. Frames wait in it until the test takes them. */
export class Client {
  #frames = [];
  #wake = () => {};

  /** Connects; options are those of ws. Others can send to the client then. */
  static async open(gateway, id, options) {
    const c = new Client(new WebSocket(gateway.url(id), options));
    await once(c.ws, 'open');
    // The gateway answers the handshake a moment before it knows the client.
    c.ws.ping();
    await Promise.race([once(c.ws, 'pong'), c.closed]);
    return c;
  }

  /** Connects a client of stratix.v1. It is given nothing before its hello. */
  static async reliable(gateway, id) {
    const c = new Client(new WebSocket(gateway.url(id), ['stratix.v1']));
    await once(c.ws, 'open');
    assert.equal(c.ws.protocol, 'stratix.v1');
    return c;
  }

  /** Connects a client of stratix.v1 with this hello, and takes the answer. */
  static async resume(gateway, id, known = {}) {
    const c = await Client.reliable(gateway, id);
    c.welcome = await c.ask({ type: 3, ...known });
    assert.equal(c.welcome.type, 3);
    return c;
  }

  constructor(ws) {
    this.ws = ws;
    ws.on('message', (data, isBinary) => {
      assert.equal(isBinary, false, 'the gateway sends text only');
      this.#frames.push(JSON.parse(data.toString()));
      this.#wake();
    });
    /** Resolves when the connection is closed. */
    this.closed = new Promise((resolve) => {
      ws.on('close', (code, reason) => {
        resolve({ code, reason: reason.toString() });
        this.#wake();
      });
    });
    ws.on('error', (err) => {
      this.error = err;
    });
  }

  /** Sends an object as JSON, and strings and bytes as they are. */
  send(frame, options = {}) {
    const raw = typeof frame === 'string' || Buffer.isBuffer(frame);
    this.ws.send(raw ? frame : JSON.stringify(frame), { binary: false, ...options });
  }

  /** Puts bytes on the wire that ws would not. */
  sendRaw(bytes) {
    this.ws._socket.write(bytes);
  }

  /** Takes the next frame. */
  async next() {
    const deadline = Date.now() + patience;
    while (this.#frames.length === 0) {
      assert.ok(this.ws.readyState === WebSocket.OPEN, `the connection is closed${this.error ? `: ${this.error}` : ''}`);
      assert.ok(Date.now() < deadline, `no frame came within ${patience} ms`);
      await new Promise((resolve) => {
        const timer = setTimeout(resolve, deadline - Date.now());
        this.#wake = () => {
          clearTimeout(timer);
          resolve();
        };
      });
    }
    return this.#frames.shift();
  }

  /** Takes the next n frames. */
  async take(n) {
    const frames = [];
    while (frames.length < n) frames.push(await this.next());
    return frames;
  }

  /** Sends a frame and takes the next that comes. */
  ask(frame) {
    this.send(frame);
    return this.next();
  }

  /** Fails if a frame is waiting or comes before the answer to a ping. */
  async nothingElse() {
    assert.deepEqual(await this.ask({ type: 4 }), { type: 5 });
  }

  /** Breaks the connection off. */
  cut() {
    this.ws.terminate();
    return this.closed;
  }

  /** Closes the connection in good order. */
  async leave() {
    this.ws.close(1000);
    return this.closed;
  }
}

/** How the gateway refuses a connection: the HTTP status and the answer. */
export async function refusal(url, options) {
  const ws = new WebSocket(url, options);
  ws.on('error', () => {}); // the refusal itself
  const [request, response] = await once(ws, 'unexpected-response');
  const chunks = await response.toArray();
  request.destroy();
  return { status: response.statusCode, ...JSON.parse(Buffer.concat(chunks).toString()) };
}

/** A delivery without the time, which no test can know. */
export function withoutTime({ ts, ...frame }) {
  assert.equal(typeof ts, 'number', `ts of ${JSON.stringify(frame)}`);
  return frame;
}
