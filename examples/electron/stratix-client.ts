/**
 * A client of the Stratix Gateway that loses nothing: it reconnects, resumes where it was, sends again what was not
 * answered, and says what will not come. One file, no dependency; it runs in browsers, in Electron's renderer and main
 * process, and in Node 20 and newer (there with the package `ws`).
 *
 * ```ts
 * const client = new StratixClient({ clientId: 'client-123', gatewayUrl: 'wss://your-gateway.com/ws', autoReconnect: true });
 * await client.connect();
 * client.onMessage((msg) => console.log('Received:', msg));
 * await client.send('Hello Stratix!');
 * ```
 *
 * All times are in milliseconds, except {@link SendOptions.ttl}, which is in seconds as on the wire.
 *
 * @packageDocumentation
 */

/** Whom a message is for. Without a target the gateway's scripts decide. */
export type Target = string | readonly string[] | { readonly prefix: string } | { readonly group: string };

/** How one message is sent. */
export interface SendOptions {
  /** A ClientID, several, all with a prefix, or a group. */
  to?: Target;
  /** 0 to 9; what waits for a recipient goes out by it, the highest first. 0 without it. */
  priority?: number;
  /**
   * Whole seconds, 30 days at the most, for which the message may wait, here and in the gateway. It counts from the
   * call of `send`; what is left of it is what the gateway is told.
   */
  ttl?: number;
  /** At most 64 strings. */
  headers?: Readonly<Record<string, string>>;
  /** Asks for an `ack` event when it is delivered, or an `error` if it never will be, as long as the connection lives. */
  receipt?: boolean;
  /** 1 to 128 bytes. One is made if it is missing; give one to try again what failed with `timeout`. */
  messageId?: string;
  /** Milliseconds until `send` rejects with `timeout` and the message is withdrawn. Without it, it waits for the gateway. */
  timeout?: number;
  /** Withdraws the message; `send` rejects with `aborted`. */
  signal?: AbortSignal;
}

/** What the gateway said of a message. */
export interface Ack {
  messageId: string;
  /** `disk`: forced to the disk. `os`: written, not forced. `memory`: lives as long as the process, or was not kept. */
  stored: 'disk' | 'os' | 'memory';
  /** `delivered`: a recipient of `stratix.v1` has acknowledged it, or it was written to a plain one. Else `queued`. */
  status: 'delivered' | 'queued';
  /** The counts are there for several recipients; those that are 0 are left out. */
  delivered?: number;
  queued?: number;
  offline?: number;
  refused?: number;
}

/** A message that came. */
export interface Message<T = unknown, R = unknown> {
  data: T;
  /** The sender's ClientID; undefined for a message of the gateway's own. */
  from?: string;
  messageId?: string;
  /** Its number among those of this client; undefined if the gateway did not keep it. */
  seq?: number;
  /** When the gateway took it, in milliseconds since 1970. */
  ts: number;
  headers: Readonly<Record<string, string>>;
  /** Answers a {@link StratixClient.request}; rejects as `send` does. */
  reply(data: R, options?: SendOptions): Promise<Ack>;
}

/**
 * Why messages will not come. `reset`: the gateway numbers anew, and cannot say whether something is missing between
 * (`from` and `to` are 0 then). The others are the gateway's; see "Protocol" in its README.
 */
export type GapCause = 'expired' | 'overflow' | 'conflated' | 'damaged' | 'lost' | 'dropped' | 'reset';

/** Messages that will not come: their seqs, both ends included. */
export interface Gap {
  from: number;
  to: number;
  cause: GapCause | (string & {});
}

/**
 * `idle`: not connected yet. `connecting`: until the gateway has answered. `connected`: messages flow. `checking`: the
 * socket is not trusted until a pong comes, after a wake or a change of the network; what is sent waits. `waiting`: for the next
 * attempt. `closed`: by `close()`, or for good (`error` says why); `connect()` begins anew.
 */
export type State = 'idle' | 'connecting' | 'connected' | 'checking' | 'waiting' | 'closed';

/** A change of the state. */
export interface StateChange {
  state: State;
  previous: State;
  /** Why the connection ended, if it did. */
  error?: StratixError;
  /** With `waiting`: milliseconds until the next attempt. */
  retryIn?: number;
}

/** What `on` can listen for, and what a listener is given. */
export interface ClientEvents<In = unknown, Out = In> {
  /** A message. It is acknowledged to the gateway when all listeners are done: returned promises are awaited. */
  message: Message<In, Out>;
  state: StateChange;
  gap: Gap;
  /** What no promise tells: a listener that threw, a store that failed, a receipt that says `expired` or `lost`. */
  error: StratixError;
  /** The outbox has become empty. */
  drain: undefined;
  /** The gateway accepted a message, also one of an earlier run, or delivered one that asked for a receipt. */
  ack: Ack;
}

/** The codes that the client makes. The gateway's own (`no_route`, `offline`, `forbidden`, ...) are in its README. */
export type ClientErrorCode =
  /** No answer within `timeout`. The message is withdrawn; `sent` tells whether the gateway may have it. */
  | 'timeout'
  /** Withdrawn by its `signal`. */
  | 'aborted'
  /** The client is closed. */
  | 'closed'
  /** The connection ended, and `autoReconnect` is off; or, with a state change, an attempt that failed. */
  | 'connection'
  /** 4001: a newer connection with this ClientID has taken over. */
  | 'replaced'
  /** 4403: the gateway's `on_connect` refuses this client. */
  | 'refused'
  /**
   * The token was refused (4401, or 401 or 403 where that is seen: the package `ws`), and there is no provider of another
   * one; or three of its tokens in a row were refused, the third after the longest pause.
   */
  | 'unauthorized'
  /** The token provider failed; `cause` has its error. */
  | 'token'
  /** The outbox is full, and its policy is `reject`; or this one message is too large for it. */
  | 'outbox_full'
  /** It made room for a newer one (`drop_oldest`). */
  | 'outbox_dropped'
  /** Its ttl was over before it could be sent. */
  | 'expired'
  /** 1009: larger than the gateway takes. */
  | 'too_big'
  /** The store failed; `cause` has its error. */
  | 'store'
  /** A listener failed; `cause` has its error. */
  | 'listener'
  /** An option or argument cannot work. */
  | 'bad_option';

/** Every error of this client. `code` says what happened; the text is for people. */
export class StratixError extends Error {
  override readonly name = 'StratixError';
  readonly code: ClientErrorCode | (string & {});
  /** The message concerned. */
  messageId?: string | undefined;
  /** The message was on the wire at least once, so the gateway may have it. */
  sent?: boolean | undefined;
  /** The message is still in the outbox's store, and goes out with the next `connect()`. */
  kept?: boolean | undefined;
  /** The WebSocket close code, if there is one. */
  closeCode?: number | undefined;
  /** With `rate_limited`: milliseconds until another try may succeed. */
  retryAfter?: number | undefined;

  constructor(code: ClientErrorCode | (string & {}), text: string, { cause, ...more }: Partial<StratixError> = {}) {
    super(text, cause === undefined ? undefined : { cause });
    this.code = code;
    Object.assign(this, more);
  }

  /** Sending it again later may work; with the same messageId, where the gateway may have it. */
  get retryable(): boolean {
    return /_full$|^(overflow|storage_failed|rate_limited|timeout)$/.test(this.code);
  }
}

/** The part of a WebSocket that is used: a browser's, Node's or that of the package `ws`. */
export interface SocketLike {
  readonly readyState: number;
  send(text: string): void;
  close(code?: number, reason?: string): void;
  onopen: ((event: any) => void) | null;
  onmessage: ((event: any) => void) | null;
  onclose: ((event: any) => void) | null;
  onerror: ((event: any) => void) | null;
}

/** A message in the outbox, as a store keeps it: plain JSON. */
export interface Entry {
  /** The messageId. */
  id: string;
  /** The order in which entries were made. */
  n: number;
  /** When, in milliseconds since 1970. */
  at: number;
  /** The frame without its ttl. */
  frame: string;
  /** Seconds. */
  ttl?: number;
}

/** Up to where this client has everything. */
export interface Position {
  epoch: string;
  seq: number;
  /** Ranges behind `seq`, both ends included. */
  also: [number, number][];
}

/** What a store is told to write. */
export type StoreOperation = { put: Entry } | { remove: string } | { position: Position };

/** Where the outbox and the position outlive the client. Each ClientID needs a store of its own, used by one client at a time. */
export interface Store {
  /** What was written before, the entries in any order. */
  load(): Promise<{ entries: Entry[]; position?: Position | undefined }>;
  /** Writes all in this order; resolves when they would survive the end of the process. Never called again before that. */
  write(operations: StoreOperation[]): Promise<void>;
}

/** How a client is made. */
export interface ClientOptions {
  /** 1 to 128 bytes. */
  clientId: string;
  /** Such as `wss://your-gateway.com/ws`. */
  gatewayUrl: string;
  /** Comes back by itself after a break. True without it. */
  autoReconnect?: boolean;
  /**
   * A token, or what gets one. It is asked once for all who want the token at the same time; again when the gateway says
   * that the token is about to expire, for the open connection; after a token was refused (4401), and after a handshake
   * that failed, since a browser hides why. The connection waits for it, without `connectTimeout`: give it a timeout of its own.
   * After `close()`, `connect()` asks anew.
   */
  token?: string | (() => string | Promise<string>);
  /**
   * Where the token goes: an `Authorization` header (`ws`, Node), or `?token=`. Without it, it is offered as the subprotocol
   * `bearer.TOKEN`, which a page can do too, and which no log of URLs shows.
   */
  tokenIn?: 'header' | 'query';
  /** The constructor of sockets; without it the global one. In Node 20: `import { WebSocket } from 'ws'`. */
  WebSocket?: new (url: string, protocols: string[], options?: any) => SocketLike;
  /** Where what is not answered outlives this object. Without it, in memory. */
  store?: Store;
  /** What the outbox holds at the most, and what happens then. */
  outbox?: {
    /** 1,000 without it. */
    messages?: number;
    /** UTF-8 bytes of the frames; 8 MiB without it. */
    bytes?: number;
    /**
     * `reject`: `send` rejects with `outbox_full`. `drop_oldest`: the oldest that was never on the wire is rejected with
     * `outbox_dropped`. `wait`: `send` takes longer; what waits so is not stored. `reject` without it.
     */
    full?: 'reject' | 'drop_oldest' | 'wait';
  };
  /** Messages on the wire without an answer, at the most. 256 without it. */
  inFlight?: number;
  /**
   * The pause before the n-th attempt is random between 0 and `base * 2^n`, at most `cap`. A connection that lasted
   * `stable` begins at 0 again. 500, 30,000 and 10,000 without it.
   */
  backoff?: { base?: number; cap?: number; stable?: number };
  /** A connection that is not ready after this is given up. 10,000 without it. */
  connectTimeout?: number;
  /** Silence after which the gateway is pinged, and time for its answer. 25,000 and 10,000 without it. */
  ping?: { interval?: number; timeout?: number };
  /** Time for the pong that makes the socket trusted again after a wake. 4,000 without it. */
  wakeTimeout?: number;
  /**
   * Tells of sleep and wake, such as Electron's powerMonitor: call `suspend` and `resume`. Called with
   * `connect()`; what it returns is called when the client closes.
   */
  power?: (client: { suspend: () => void; resume: () => void }) => void | (() => void);
}

interface Job extends Entry {
  bytes: number;
  stored: boolean;
  /** On this connection. */
  sent?: boolean;
  /** On any. */
  tried: boolean;
  over?: boolean;
  resolve?: ((ack: Ack) => void) | undefined;
  reject?: ((error: StratixError) => void) | undefined;
  release?: (() => void) | undefined;
}

/** The ranges of `also` are apart from each other, and in order. */
interface Inbox extends Omit<Position, 'epoch'> {
  epoch?: string;
  /** Given to listeners that are not done. */
  busy: Set<number>;
}

type Listener = (value: any) => unknown;
type Timer = ReturnType<typeof setTimeout>;

/** The header that names the message which another one answers. */
const replyTo = 'stratix-reply-to';
/** How many senders' messageIds are remembered to know what comes twice. */
const remembered = 4096;
const ackEvery = 32;
const ackWithin = 50;

const bytesOf = (text: string) => new TextEncoder().encode(text).length;
const ignore = () => {};

/** @throws {@link StratixError} `bad_option` for an ID that the gateway does not take */
function checkId(name: string, id: string): void {
  const length = bytesOf(id);
  if (length < 1 || length > 128) throw new StratixError('bad_option', `${name} must have 1 to 128 bytes`);
}

/** @throws {@link StratixError} `bad_option` for what JSON cannot say */
function json(frame: object): string {
  try {
    return JSON.stringify(frame);
  } catch (cause) {
    throw new StratixError('bad_option', `${cause}`, { cause });
  }
}

/** Calls fail when the time is over, or the signal says so; returns what ends that. */
function watch({ timeout, signal }: SendOptions, fail: (code: ClientErrorCode, text: string, cause?: unknown) => void): () => void {
  const abort = () => fail('aborted', 'the message was withdrawn', signal!.reason);
  if (signal?.aborted) {
    abort();
    return ignore;
  }
  const timer = timeout && setTimeout(() => fail('timeout', `no answer within ${timeout} ms`), timeout);
  signal?.addEventListener('abort', abort);
  return () => {
    clearTimeout(timer as Timer);
    signal?.removeEventListener('abort', abort);
  };
}

/** Adds from to to, and moves seq over what has become continuous. */
function settle(inbox: Inbox, from: number, to: number): void {
  const rest: [number, number][] = [];
  for (const range of [...inbox.also, [from, to] as [number, number]].sort((a, b) => a[0] - b[0])) {
    const last = rest[rest.length - 1];
    if (range[0] <= inbox.seq + 1) inbox.seq = Math.max(inbox.seq, range[1]);
    else if (last && range[0] <= last[1] + 1) last[1] = Math.max(last[1], range[1]);
    else rest.push([...range]);
  }
  inbox.also = rest;
}

/** The parts of a range that are not settled. */
function unsettled({ seq, also }: Inbox, from: number, to: number): [number, number][] {
  const parts: [number, number][] = [];
  let at = Math.max(from, seq + 1);
  for (const [first, last] of also) {
    if (last < at) continue;
    if (first > to) break;
    if (first > at) parts.push([at, first - 1]);
    at = last + 1;
  }
  if (at <= to) parts.push([at, to]);
  return parts;
}

/**
 * One ClientID's connection to the gateway, over any number of sockets.
 *
 * @typeParam In - what comes as data
 * @typeParam Out - what is sent as data
 */
export class StratixClient<In = unknown, Out = In> {
  readonly clientId: string;
  readonly #options: ClientOptions;
  readonly #listeners: { [K in keyof ClientEvents]?: Set<Listener> } = {};
  #state: State = 'idle';
  #ws: SocketLike | undefined;
  /** The attempt; what comes late from an earlier one is ignored. */
  #turn = 0;
  #failures = 0;
  /** Tokens that were refused in a row. */
  #refusals = 0;
  /** When the connection began, in milliseconds since 1970. */
  #since = Infinity;
  #retryAfter: number | undefined;
  #opening: { promise: Promise<void>; resolve: () => void; reject: (error: StratixError) => void } | undefined;
  #release: (() => void)[] = [];
  #retry: Timer | undefined;
  #handshake: Timer | undefined;
  #beat: ReturnType<typeof setInterval> | undefined;
  #heard = false;
  #pings = 0;
  #pong: Timer | undefined;
  #token: Promise<string> | undefined;
  #tokenValue: string | undefined;

  // What is sent: jobs in their order, then those that wait for room.
  readonly #jobs = new Map<string, Job>();
  #bytes = 0;
  readonly #waiting = new Set<Job>();
  #n = 0;
  readonly #prefix = Array.from(crypto.getRandomValues(new Uint32Array(2)), (x) => x.toString(36)).join('');
  #ids = 0;
  readonly #requests = new Map<string, { resolve: (message: Message<any, Out>) => void; reject: (error: StratixError) => void }>();
  readonly #joins = new Map<string, { frame: object; resolve: () => void; reject: (error: StratixError) => void }>();
  readonly #groups = new Set<string>();

  // What comes.
  #inbox: Inbox = { seq: 0, also: [], busy: new Set() };
  readonly #seen = new Map<string, Promise<unknown> | undefined>();
  #held: (() => void)[] = [];
  /** What came before the answer to the hello, which says how to read its seqs: the gateway waits for a hello for a second. */
  #early: object[] = [];
  #unacked = 0;
  #ackTimer: Timer | undefined;

  #loaded: Promise<void> | undefined;
  #operations: StoreOperation[] = [];
  #written: Promise<void> = Promise.resolve();
  #next: Promise<void> | undefined;

  /** @throws {@link StratixError} `bad_option` */
  constructor(options: ClientOptions) {
    this.#options = options;
    this.clientId = options.clientId;
    checkId('clientId', this.clientId);
    if (!/^wss?:/.test(options.gatewayUrl)) throw new StratixError('bad_option', 'gatewayUrl must begin with ws: or wss:');
    if (!(options.WebSocket ?? globalThis.WebSocket)) {
      throw new StratixError('bad_option', 'no WebSocket: give that of the package ws');
    }
  }

  /** Where the connection stands; the `state` event tells of changes. */
  get state(): State {
    return this.#state;
  }

  /** What waits for an answer of the gateway: messages, and the UTF-8 bytes of their frames. */
  get outbox(): { messages: number; bytes: number } {
    return { messages: this.#jobs.size, bytes: this.#bytes };
  }

  /**
   * Connects; resolves when messages flow. With `autoReconnect` it goes on trying (see the `state` event) until `close()`.
   *
   * @throws {@link StratixError} `closed`, `replaced`, `refused`, `unauthorized`, `store`; without `autoReconnect` also
   * `connection` and `token`
   */
  connect(): Promise<void> {
    if (this.#live) return Promise.resolve();
    if (this.#opening) return this.#opening.promise;
    let resolve!: () => void, reject!: (error: StratixError) => void;
    const promise = new Promise<void>((yes, no) => { resolve = yes; reject = no; });
    this.#opening = { promise, resolve, reject };
    if (this.#state === 'idle' || this.#state === 'closed') {
      this.#failures = this.#refusals = 0;
      const changed = () => this.resume();
      for (const name of ['online', 'offline']) { // Node has neither
        globalThis.addEventListener?.(name, changed);
        this.#release.push(() => globalThis.removeEventListener?.(name, changed));
      }
      this.#release.push(this.#options.power?.({ suspend: () => this.suspend(), resume: () => this.resume() }) ?? ignore);
      void this.#connect();
    }
    return promise;
  }

  /**
   * Ends the connection and rejects what is not answered with `closed`. What is in a store stays there (`kept`), and goes
   * out with the next `connect()`, of this client or another one. What listeners are still at work on comes again then.
   * Resolves when the store is written, and another client may have it.
   */
  close(): Promise<void> {
    if (this.#state !== 'closed') this.#end(new StratixError('closed', 'the client is closed'), 1000);
    return this.#written;
  }

  /**
   * Sends a message; resolves when the gateway has answered for it. Until then it is sent again, with the same messageId,
   * on each new connection. Messages of one priority arrive in the order of the calls.
   *
   * @throws {@link StratixError} the gateway's codes, or `timeout`, `aborted`, `closed`, `connection`, `replaced`, `refused`,
   * `unauthorized`, `outbox_full`, `outbox_dropped`, `expired`, `too_big`, `store`, `bad_option`
   */
  send(data: Out, options: SendOptions = {}): Promise<Ack> {
    return new Promise((resolve, reject) => {
      const { to, priority, ttl, headers, receipt, messageId: id = this.#newId() } = options;
      checkId('messageId', id);
      const frame = json({ type: 0, messageId: id, data, to, headers, priority, receipt });
      const job: Job = {
        id, n: 0, at: Date.now(), frame, bytes: bytesOf(frame), stored: !this.#options.store, tried: false, resolve, reject,
      };
      if (ttl) job.ttl = ttl;
      if (this.#state === 'closed') return this.#fail(job, 'closed', 'the client is closed');
      job.release = watch(options, (code, text, cause) => this.#fail(job, code, text, { cause }));
      this.#load().then(() => {
        if (job.over) return;
        if (this.#state === 'closed') this.#fail(job, 'closed', 'the client is closed');
        else if (this.#jobs.has(id)) this.#fail(job, 'bad_option', 'this messageId waits already');
        else this.#admit(job);
      }, ({ code, message, cause }) => this.#fail(job, code, message, { cause }));
    });
  }

  /**
   * Sends a message and resolves with the message that answers it: one that its recipient made with `reply`, or one that
   * a script of the gateway made with `msg:reply`. Answers do not reach `message` listeners, unless they come too late.
   *
   * @throws {@link StratixError} as `send` does; `timeout` if no answer comes within `options.timeout`, 30,000 without it
   */
  request<R = In>(data: Out, options: SendOptions = {}): Promise<Message<R, Out>> {
    const { messageId = this.#newId(), timeout = 30_000 } = options;
    const all = { ...options, messageId, timeout };
    let release = ignore;
    return new Promise<Message<R, Out>>((resolve, reject) => {
      this.#requests.set(messageId, { resolve, reject });
      this.send(data, all).catch(reject);
      // Both watch: this one also when the gateway has answered, and the answer is still to come.
      release = watch(all, (code, text, cause) => reject(new StratixError(code, text, { messageId, cause })));
    }).finally(() => {
      release();
      this.#requests.delete(messageId);
    });
  }

  /** Joins groups, and again when the gateway has forgotten this client. Rejects with the gateway's code, such as `forbidden`. */
  join(...groups: string[]): Promise<void> {
    for (const group of groups) this.#groups.add(group);
    return this.#group(8, groups).catch((error) => {
      for (const group of groups) this.#groups.delete(group);
      throw error;
    });
  }

  /** Leaves groups. */
  leave(...groups: string[]): Promise<void> {
    for (const group of groups) this.#groups.delete(group);
    return this.#group(9, groups);
  }

  /**
   * Calls listener for each event of this name; returns what ends that. Messages that come while nobody listens wait, and
   * are not acknowledged; of those that the gateway does not keep (without a seq) 4,096 wait at the most.
   */
  on<K extends keyof ClientEvents>(name: K, listener: (event: ClientEvents<In, Out>[K]) => unknown): () => void {
    (this.#listeners[name] ??= new Set()).add(listener);
    if (name === 'message') queueMicrotask(() => this.#giveHeld());
    return () => this.off(name, listener);
  }

  /** Ends what `on` began. */
  off<K extends keyof ClientEvents>(name: K, listener: (event: ClientEvents<In, Out>[K]) => unknown): void {
    this.#listeners[name]?.delete(listener);
  }

  /** The same as `on('message', listener)`. */
  onMessage(listener: (message: Message<In, Out>) => unknown): () => void {
    return this.on('message', listener);
  }

  /**
   * `for await (const msg of client)`: messages until the client is closed. One is acknowledged when the loop asks for
   * the next; what the loop did not get to waits for the next listener.
   */
  async *[Symbol.asyncIterator](): AsyncGenerator<Message<In, Out>, void, undefined> {
    const queue: { message: Message<In, Out>; done: (after?: unknown) => void }[] = [];
    let wake = ignore;
    const off = [
      this.on('message', (message) => new Promise((done) => {
        queue.push({ message, done });
        wake();
      })),
      this.on('state', () => wake()),
    ];
    try {
      for (;;) {
        const first = queue.shift();
        if (first) {
          try {
            yield first.message;
          } finally {
            first.done();
          }
        } else if (this.#state === 'closed') {
          return;
        } else {
          await new Promise<void>((resolve) => { wake = resolve; });
        }
      }
    } finally {
      for (const end of off) end();
      for (const { message, done } of queue) done(this.#listeners.message!.size ? undefined : this.#deliver(message));
    }
  }

  /**
   * The token that connections use, for the app's own requests. Whoever was refused with one says so with `refused`: the
   * first of them has a new one fetched, all get that.
   *
   * @throws {@link StratixError} `token`
   */
  token(refused?: string): Promise<string> {
    if (refused && refused === this.#tokenValue) this.#token = this.#tokenValue = undefined;
    const { token = '' } = this.#options;
    return this.#token ??= (async () => {
      try {
        return this.#tokenValue = typeof token === 'function' ? await token() : token;
      } catch (cause) {
        this.#token = undefined;
        throw new StratixError('token', 'the token provider failed', { cause });
      }
    })();
  }

  /** The machine goes to sleep: from now on the socket is not trusted. */
  suspend(): void {
    if (this.#state === 'connected') this.#set('checking');
  }

  /** The machine woke up, or its network changed: the socket is trusted again after a pong, and a pause ends now. */
  resume(): void {
    if (this.#state === 'waiting' && online()) {
      this.#failures = 0;
      clearTimeout(this.#retry);
      void this.#connect();
    } else if (this.#live) {
      this.#set('checking');
      this.#ping(this.#options.wakeTimeout ?? 4_000);
    }
  }

  // The connection.

  async #connect(): Promise<void> {
    const turn = ++this.#turn;
    const current = () => turn === this.#turn;
    const { gatewayUrl, connectTimeout = 10_000, tokenIn, WebSocket: Socket = globalThis.WebSocket } = this.#options;
    this.#set('connecting');
    let ws: SocketLike;
    try {
      await this.#load();
      const token = await this.token();
      if (!current()) return;
      let url = `${gatewayUrl}${gatewayUrl.includes('?') ? '&' : '?'}clientId=${encodeURIComponent(this.clientId)}`;
      let options;
      const protocols = ['stratix.v1'];
      if (token) {
        if (tokenIn === 'query') url += `&token=${encodeURIComponent(token)}`;
        else if (tokenIn) options = { headers: { Authorization: `Bearer ${token}` } };
        else protocols.push(`bearer.${token}`);
      }
      ws = new Socket(url, protocols, options);
    } catch (cause) {
      if (!current()) return;
      if (!(cause instanceof StratixError)) this.#end(new StratixError('bad_option', 'no socket', { cause }));
      else if (cause.code === 'store') this.#end(cause);
      else this.#lost(0, '', cause);
      return;
    }
    this.#ws = ws;
    this.#handshake = setTimeout(() => this.#lost(0, `no answer within ${connectTimeout} ms`), connectTimeout);
    let failure = '';
    ws.onopen = () => current() && this.#say({ type: 3, ...this.#position() });
    ws.onmessage = ({ data }) => current() && this.#hear(data);
    ws.onerror = (event) => { failure = event?.message ?? ''; }; // the close follows
    ws.onclose = ({ code, reason }) => current() && this.#lost(code, reason || failure);
  }

  /** The connection, or the attempt, has ended: comes back, or ends for good. */
  #lost(closeCode: number, reason: string, error?: StratixError): void {
    const { base = 500, cap = 30_000, stable = 10_000 } = this.#options.backoff ?? {};
    const end = (code: ClientErrorCode) => this.#end(new StratixError(code, reason || 'the gateway refuses this client', { closeCode }));
    const { token, autoReconnect = true } = this.#options;
    if (closeCode === 4001) return end('replaced');
    if (closeCode === 4403) return end('refused');
    // `ws` tells the status of a refused upgrade. A browser hides it: it may have been the token.
    const refused = closeCode === 4401 || /: 40[13]$/.test(reason);
    if (refused || this.#state === 'connecting') this.#token = this.#tokenValue = undefined;
    // Its issuer's key may be a new one, which the gateway asks for every ten seconds: the third token has the last word.
    if (refused && (typeof token !== 'function' || ++this.#refusals > 2)) return end('unauthorized');
    error ??= new StratixError('connection', reason || `closed with ${closeCode}`, { closeCode });
    this.#drop();
    if (closeCode === 1009) {
      const [largest] = [...this.#jobs.values()].filter((job) => job.sent).sort((a, b) => b.bytes - a.bytes);
      if (largest) this.#fail(largest, 'too_big', 'larger than the gateway takes', { closeCode });
      if (this.#state === 'closed') return; // by a listener
    }
    if (!autoReconnect) return this.#end(error);
    for (const job of this.#jobs.values()) job.sent = false;
    if (Date.now() - this.#since >= stable) this.#failures = 0;
    this.#since = Infinity;
    const retryIn = Math.round(this.#retryAfter
      ?? (online() && closeCode !== 4003 && this.#refusals < 2 ? Math.random() * Math.min(cap, base * 2 ** this.#failures++) : cap));
    this.#retryAfter = undefined;
    this.#retry = setTimeout(() => void this.#connect(), retryIn);
    this.#set('waiting', { error, retryIn });
  }

  /** Lets go of the socket; nothing of it is heard any more. */
  #drop(code?: number): void {
    const ws = this.#ws;
    this.#turn++;
    this.#ws = undefined;
    this.#pings = 0;
    clearTimeout(this.#handshake);
    clearTimeout(this.#pong);
    clearInterval(this.#beat);
    this.#pong = undefined;
    this.#acknowledge(); // to the store; the next hello tells it
    this.#early = [];
    if (!ws) return;
    try {
      ws.close(code);
    } catch {
      // It was closed already.
    }
  }

  #end(error: StratixError, code?: number): void {
    this.#acknowledge();
    clearTimeout(this.#retry);
    this.#drop(code);
    for (const release of this.#release.splice(0)) release();
    const opening = this.#opening;
    this.#opening = this.#retryAfter = this.#token = undefined; // the next connect() does not wait for a provider that hangs
    this.#since = Infinity;
    for (const [id, { reject }] of this.#requests) if (!this.#jobs.has(id)) reject(error); // the others fail with their message
    this.#set('closed', { error });
    const kept = !!this.#options.store;
    const { message, closeCode, cause } = error;
    for (const job of this.#jobs.values()) {
      job.sent = false;
      this.#fail(job, error.code, message, { kept, closeCode, cause });
    }
    for (const job of this.#waiting) this.#fail(job, error.code, message, { closeCode, cause });
    for (const join of this.#joins.values()) join.reject(error);
    this.#joins.clear();
    opening?.promise.catch(ignore); // whoever awaits it hears of it; nobody has to
    opening?.reject(error);
  }

  #set(state: State, more: Partial<StateChange> = {}): void {
    const previous = this.#state;
    this.#state = state;
    if (state !== previous) this.#emit('state', { state, previous, ...more });
  }

  /** The gateway has answered the hello of this socket. */
  get #live(): boolean {
    return this.#state === 'connected' || this.#state === 'checking';
  }

  get #pongTimeout(): number {
    return this.#options.ping?.timeout ?? 10_000;
  }

  #say(frame: object | string): void {
    if (this.#ws?.readyState === 1) this.#ws.send(typeof frame === 'string' ? frame : JSON.stringify(frame));
  }

  #ping(timeout: number): void {
    this.#pings++;
    this.#say({ type: 4 });
    this.#awaitPong(timeout);
  }

  #awaitPong(timeout: number): void {
    clearTimeout(this.#pong);
    this.#pong = setTimeout(() => this.#lost(0, `no pong within ${timeout} ms`), timeout);
  }

  #hear(text: string): void {
    let frame: any;
    try {
      frame = JSON.parse(text);
    } catch (cause) {
      return void this.#emit('error', new StratixError('connection', 'the gateway sent no JSON', { cause }));
    }
    this.#heard = true;
    // The pong may be behind much else on a slow line.
    if (this.#pong && this.#state === 'connected') this.#awaitPong(this.#pongTimeout);
    switch (frame.type) {
      case 0: return this.#live ? this.#take(frame) : void this.#early.push(frame);
      case 1: return this.#answered(frame);
      case 2: return this.#refused(frame);
      case 3: return this.#welcome(frame);
      case 4: return this.#say({ type: 5 });
      case 5: return this.#ponged();
      case 6: this.#retryAfter = frame.retryAfter; return;
      case 7: return this.#live ? this.#gaps(frame.gaps) : undefined; // else the answer to the hello names them
      case 10: if (!frame.messageId) this.#renew();
    }
  }

  /** The token is about to expire: the gateway gets another one, if there is, and the connection goes on. */
  #renew(): void {
    const old = this.#tokenValue;
    this.token(old).then((token) => {
      if (token !== old) this.#say({ type: 10, messageId: this.#newId(), token });
    }).catch((error) => this.#emit('error', error));
  }

  #ponged(): void {
    // Only the answer to the last ping says that the socket lives now.
    if (--this.#pings > 0) return;
    clearTimeout(this.#pong);
    this.#pong = undefined;
    if (this.#state === 'checking') {
      this.#set('connected');
      this.#pump();
    }
  }

  #welcome(frame: { epoch: string; seq: number; recovered: boolean; gaps?: [number, number, string][] }): void {
    if (this.#state !== 'connecting') return;
    const known = this.#inbox.epoch;
    if (frame.recovered) settle(this.#inbox, 0, frame.seq);
    else this.#inbox = { epoch: frame.epoch, seq: frame.seq, also: [], busy: new Set() };
    clearTimeout(this.#handshake);
    this.#since = Date.now();
    this.#refusals = 0;
    this.#beat = setInterval(() => {
      if (!this.#pong && (!this.#heard || this.#state === 'checking')) this.#ping(this.#pongTimeout);
      this.#heard = false;
    }, this.#options.ping?.interval ?? 25_000);
    const turn = this.#turn;
    this.#set('connected');
    if (turn !== this.#turn) return; // a listener has closed it
    if (!frame.recovered) {
      this.#keepPosition();
      if (known) this.#emit('gap', { from: 0, to: 0, cause: 'reset' });
    }
    this.#gaps(frame.gaps);
    if (turn !== this.#turn) return;
    for (const message of this.#early.splice(0)) if (turn === this.#turn) this.#take(message);
    for (const { frame } of this.#joins.values()) this.#say(frame);
    if (!frame.recovered && this.#groups.size) this.#group(8, [...this.#groups]).catch((error) => this.#emit('error', error));
    this.#opening?.resolve();
    this.#opening = undefined;
    this.#pump();
  }

  // What is sent.

  #newId(): string {
    return `${this.#prefix}-${++this.#ids}`;
  }

  /** Puts a job into the outbox, or lets it wait, or refuses it. */
  #admit(job: Job): void {
    const { messages = 1000, bytes = 8 << 20, full = 'reject' } = this.#options.outbox ?? {};
    const room = () => this.#jobs.size < messages && this.#bytes + job.bytes <= bytes;
    if (full === 'drop_oldest' && job.bytes <= bytes) {
      for (const old of this.#jobs.values()) {
        if (room()) break;
        if (!old.tried) this.#fail(old, 'outbox_dropped', 'it made room for a newer one');
      }
    }
    if (full === 'wait' && job.bytes <= bytes && (!room() || this.#waiting.size && !this.#waiting.has(job))) {
      this.#waiting.add(job);
      return;
    }
    this.#waiting.delete(job);
    if (!room()) return this.#fail(job, 'outbox_full', 'the outbox is full');
    job.n = ++this.#n;
    this.#jobs.set(job.id, job);
    this.#bytes += job.bytes;
    if (job.stored) return this.#pump();
    const { id, n, at, frame, ttl } = job;
    this.#write({ put: { id, n, at, frame, ...ttl && { ttl } } }).then(() => {
      job.stored = true;
      this.#pump();
    }, ({ code, message, cause }) => this.#fail(job, code, message, { cause }));
  }

  /** Sends what may go out: in order, as far as it is stored. */
  #pump(): void {
    if (this.#state !== 'connected') return;
    let flying = 0;
    for (const job of this.#jobs.values()) {
      if (flying++ >= (this.#options.inFlight ?? 256) || !job.stored) return;
      if (job.sent) continue;
      // NaN without a ttl. A clock that was set back makes it no longer.
      const left = Math.ceil(job.ttl! - Math.max(0, Date.now() - job.at) / 1000);
      if (left <= 0) {
        this.#fail(job, 'expired', 'its ttl is over');
        continue;
      }
      job.sent = job.tried = true;
      this.#say(left ? `${job.frame.slice(0, -1)},"ttl":${left}}` : job.frame);
    }
  }

  #answered(frame: any): void {
    const { type: _, ...ack } = frame;
    this.#joins.get(ack.messageId)?.resolve();
    this.#joins.delete(ack.messageId);
    if (!ack.status) return; // of a join
    const job = this.#jobs.get(ack.messageId);
    if (job) this.#finish(job);
    this.#emit('ack', ack);
    job?.resolve?.(ack);
    if (job) this.#room();
  }

  #refused({ messageId, code, error, retryAfter }: { messageId?: string; code: string; error: string; retryAfter?: number }): void {
    const job = this.#jobs.get(messageId!);
    const join = this.#joins.get(messageId!);
    this.#joins.delete(messageId!);
    if (job) return this.#fail(job, code, error, { retryAfter });
    const problem = new StratixError(code, error, { messageId, retryAfter });
    if (join) join.reject(problem);
    else this.#emit('error', problem);
  }

  #fail(job: Job, code: string, text: string, more?: Partial<StratixError>): void {
    if (job.over) return;
    const error = new StratixError(code, text, { messageId: job.id, sent: job.tried, ...more });
    const { reject } = job;
    if (more?.kept) {
      job.release?.();
      job.release = job.resolve = job.reject = undefined;
    } else this.#finish(job);
    if (reject) reject(error);
    else if (!more?.kept) this.#emit('error', error);
    this.#room();
  }

  #finish(job: Job): void {
    job.over = true;
    job.release?.();
    this.#waiting.delete(job);
    if (this.#jobs.get(job.id) !== job) return;
    this.#jobs.delete(job.id);
    this.#bytes -= job.bytes;
    if (this.#options.store) this.#write({ remove: job.id }).catch((error) => this.#emit('error', error));
    if (!this.#jobs.size && !this.#waiting.size) queueMicrotask(() => this.#jobs.size || this.#state === 'closed' || this.#emit('drain', undefined));
  }

  /** One has left the outbox: the next may come in. */
  #room(): void {
    for (const job of this.#waiting) {
      this.#admit(job);
      if (this.#waiting.has(job)) break;
    }
    this.#pump();
  }

  #group(type: 8 | 9, groups: string[]): Promise<void> {
    return new Promise((resolve, reject) => {
      const messageId = this.#newId();
      const frame = { type, messageId, groups };
      this.#joins.set(messageId, { frame, resolve, reject });
      if (this.#live) this.#say(frame);
    });
  }

  // What comes.

  #take(frame: any): void {
    const inbox = this.#inbox;
    const { seq, from, messageId, data, ts, headers = {} } = frame;
    if (seq) {
      if (inbox.busy.has(seq) || !unsettled(inbox, seq, seq).length) return;
      inbox.busy.add(seq);
    }
    const settled = () => {
      if (!seq) return;
      inbox.busy.delete(seq);
      settle(inbox, seq, seq);
      if (inbox === this.#inbox) this.#ackSoon();
    };
    const name = from && messageId && JSON.stringify([from, messageId]);
    let done: Promise<unknown> | undefined;
    if (name && this.#seen.has(name)) {
      done = this.#seen.get(name);
    } else {
      const message: Message<In, Out> = {
        data, from, messageId, seq, ts, headers,
        reply: (answer, options) => this.send(answer, { to: from, ...options, headers: { ...options?.headers, [replyTo]: messageId } }),
      };
      const asked = headers[replyTo] ?? (!from && messageId);
      const request = this.#requests.get(asked);
      if (request) request.resolve(message);
      else done = this.#deliver(message);
      if (name) {
        this.#seen.set(name, done);
        void done?.then(() => this.#seen.has(name) && this.#seen.set(name, undefined));
        if (this.#seen.size > remembered) this.#seen.delete(this.#seen.keys().next().value!);
      }
    }
    if (done) void done.then(settled);
    else settled();
  }

  /** Gives a message to the listeners, or holds it until there is one. The promise, if any, resolves when they are done. */
  #deliver(message: Message<In, Out>): Promise<unknown> | undefined {
    if (!this.#held.length && this.#listeners.message?.size) return this.#emit('message', message);
    if (!message.seq && this.#held.length >= remembered) return; // the gateway has not kept it either
    return new Promise((resolve) => this.#held.push(() => resolve(this.#emit('message', message))));
  }

  #giveHeld(): void {
    while (this.#held.length && this.#listeners.message!.size) this.#held.shift()!();
  }

  #gaps(gaps: [number, number, string][] = []): void {
    for (const [first, last, cause] of gaps) {
      const news = unsettled(this.#inbox, first, last); // one is named until its acknowledgement arrives
      settle(this.#inbox, first, last);
      this.#ackSoon();
      if (cause !== 'settled') for (const [from, to] of news) this.#emit('gap', { from, to, cause }); // those were acknowledged
    }
  }

  #ackSoon(): void {
    if (this.#state === 'closed') return; // the store may be another client's by now
    if (++this.#unacked >= ackEvery) this.#acknowledge();
    else this.#ackTimer ??= setTimeout(() => this.#acknowledge(), ackWithin);
  }

  #acknowledge(): void {
    clearTimeout(this.#ackTimer);
    this.#ackTimer = undefined;
    if (!this.#unacked) return;
    this.#unacked = 0;
    this.#keepPosition();
    const { seq, also } = this.#inbox;
    if (this.#live) this.#say({ type: 1, seq, also: also.length ? also : undefined });
  }

  #position(): Position | undefined {
    const { epoch, seq, also } = this.#inbox;
    return epoch ? { epoch, seq, also } : undefined;
  }

  // Around them.

  #load(): Promise<void> {
    const { store } = this.#options;
    return this.#loaded ??= !store ? Promise.resolve() : store.load().then(({ entries, position }) => {
      if (position) this.#inbox = { ...position, busy: new Set() };
      for (const entry of entries.sort((a, b) => a.n - b.n)) {
        this.#n = entry.n;
        const bytes = bytesOf(entry.frame);
        this.#bytes += bytes;
        this.#jobs.set(entry.id, { ...entry, bytes, stored: true, tried: true });
      }
    }).catch((cause) => {
      this.#loaded = undefined;
      throw new StratixError('store', 'the outbox could not be read', { cause });
    });
  }

  /** Writes to the store; what comes while a write is under way goes with the next one. */
  #write(operation: StoreOperation): Promise<void> {
    this.#operations.push(operation);
    if (!this.#next) {
      this.#next = this.#written.then(() => {
        const operations = this.#operations;
        this.#operations = [];
        this.#next = undefined;
        return this.#options.store!.write(operations);
      }).catch((cause) => {
        throw new StratixError('store', 'the outbox could not be written', { cause });
      });
      this.#written = this.#next.catch(ignore);
    }
    return this.#next;
  }

  #keepPosition(): void {
    const position = this.#position();
    if (this.#options.store && position) this.#write({ position }).catch((error) => this.#emit('error', error));
  }

  /** Calls the listeners; resolves when those are done that returned a promise. undefined if none did. */
  #emit<K extends keyof ClientEvents>(name: K, event: ClientEvents<In, Out>[K]): Promise<unknown> | undefined {
    const listeners = this.#listeners[name];
    const failed = (cause: unknown) => name === 'error'
      ? console.error(cause)
      : void this.#emit('error', new StratixError('listener', `a listener of '${name}' failed`, { cause }));
    if (name === 'error' && !listeners?.size) console.error(event);
    let pending: Promise<unknown>[] | undefined;
    for (const listener of [...listeners ?? []]) {
      try {
        const result = listener(event) as Promise<unknown> | undefined;
        if (typeof result?.then === 'function') (pending ??= []).push(result.then(ignore, failed));
      } catch (cause) {
        failed(cause);
      }
    }
    return pending && Promise.all(pending);
  }
}

/** A browser knows when there is no network at all; Node says nothing of it. */
function online(): boolean {
  return globalThis.navigator?.onLine !== false;
}

/** A store in memory: outlives a client, not the process. */
export class MemoryStore implements Store {
  protected readonly entries = new Map<string, Entry>();
  protected position: Position | undefined;

  async load(): Promise<{ entries: Entry[]; position?: Position | undefined }> {
    return { entries: [...this.entries.values()], position: this.position };
  }

  async write(operations: StoreOperation[]): Promise<void> {
    for (const operation of operations) this.apply(operation);
  }

  protected apply(operation: StoreOperation): void {
    if ('put' in operation) this.entries.set(operation.put.id, operation.put);
    else if ('remove' in operation) this.entries.delete(operation.remove);
    else this.position = operation.position;
  }
}

/** The part of `node:fs/promises` that {@link FileStore} uses. */
export interface FileSystem {
  readFile(path: string, encoding: 'utf8'): Promise<string>;
  writeFile(path: string, text: string): Promise<void>;
  rename(from: string, to: string): Promise<void>;
  open(path: string, flags: string): Promise<{ appendFile(text: string): Promise<void>; datasync(): Promise<void>; close(): Promise<void> }>;
}

/**
 * A store in a file, for Node and Electron's main process: `new FileStore(fs, path)` with `fs` from
 * `import * as fs from 'node:fs/promises'`. It grows by a line for each operation, is forced to the disk with each
 * write, and written anew now and then. One process uses it at a time.
 */
export class FileStore extends MemoryStore {
  readonly #fs: FileSystem;
  readonly #path: string;
  #lines = 0;

  constructor(fs: FileSystem, path: string) {
    super();
    this.#fs = fs;
    this.#path = path;
  }

  override async load(): Promise<{ entries: Entry[]; position?: Position | undefined }> {
    let text = '';
    try {
      text = await this.#fs.readFile(this.#path, 'utf8');
    } catch (error) {
      if ((error as { code?: string }).code !== 'ENOENT') throw error;
    }
    for (const line of text.split('\n')) {
      this.#lines++;
      try {
        this.apply(JSON.parse(line));
      } catch {
        // A write that failed half-way left it, and was reported then; or it is empty.
      }
    }
    return super.load(); // and writes nothing: a full disk keeps nobody from connecting
  }

  override async write(operations: StoreOperation[]): Promise<void> {
    await super.write(operations);
    this.#lines += operations.length;
    if (this.#lines > 1000 + 4 * this.entries.size) return this.#rewrite();
    await this.#put(this.#path, 'a', `\n${lines(operations)}`); // a torn line before it ends here
  }

  async #rewrite(): Promise<void> {
    const all: StoreOperation[] = [...this.entries.values()].map((put) => ({ put }));
    if (this.position) all.push({ position: this.position });
    this.#lines = all.length;
    await this.#put(`${this.#path}~`, 'w', lines(all));
    await this.#fs.rename(`${this.#path}~`, this.#path);
  }

  async #put(path: string, flags: string, text: string): Promise<void> {
    const file = await this.#fs.open(path, flags);
    try {
      await file.appendFile(text);
      await file.datasync();
    } finally {
      await file.close();
    }
  }
}

const lines = (operations: StoreOperation[]) => operations.map((operation) => `${JSON.stringify(operation)}\n`).join('');

/** A store in IndexedDB, for pages and Electron's renderer. One window uses it at a time. */
export class IndexedDBStore implements Store {
  readonly #name: string;
  #db: Promise<IDBDatabase> | undefined;

  /** @param name - of the database, such as `stratix-${clientId}` */
  constructor(name: string) {
    this.#name = name;
  }

  async load(): Promise<{ entries: Entry[]; position?: Position | undefined }> {
    const transaction = (await this.#open()).transaction(['outbox', 'position']);
    const [entries, [position]] = await Promise.all(
      ['outbox', 'position'].map((name) => promised(transaction.objectStore(name).getAll())),
    ) as [Entry[], Position[]];
    return { entries, position };
  }

  async write(operations: StoreOperation[]): Promise<void> {
    const transaction = (await this.#open()).transaction(['outbox', 'position'], 'readwrite');
    const outbox = transaction.objectStore('outbox');
    for (const operation of operations) {
      if ('put' in operation) outbox.put(operation.put, operation.put.id);
      else if ('remove' in operation) outbox.delete(operation.remove);
      else transaction.objectStore('position').put(operation.position, 0);
    }
    await new Promise((resolve, reject) => {
      transaction.oncomplete = resolve;
      transaction.onabort = () => reject(transaction.error);
    });
  }

  #open(): Promise<IDBDatabase> {
    if (!this.#db) {
      const request = indexedDB.open(this.#name, 1);
      request.onupgradeneeded = () => {
        for (const name of ['outbox', 'position']) request.result.createObjectStore(name);
      };
      const lost = () => { this.#db = undefined; };
      this.#db = promised(request);
      // The browser may take it away: the next write opens it again.
      this.#db.then((db) => { db.onclose = lost; }, lost);
    }
    return this.#db;
  }
}

function promised<T>(request: IDBRequest<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
  });
}
