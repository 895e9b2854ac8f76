// SPDX-License-Identifier: MIT
/** One timer for many deadlines: armed for the earliest, and rearmed only for an earlier one. */
import { now } from './clock.ts';

export class Deadline {
  #timer: NodeJS.Timeout | undefined;
  #at = Number.POSITIVE_INFINITY;
  readonly #expired: () => void;

  constructor(expired: () => void) {
    this.#expired = expired;
  }

  /** `at` is a value of now(); undefined disarms. */
  arm(at: number | undefined): void {
    if (at === undefined) {
      if (this.#timer) clearTimeout(this.#timer);
      this.#timer = undefined;
      this.#at = Number.POSITIVE_INFINITY;
      return;
    }
    if (this.#timer) {
      if (this.#at <= at) return;
      clearTimeout(this.#timer);
    }
    this.#at = at;
    this.#timer = setTimeout(
      () => {
        this.#timer = undefined;
        this.#at = Number.POSITIVE_INFINITY;
        this.#expired();
      },
      Math.max(1, Math.ceil(at - now())),
    );
  }
}
