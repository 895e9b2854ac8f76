// SPDX-License-Identifier: MIT
/** Counts by two words, such as a kind of operation and its result. */

export type TallyRow = readonly [first: string, second: string, count: number];

export class Tally {
  readonly #counts = new Map<string, Map<string, number>>();

  add(first: string, second: string, count = 1): void {
    let of = this.#counts.get(first);
    if (!of) {
      of = new Map();
      this.#counts.set(first, of);
    }
    of.set(second, (of.get(second) ?? 0) + count);
  }

  get rows(): TallyRow[] {
    return [...this.#counts].flatMap(([first, of]) =>
      [...of].map(([second, count]) => [first, second, count] as const),
    );
  }

  /** The counts since the last call. */
  take(): TallyRow[] {
    const { rows } = this;
    this.#counts.clear();
    return rows;
  }
}
