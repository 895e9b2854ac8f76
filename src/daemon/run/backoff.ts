// SPDX-License-Identifier: MIT
/** When to try again what the kernel refused: 1 s, then twice as long each time, up to a minute. Pure. */

const FIRST = 1000;
const LONGEST = 60_000;

export interface Failure {
  /** What the kernel said, for people. */
  error: string;
  attempts: number;
  /** Not before this instant, in milliseconds. */
  next: number;
}

/** Failures by the name of the service; '' for what belongs to none. */
export class Backoff {
  readonly #failures = new Map<string, Failure>();

  get failures(): ReadonlyMap<string, Failure> {
    return this.#failures;
  }

  failed(service: string, error: string, now: number): Failure {
    const attempts = (this.#failures.get(service)?.attempts ?? 0) + 1;
    const failure = { error, attempts, next: now + Math.min(LONGEST, FIRST * 2 ** Math.min(attempts - 1, 16)) };
    this.#failures.set(service, failure);
    return failure;
  }

  /** Whether that ends a failure. */
  succeeded(service: string): boolean {
    return this.#failures.delete(service);
  }

  waits(service: string, now: number): boolean {
    const failure = this.#failures.get(service);
    return failure !== undefined && failure.next > now;
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
