// SPDX-License-Identifier: MIT
/** When to try again what the kernel refused: after 1 s, then twice as long each time, up to a minute. Pure. */

const FIRST = 1000;
const LONGEST = 60_000;

export interface Failure {
  /** What the kernel said, for people. */
  error: string;
  attempts: number;
  /** Not before this instant, in milliseconds. */
  next: number;
  /** The operations that wait, by their text; everything else of the service goes on: a server that dies must leave. */
  waiting: ReadonlySet<string> | 'all';
}

/** Failures by the name of the service; '' for what belongs to none. */
export class Backoff {
  readonly #failures = new Map<string, Failure>();

  get failures(): ReadonlyMap<string, Failure> {
    return this.#failures;
  }

  failed(service: string, error: string, waiting: Failure['waiting'], now: number): Failure {
    const attempts = (this.#failures.get(service)?.attempts ?? 0) + 1;
    const next = now + Math.min(LONGEST, FIRST * 2 ** Math.min(attempts - 1, 16));
    const failure = { error, attempts, next, waiting };
    this.#failures.set(service, failure);
    return failure;
  }

  /** Ends a failure; whether there was one. */
  succeeded(service: string): boolean {
    return this.#failures.delete(service);
  }

  waits(service: string, operation: () => string, now: number): boolean {
    const failure = this.#failures.get(service);
    if (failure === undefined || failure.next <= now) return false;
    return failure.waiting === 'all' || failure.waiting.has(operation());
  }

  /** Everything may be tried at once: the configuration has changed, or an operator asks. */
  reset(): void {
    this.#failures.clear();
  }

  /** The earliest instant at which something waits to be tried again. */
  next(): number | undefined {
    let next: number | undefined;
    for (const failure of this.#failures.values()) if (next === undefined || failure.next < next) next = failure.next;
    return next;
  }
}
