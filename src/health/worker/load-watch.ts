// SPDX-License-Identifier: MIT
/** Detects that checks fall behind, and says what to do. */
import type { Load } from './messages.ts';

/** Delay in milliseconds within one second that is logged. */
const NOTABLE = 1000;
/** Minimum of milliseconds between equal lines. */
const PERIOD = 60_000;

export class LoadWatch {
  #lostSaid = Number.NEGATIVE_INFINITY;
  #queueSaid = Number.NEGATIVE_INFINITY;

  /** A line for the log, or undefined. `now`: milliseconds of a monotonic clock. */
  see({ lost, longestWait, queued, limit }: Load, now: number): string | undefined {
    if (lost >= NOTABLE && now - this.#lostSaid >= PERIOD) {
      this.#lostSaid = now;
      return `the health worker could not run for ${lost} ms: checks were delayed by that time, states are not affected; see whether the machine is overloaded`;
    }
    if (queued > 0 && longestWait >= NOTABLE && now - this.#queueSaid >= PERIOD) {
      this.#queueSaid = now;
      return `checks of unresponsive servers are delayed by up to ${longestWait} ms, ${queued} are waiting: the limit of ${limit} simultaneous checks is reached; raise checks.concurrency or LimitNOFILE= in lvsd.service`;
    }
    return undefined;
  }
}
