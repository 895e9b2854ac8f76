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
  see({ lost, longestWait, queued, limit }: Load, now: number): string | undefined {
    if (lost >= NOTABLE && now - this.#lostSaid >= PERIOD) {
      this.#lostSaid = now;
      return `the checker process did not get to run for ${lost} ms: checks came that much later, and counted against nobody`;
    }
    if (queued > 0 && longestWait >= NOTABLE && now - this.#queueSaid >= PERIOD) {
      this.#queueSaid = now;
      return `checks of silent servers wait up to ${longestWait} ms for their turn, ${queued} at the moment: no more than ${limit} run at once (checks.concurrency, and the limit of open files: LimitNOFILE= in lvsd.service)`;
    }
    return undefined;
  }
}
