// SPDX-License-Identifier: MIT
/** Limits log lines about inconclusive probes: one per reason, then summaries at increasing intervals. */

import { count } from '../../base/words.ts';

/** Milliseconds until the first summary, and the maximum between summaries. */
const FIRST_PERIOD = 10_000;
const LONGEST_PERIOD = 640_000;
/** Maximum of distinct reasons. */
const MOST = 100;

interface ErrorReport {
  period: number;
  until: number;
  more: number;
}

export class ErrorReports {
  readonly #log: (text: string) => void;
  readonly #open = new Map<string, ErrorReport>();

  constructor(log: (text: string) => void) {
    this.#log = log;
  }

  /** `label`: the target that the line names. `now`: milliseconds of a monotonic clock. */
  add(reason: string, label: string, now: number): void {
    const key = this.#open.has(reason) || this.#open.size < MOST ? reason : 'for many different reasons';
    const open = this.#open.get(key);
    if (open) {
      open.more++;
      return;
    }
    this.#open.set(key, { period: FIRST_PERIOD, until: now + FIRST_PERIOD, more: 0 });
    this.#log(`cannot check ${label}, its state is kept: ${key}`);
  }

  /** Must be called regularly. */
  flush(now: number): void {
    for (const [reason, report] of this.#open) {
      const { period, until, more } = report;
      if (until > now) continue;
      if (more === 0) {
        this.#open.delete(reason);
        continue;
      }
      this.#log(`${count(more, 'more check')} could not be made in ${period / 1000}s, states are kept: ${reason}`);
      const next = Math.min(2 * period, LONGEST_PERIOD);
      this.#open.set(reason, { period: next, until: now + next, more: 0 });
    }
  }
}
