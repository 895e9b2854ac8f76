// SPDX-License-Identifier: MIT
/** Counts values by ranges, for histograms of metrics. */

/** With cumulative counts: of values up to each bound, and of all. */
export interface Histogram {
  bounds: readonly number[];
  counts: readonly number[];
  count: number;
  sum: number;
}

/** Values of some time: one count for each bound and one for larger values. */
export type HistogramPart = readonly [counts: readonly number[], sum: number];

/** Seconds: what an operator waits for. */
export const DURATION_BOUNDS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10] as const;
/** Seconds by which something was late. */
export const LATENESS_BOUNDS = [0.001, 0.01, 0.05, 0.1, 0.25, 0.5, 1, 5] as const;

export class HistogramCounts {
  readonly #bounds: readonly number[];
  /** Of values above the bound before. */
  #counts: number[];
  #sum = 0;

  constructor(bounds: readonly number[]) {
    this.#bounds = bounds;
    this.#counts = emptyCounts(bounds);
  }

  observe(value: number): void {
    const index = this.#bounds.findIndex((bound) => value <= bound);
    const at = index < 0 ? this.#bounds.length : index;
    this.#counts[at] = (this.#counts[at] ?? 0) + 1;
    this.#sum += value;
  }

  /** Adds what another process counted with the same bounds. */
  add([counts, sum]: HistogramPart): void {
    this.#counts = this.#counts.map((count, index) => count + (counts[index] ?? 0));
    this.#sum += sum;
  }

  /** The counts since the last call; undefined: none. */
  take(): HistogramPart | undefined {
    const part: HistogramPart = [this.#counts, this.#sum];
    if (this.#counts.every((count) => count === 0)) return undefined;
    this.#counts = emptyCounts(this.#bounds);
    this.#sum = 0;
    return part;
  }

  get histogram(): Histogram {
    let count = 0;
    const cumulative = this.#counts.map((one) => {
      count += one;
      return count;
    });
    return { bounds: this.#bounds, counts: cumulative.slice(0, -1), count, sum: this.#sum };
  }
}

const emptyCounts = (bounds: readonly number[]): number[] => [...bounds.map(() => 0), 0];
