// SPDX-License-Identifier: MIT
/** Limits how often a key passes in a window of time, and counts what it holds back. Pure: instants are arguments. */

interface Window {
  start: number;
  passed: number;
  held: number;
}

/** Maximum of keys. Further keys pass without a limit: a second, coarser limit holds them back. */
const MAX_KEYS = 1000;

export class RateLimit {
  readonly #limit: number;
  readonly #milliseconds: number;
  /** By key, the oldest window first. */
  readonly #windows = new Map<string, Window>();

  /** At most `limit` of each key in `milliseconds`. */
  constructor(limit: number, milliseconds: number) {
    this.#limit = limit;
    this.#milliseconds = milliseconds;
  }

  /** Whether one more may pass. Call `ended` first, so that windows that are over do not count. */
  admit(key: string, now: number): boolean {
    const window = this.#windows.get(key);
    if (!window) {
      if (this.#windows.size < MAX_KEYS) this.#windows.set(key, { start: now, passed: 1, held: 0 });
      return true;
    }
    if (window.passed < this.#limit) window.passed++;
    else window.held++;
    return window.held === 0;
  }

  /** Removes the windows that ended by `now`. Returns those that held something back. */
  ended(now: number): { key: string; held: number }[] {
    const result: { key: string; held: number }[] = [];
    for (const [key, { start, held }] of this.#windows) {
      if (now - start < this.#milliseconds) break;
      this.#windows.delete(key);
      if (held > 0) result.push({ key, held });
    }
    return result;
  }
}
