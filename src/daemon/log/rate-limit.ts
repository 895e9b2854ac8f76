// SPDX-License-Identifier: MIT
/** How often something may pass in a window of time, and what was held back. Knows no clock of its own. */

interface Window {
  start: number;
  passed: number;
  held: number;
}

/** Things told apart at once; beyond it they pass unlimited, whoever limits more coarsely holds those. */
const KEYS = 1000;

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

  /** Whether one more may pass. Ask `ended` first, or windows that are over still count. */
  admit(key: string, now: number): boolean {
    const window = this.#windows.get(key);
    if (!window) {
      if (this.#windows.size < KEYS) this.#windows.set(key, { start: now, passed: 1, held: 0 });
      return true;
    }
    if (window.passed < this.#limit) window.passed++;
    else window.held++;
    return window.held === 0;
  }

  /** What the windows that ended by `now` held back; those that held nothing are forgotten in silence. */
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
