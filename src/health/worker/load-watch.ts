// SPDX-License-Identifier: MIT
/** Detects that checks fall behind. Its lines name the remedy. */
import type { Load } from './messages.ts';

/** Delay in milliseconds within one second that is logged. */
const NOTABLE = 1000;
/** Minimum of milliseconds between equal lines. */
const PERIOD = 60_000;

export class LoadWatch {
  #lostLoggedAt = Number.NEGATIVE_INFINITY;
  #queueLoggedAt = Number.NEGATIVE_INFINITY;

  /** A line for the log, or undefined. `now`: milliseconds of a monotonic clock. */
  check({ lost, longestWait, queued, limit }: Load, now: number): string | undefined {
    if (lost >= NOTABLE && now - this.#lostLoggedAt >= PERIOD) {
      this.#lostLoggedAt = now;
      return `the health worker could not run for ${lost} ms: checks were delayed by that time, states are not affected; check whether the machine is overloaded`;
    }
    if (queued > 0 && longestWait >= NOTABLE && now - this.#queueLoggedAt >= PERIOD) {
      this.#queueLoggedAt = now;
      return `checks of unresponsive servers are delayed by up to ${longestWait} ms, ${queued} are waiting: the limit of ${limit} simultaneous checks is reached; raise checks.concurrency or LimitNOFILE= in lvsd.service`;
    }
    return undefined;
  }
}
