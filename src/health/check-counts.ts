// SPDX-License-Identifier: MIT
/**
 * Results and durations of checks. The health worker counts them and sends what is new with each heartbeat; the daemon has
 * the sums, which go on when the health worker is restarted.
 */
import type { FailureCode } from '../base/failure-codes.ts';
import {
  DURATION_BOUNDS,
  type Histogram,
  HistogramCounts,
  type HistogramPart,
  LATENESS_BOUNDS,
} from '../base/histogram.ts';
import { Tally, type TallyRow } from '../base/tally.ts';
import type { Lane } from './schedule/schedule.ts';

export const LANES = ['sockets', 'programs'] as const satisfies Lane[];

/**
 * `impossible`: this machine could not make the probe. `discarded`: no answer in time, but the delay may be that of this
 * machine.
 */
export const CHECK_RESULTS = ['ok', 'failed', 'impossible', 'discarded'] as const;
export type CheckResult = (typeof CHECK_RESULTS)[number];

/** What was counted since the last heartbeat. */
export interface CheckCountsPart {
  results: TallyRow[];
  failures: TallyRow[];
  durations: [type: string, part: HistogramPart][];
  lateness: [lane: Lane, part: HistogramPart][];
}

export interface CheckTotals {
  /** By type of check and result. */
  results: readonly TallyRow[];
  /** By type of check and code. */
  failures: readonly TallyRow[];
  durations: readonly (readonly [type: string, histogram: Histogram])[];
  lateness: readonly (readonly [lane: string, histogram: Histogram])[];
}

export class CheckCounts {
  readonly #results = new Tally();
  readonly #failures = new Tally();
  readonly #durations = new Map<string, HistogramCounts>();
  readonly #lateness: Readonly<Record<Lane, HistogramCounts>> = {
    sockets: new HistogramCounts(LATENESS_BOUNDS),
    programs: new HistogramCounts(LATENESS_BOUNDS),
  };

  /** `latency` in milliseconds: of a result that says something of the target. */
  result(type: string, result: CheckResult, { code, latency }: { code?: FailureCode; latency?: number } = {}): void {
    this.#results.add(type, result);
    if (result === 'failed') this.#failures.add(type, code ?? 'other');
    if (latency !== undefined) this.#duration(type).observe(latency / 1000);
  }

  /** A probe was started so many milliseconds after it was due. */
  started(lane: Lane, late: number): void {
    this.#lateness[lane].observe(Math.max(0, late) / 1000);
  }

  take(): CheckCountsPart {
    return {
      results: this.#results.take(),
      failures: this.#failures.take(),
      durations: [...this.#durations].flatMap(([type, counts]) => {
        const part = counts.take();
        return part ? [[type, part] as [string, HistogramPart]] : [];
      }),
      lateness: LANES.flatMap((lane) => {
        const part = this.#lateness[lane].take();
        return part ? [[lane, part] as [Lane, HistogramPart]] : [];
      }),
    };
  }

  add({ results, failures, durations, lateness }: CheckCountsPart): void {
    for (const row of results) this.#results.add(...row);
    for (const row of failures) this.#failures.add(...row);
    for (const [type, part] of durations) this.#duration(type).add(part);
    for (const [lane, part] of lateness) this.#lateness[lane].add(part);
  }

  get totals(): CheckTotals {
    return {
      results: this.#results.rows,
      failures: this.#failures.rows,
      durations: [...this.#durations].map(([type, counts]) => [type, counts.histogram] as const),
      lateness: LANES.map((lane) => [lane, this.#lateness[lane].histogram] as const),
    };
  }

  #duration(type: string): HistogramCounts {
    let counts = this.#durations.get(type);
    if (!counts) {
      counts = new HistogramCounts(DURATION_BOUNDS);
      this.#durations.set(type, counts);
    }
    return counts;
  }
}
