// What the gateway has told in the last two minutes.

/** How far back it goes, in milliseconds. */
export const span = 120_000;

export class History {
  #frames = [];

  /** Adds what came. A gateway that was started again counts from 0: what was before is not compared with it. */
  add(frame) {
    const last = this.newest;
    if (last && frame.uptime < last.uptime) this.#frames = [];
    this.#frames.push(frame);
    const oldest = frame.ts - span;
    while (this.#frames.length > 1 && this.#frames[0].ts < oldest) this.#frames.shift();
  }

  get newest() { return this.#frames.at(-1); }

  /** Seconds from its first frame to its last. */
  get seconds() { return this.#frames.length > 1 ? (this.newest.ts - this.#frames[0].ts) / 1000 : 0; }

  /** [time, value] of each frame that has a value. */
  series(value) { return this.#frames.map((frame) => [frame.ts, value(frame)]).filter(([, n]) => n !== null); }

  /** By how much each of these totals has grown, those that have: [[name, more], ...], the largest first. */
  growth(totals) {
    if (this.#frames.length === 0) return [];
    const before = totals(this.#frames[0]) ?? {};
    return Object.entries(totals(this.newest) ?? {})
      .map(([name, total]) => [name, total - (before[name] ?? 0)])
      .filter(([, more]) => more > 0)
      .sort((a, b) => b[1] - a[1]);
  }
}
