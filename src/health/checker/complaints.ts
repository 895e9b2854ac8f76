// SPDX-License-Identifier: MIT
/** What goes wrong a thousand times a second, said once, and then how often it was. */

/** Milliseconds in which a complaint is said once. */
const PERIOD = 10_000;
/** Different complaints that are told apart; whatever has more words than this to say it in is one complaint. */
const MOST = 100;

interface Complaint {
  until: number;
  more: number;
}

export class Complaints {
  readonly #say: (text: string) => void;
  readonly #open = new Map<string, Complaint>();

  constructor(say: (text: string) => void) {
    this.#say = say;
  }

  add(text: string, now: number): void {
    const key = this.#open.has(text) || this.#open.size < MOST ? text : 'further complaints of other kinds';
    const open = this.#open.get(key);
    if (open) {
      open.more++;
      return;
    }
    this.#open.set(key, { until: now + PERIOD, more: 0 });
    this.#say(key);
  }

  /** To be called now and then. */
  flush(now: number): void {
    for (const [text, complaint] of this.#open) {
      if (complaint.until > now) continue;
      if (complaint.more === 0) {
        this.#open.delete(text);
        continue;
      }
      this.#say(`${text} (${complaint.more} more times in ${PERIOD / 1000}s)`);
      this.#open.set(text, { until: now + PERIOD, more: 0 });
    }
  }
}
