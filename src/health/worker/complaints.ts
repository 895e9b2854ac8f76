// SPDX-License-Identifier: MIT
/** What goes wrong a thousand times a second, said once, and then ever more rarely how often it was. */

/** Milliseconds until the same is said again, the first time and at most. */
const FIRST_PERIOD = 10_000;
const LONGEST_PERIOD = 640_000;
/** Different complaints that are told apart. */
const MOST = 100;

interface Complaint {
  period: number;
  until: number;
  more: number;
}

export class Complaints {
  readonly #say: (text: string) => void;
  readonly #open = new Map<string, Complaint>();

  constructor(say: (text: string) => void) {
    this.#say = say;
  }

  /** `whose`: named where it is said. `now`: milliseconds of a clock that only goes forward. */
  add(reason: string, whose: string, now: number): void {
    const key = this.#open.has(reason) || this.#open.size < MOST ? reason : 'for many different reasons';
    const open = this.#open.get(key);
    if (open) {
      open.more++;
      return;
    }
    this.#open.set(key, { period: FIRST_PERIOD, until: now + FIRST_PERIOD, more: 0 });
    this.#say(`cannot check ${whose}, its state stays as it is: ${key}`);
  }

  /** To be called now and then. */
  flush(now: number): void {
    for (const [reason, complaint] of this.#open) {
      const { period, until, more } = complaint;
      if (until > now) continue;
      if (more === 0) {
        this.#open.delete(reason);
        continue;
      }
      this.#say(`${more} more checks could not be made in ${period / 1000}s, states stay as they are: ${reason}`);
      const next = Math.min(2 * period, LONGEST_PERIOD);
      this.#open.set(reason, { period: next, until: now + next, more: 0 });
    }
  }
}
