// SPDX-License-Identifier: MIT
/** Rates of the rows of a table, by the difference of two readings. Pure. */
import type { StatsSummary } from '../../metrics/stats.ts';

/**
 * The instant of the reading of the counters, in milliseconds, by the daemon's clock: the time that an answer takes on its
 * way does not matter. It may be earlier than that of a daemon before it, if the machine's clock was set back.
 */
export const readingAt = ({ processes, table }: Pick<StatsSummary, 'processes' | 'table'>): number =>
  1000 * ((processes[0]?.startedAt ?? 0) + table.at);

export interface Rates {
  /** Per second; NaN: not known yet, for lack of a second reading. */
  connections: number;
  inBytes: number;
  outBytes: number;
}

export interface Counters {
  /** The instant of their reading, which several answers may share. */
  at: number;
  values: ReadonlyMap<string, readonly [connections: number, inBytes: number, outBytes: number]>;
}

const UNKNOWN: Rates = { connections: Number.NaN, inBytes: Number.NaN, outBytes: Number.NaN };

/** Rates of one table. */
export class RateTable {
  #last: Counters | undefined;
  #rates = new Map<string, Rates>();

  /** True: it was a new reading. */
  update({ at, values }: Counters): boolean {
    const last = this.#last;
    if (last?.at === at) return false;
    const seconds = last && at > last.at ? (at - last.at) / 1000 : Number.NaN;
    this.#rates = new Map(
      [...values].map(([key, now]) => {
        const before = last?.values.get(key);
        // A counter that fell began anew.
        const rate = (index: 0 | 1 | 2) => (before ? Math.max(0, now[index] - before[index]) / seconds : Number.NaN);
        return [key, { connections: rate(0), inBytes: rate(1), outBytes: rate(2) }];
      }),
    );
    this.#last = { at, values };
    return true;
  }

  of(key: string): Rates {
    return this.#rates.get(key) ?? UNKNOWN;
  }
}
