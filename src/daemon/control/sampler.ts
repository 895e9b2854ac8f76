// SPDX-License-Identifier: MIT
/**
 * Reads the kernel's counters, only while a client asks. Requests share a reading, and its age grows with the time that
 * it takes, so that readings use at most a twentieth of a core.
 */
import { setImmediate as turn } from 'node:timers/promises';
import { monotonic } from '../../base/clock.ts';
import { DURATION_BOUNDS, type Histogram, HistogramCounts } from '../../base/histogram.ts';
import { type Ipvs, type LocalAddress, type ServiceConfig, StatisticsTable } from '../../ipvs/index.ts';

/** A reading is shared for this many times the time that it took. */
const SHARE = 20;
/** Services of which the real servers are read in one turn of the event loop. */
const SERVICES_A_TURN = 50;

export interface Reading {
  /** Instant of its end, by `monotonic()`. */
  at: number;
  services: StatisticsTable;
  destinations: StatisticsTable;
  /** By `serviceKeyText`. */
  localAddresses: ReadonlyMap<string, readonly LocalAddress[]>;
}

/** A service to read; `localAddresses`: it has some. */
export interface Sampled {
  key: string;
  config: ServiceConfig;
  localAddresses: boolean;
}

export class Sampler {
  readonly #reader: Pick<Ipvs, 'serviceStatistics' | 'destinationStatistics' | 'localAddresses' | 'features'>;
  readonly #now: () => number;
  #last: { reading: Reading; at: number; cost: number } | undefined;
  #running: Promise<Reading> | undefined;
  readonly #durations = new HistogramCounts(DURATION_BOUNDS);

  constructor(
    reader: Pick<Ipvs, 'serviceStatistics' | 'destinationStatistics' | 'localAddresses' | 'features'>,
    now = monotonic,
  ) {
    this.#reader = reader;
    this.#now = now;
  }

  /** Durations of the readings so far. */
  get durations(): Histogram {
    return this.#durations.histogram;
  }

  /** The last reading if it is at most `age` milliseconds old, or a new one. Throws NetlinkError. */
  async read(services: () => readonly Sampled[], age: number): Promise<Reading> {
    const last = this.#last;
    if (last && this.#now() < last.at + Math.max(age, SHARE * last.cost)) return last.reading;
    this.#running ??= this.#read(services()).finally(() => {
      this.#running = undefined;
    });
    return await this.#running;
  }

  async #read(services: readonly Sampled[]): Promise<Reading> {
    const start = this.#now();
    const reader = this.#reader;
    const fullnat = (await reader.features()).has('FULLNAT');
    const reading = { services: new StatisticsTable(), destinations: new StatisticsTable() };
    const localAddresses = new Map<string, readonly LocalAddress[]>();
    await reader.serviceStatistics(reading.services);
    for (const [index, { key, config, localAddresses: has }] of services.entries()) {
      if (index % SERVICES_A_TURN === SERVICES_A_TURN - 1) await turn();
      // The kernel answers for a service that it does not have with the destinations of none.
      if (reading.services.get(key, 'connections') === undefined) continue;
      await reader.destinationStatistics(config, reading.destinations);
      if (fullnat && has) localAddresses.set(key, await reader.localAddresses(config));
    }
    const at = this.#now();
    const result = { at, ...reading, localAddresses };
    this.#last = { reading: result, at, cost: at - start };
    this.#durations.observe((at - start) / 1000);
    return result;
  }
}
