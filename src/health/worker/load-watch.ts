// SPDX-License-Identifier: MIT
/** When the checks fall behind, and what an operator can do about it. */
import type { Load } from './messages.ts';

/** Milliseconds of delay, in one second's account, that are worth a line. */
const NOTABLE = 1000;
/** Milliseconds in which the same is said once. */
const PERIOD = 60_000;

export class LoadWatch {
  #lostSaid = Number.NEGATIVE_INFINITY;
  #queueSaid = Number.NEGATIVE_INFINITY;

  /** A line for the log, if there is something to say. `now`: milliseconds of a clock that only goes forward. */
  see({ lost, longestWait, queued }: Load, concurrency: number, now: number): string | undefined {
    if (lost >= NOTABLE && now - this.#lostSaid >= PERIOD) {
      this.#lostSaid = now;
      return `the checker process did not get to run for ${lost} ms: checks came that much later, and counted against nobody`;
    }
    if (queued > 0 && longestWait >= NOTABLE && now - this.#queueSaid >= PERIOD) {
      this.#queueSaid = now;
      return `checks wait up to ${longestWait} ms for their turn, ${queued} at the moment: more than ${concurrency} would have to be under way at once (checks.concurrency)`;
    }
    return undefined;
  }
}
