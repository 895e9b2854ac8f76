// SPDX-License-Identifier: MIT
/**
 * Time as far as this process took part in it. A process that was stopped, starved or held up for seconds finds every
 * probe due at once and every deadline gone by, though the answers may lie unread in its sockets. So what it slept
 * longer than it meant to is taken out of the count: then nothing is due that was not, and no deadline passes unseen.
 */

/** Milliseconds that a wake-up may be late and still count. */
export const GRACE = 100;

export class Pace {
  #own = 0;
  #real: number;
  #wake: number;
  #lost = 0;

  /** `real`: milliseconds of a clock that only goes forward. */
  constructor(real: number) {
    this.#real = real;
    this.#wake = real;
  }

  /** Milliseconds taken out so far. */
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

  /** Says that there is nothing to do before `own`: until then it may sleep. Milliseconds of real time from now. */
  sleepUntil(own: number): number {
    const length = Math.max(0, own - this.#own);
    this.#wake = this.#real + length;
    return length;
  }
}
