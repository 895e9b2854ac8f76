// SPDX-License-Identifier: MIT
/**
 * When to retry what failed: after 1 s, then twice as long each time, up to a minute. Pure: instants, in milliseconds of a
 * monotonic clock, are arguments.
 */

const FIRST_DELAY = 1000;
const LONGEST_DELAY = 60_000;

/** Milliseconds until the next attempt, after so many. */
export const retryDelay = (attempts: number): number =>
  Math.min(LONGEST_DELAY, FIRST_DELAY * 2 ** Math.min(attempts - 1, 16));

/** An operation that failed. */
export interface FailedChange {
  /** '+' added, '~' changed, '-' removed. */
  sign: '+' | '~' | '-';
  text: string;
  reason: string;
}

export interface Failure {
  /** At least one. */
  changes: readonly FailedChange[];
  /** Instant of the first attempt. */
  since: number;
  attempts: number;
  /** Instant of the next attempt. */
  retryAt: number;
  /**
   * The operations that wait, by their text. All others of the service continue: a server that is down must be removed.
   */
  waiting: ReadonlySet<string> | 'all';
}

/** The key of the failures of a pool of local addresses. */
export const poolOwner = (name: string): string => `local_addresses.${name}`;

/** One line: the first change with its reason, and how many more there are. */
export function failureText({ changes }: Pick<Failure, 'changes'>): string {
  const [first] = changes;
  return `${first?.text}: ${first?.reason}${changes.length > 1 ? `; and ${changes.length - 1} more` : ''}`;
}

/** Failures by `ownerOf`: the service, the pool of local addresses, or '' for operations that belong to none. */
export class Backoff {
  readonly #failures = new Map<string, Failure>();

  get failures(): ReadonlyMap<string, Failure> {
    return this.#failures;
  }

  failed(service: string, changes: Failure['changes'], waiting: Failure['waiting'], now: number): Failure {
    const before = this.#failures.get(service);
    const attempts = (before?.attempts ?? 0) + 1;
    const retryAt = now + retryDelay(attempts);
    const failure = { changes, since: before?.since ?? now, attempts, retryAt, waiting };
    this.#failures.set(service, failure);
    return failure;
  }

  /** Returns whether there was a failure. */
  succeeded(service: string): boolean {
    return this.#failures.delete(service);
  }

  waits(service: string, operation: () => string, now: number): boolean {
    const failure = this.#failures.get(service);
    if (failure === undefined || failure.retryAt <= now) return false;
    return failure.waiting === 'all' || failure.waiting.has(operation());
  }

  /** Allows all attempts at once: the configuration has changed. */
  reset(): void {
    this.#failures.clear();
  }

  /** Instant of the earliest retry. */
  nextRetry(): number | undefined {
    let next: number | undefined;
    for (const { retryAt } of this.#failures.values()) if (next === undefined || retryAt < next) next = retryAt;
    return next;
  }
}
