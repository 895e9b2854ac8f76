// SPDX-License-Identifier: MIT
/**
 * Own time: the time in which this process was able to run. After being stopped or starved for seconds, a process would
 * find all probes due and all deadlines passed, although answers may be unread in its sockets. Time that it slept longer
 * than intended is therefore excluded.
 */

/** Milliseconds of delay of a wake-up that still count as own time. */
export const GRACE = 100;

export class Pace {
  #own: number;
  #real: number;
  #wake: number;
  #lost = 0;

  /** `real`: milliseconds of a monotonic clock. `own`: own time at `real`. */
  constructor(real: number, own = 0) {
    this.#own = own;
    this.#real = real;
    this.#wake = real;
  }

  /** Milliseconds excluded so far. */
  get lost(): number {
    return this.#lost;
  }

  /** Own time at `real`. */
  now(real: number): number {
    const passed = Math.max(0, real - this.#real);
    const counted = Math.min(passed, Math.max(0, this.#wake - this.#real) + GRACE);
    this.#own += counted;
    this.#lost += passed - counted;
    this.#real += passed;
    if (this.#wake < this.#real) this.#wake = this.#real;
    return this.#own;
  }

  /** Announces a sleep until `own`. Returns its length in milliseconds of real time. */
  sleepUntil(own: number): number {
    const length = Math.max(0, own - this.#own);
    this.#wake = this.#real + length;
    return length;
  }
}
