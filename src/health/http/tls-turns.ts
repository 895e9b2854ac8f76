// SPDX-License-Identifier: MIT
/**
 * Limits the CPU time of costly TLS connections. A real server decides what its handshake costs: a client verifies each
 * signature of a chain of certificates before it can say that the chain is bad. Targets whose connections have cost much
 * share a part of this thread's time, and wait for it; checks of others are delayed by no more than that part.
 */

/** Milliseconds of CPU time from which a connection is costly. Others cost one to two. */
const COSTLY = 20;
/** Costly connections get one part in so many of the time. */
const PARTS = 4;
/** Part of the cost of earlier connections that counts for the next. */
const MEMORY = 0.98;

interface Costs {
  cost: number;
  /** When it last got a turn. */
  served: number;
}

export interface Waiting {
  readonly costs: Costs;
  readonly start: () => void;
}

export class TlsTurns {
  readonly #known = new WeakMap<object, Costs>();
  readonly #waiting = new Set<Waiting>();
  readonly #now: () => number;
  #nextAt = Number.NEGATIVE_INFINITY;
  #timer: NodeJS.Timeout | undefined;

  /** `now`: milliseconds of a monotonic clock. */
  constructor(now = () => performance.now()) {
    this.#now = now;
  }

  /** Calls `start` when the target may connect; undefined: it was called at once. */
  take(target: object, start: () => void): Waiting | undefined {
    const costs = this.#known.get(target);
    if (costs === undefined || costs.cost < COSTLY) {
      start();
      return undefined;
    }
    const waiting = { costs, start };
    this.#waiting.add(waiting);
    this.#next();
    return this.#waiting.has(waiting) ? waiting : undefined;
  }

  cancel(waiting: Waiting): void {
    this.#waiting.delete(waiting);
  }

  /** Reports the milliseconds of CPU time of a connection. */
  spent(target: object, milliseconds: number): void {
    const costs = this.#known.get(target);
    if (costs !== undefined) costs.cost = Math.max(milliseconds, MEMORY * costs.cost);
    else if (milliseconds >= COSTLY) this.#known.set(target, { cost: milliseconds, served: this.#now() });
  }

  /** The target that has waited longest since its last turn comes first, whatever its timeout. */
  #next(): void {
    const now = this.#now();
    while (now >= this.#nextAt) {
      let first: Waiting | undefined;
      for (const one of this.#waiting) if (first === undefined || one.costs.served < first.costs.served) first = one;
      if (first === undefined) return;
      this.#waiting.delete(first);
      first.costs.served = now;
      this.#nextAt = Math.max(now, this.#nextAt) + PARTS * first.costs.cost;
      first.start();
    }
    if (this.#waiting.size === 0) return;
    this.#timer ??= setTimeout(
      () => {
        this.#timer = undefined;
        this.#next();
      },
      Math.ceil(this.#nextAt - now),
    ).unref();
  }
}

/** Shared by all checks of the process. */
export const tlsTurns = new TlsTurns();
