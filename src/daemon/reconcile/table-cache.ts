// SPDX-License-Identifier: MIT
/** Cache of the kernel's table: read whole from time to time, and service by service after each change. */
import {
  addedDestination,
  addedService,
  type Destination,
  type Ipvs,
  type LocalAddress,
  type ServiceKey,
  serviceKeyText,
} from '../../ipvs/index.ts';
import type { Addresses } from '../../net/index.ts';
import { sameItems } from '../../plan/drift.ts';
import { DifferenceCache, readActual, readService, sameKey } from '../../plan/index.ts';
import type { Actual, ActualService, DesiredService, Operation, OperationResult } from '../../plan/types.ts';
import type { Kernel } from './kernel.ts';

/** Number of new services from which they are assumed to be as they were added, rather than read back. */
const MANY_SERVICES = 200;

const NONE: readonly LocalAddress[] = [];

export interface Assumption {
  /** Number of services assumed to be as they were added. */
  services: number;
  /** Operations whose effect has to be read back. */
  unverified: readonly Operation[];
}

/** `services`: keys. */
interface Reread {
  services: Set<string>;
  rest: Set<'addresses' | 'timeouts' | 'syncDaemons'>;
}

export class TableCache {
  /** Comparisons of desired services with services of this cache. */
  readonly differences = new DifferenceCache();
  readonly #ipvs: Ipvs;
  readonly #reader: Ipvs;
  readonly #addresses: Addresses;
  #services: Map<string, ActualService> | undefined;
  #rest: Omit<Actual, 'services'> | undefined;
  /** Parts reread since a background read began; undefined: none is running. */
  #reread: Reread | undefined;
  /** The kernel's generation at the last full read, and our own count of changes then. Undefined: not known. */
  #baseline: { generation: number; changes: number } | undefined;

  constructor({ ipvs, reader, addresses }: Omit<Kernel, 'close'>) {
    this.#ipvs = ipvs;
    this.#reader = reader;
    this.#addresses = addresses;
  }

  /** Undefined before the first read, and after an error that only a full read recovers from. */
  get actual(): Actual | undefined {
    if (!this.#services || !this.#rest) return undefined;
    return { ...this.#rest, services: [...this.#services.values()] };
  }

  service(key: string): ActualService | undefined {
    return this.#services?.get(key);
  }

  /** Reads everything. */
  async read(): Promise<Actual> {
    const { changes } = this.#ipvs;
    const actual = await readActual(this.#ipvs, this.#addresses, this.actual);
    this.#replace(actual);
    const { generation } = actual;
    if (generation !== undefined) this.#baseline = { generation, changes };
    return actual;
  }

  /**
   * Reads everything on the reader's own sockets while the cache stays in use. The returned function puts the result
   * into the cache, except for what was reread meanwhile; call it while no change of the kernel is in progress.
   */
  async readInBackground(): Promise<() => void> {
    const reread: Reread = { services: new Set(), rest: new Set() };
    this.#reread = reread;
    try {
      const actual = await readActual(this.#reader, this.#addresses, this.actual);
      return () => {
        const [services, rest] = [this.#services, this.#rest];
        // Everything has been read since, or is about to be.
        if (this.#reread !== reread || !services || !rest) return;
        this.#replace(actual);
        for (const key of reread.services) {
          const newer = services.get(key);
          if (newer) this.#services?.set(key, newer);
          else this.#services?.delete(key);
        }
        const newer = [...reread.rest].map((part) => [part, rest[part]]);
        this.#rest = { ...rest, ...this.#rest, ...Object.fromEntries(newer) };
      };
    } catch (error) {
      if (this.#reread === reread) this.#reread = undefined;
      throw error;
    }
  }

  #replace({ services, addresses, timeouts, syncDaemons, generation }: Actual): void {
    this.#reread = undefined;
    this.#baseline = undefined;
    if (!this.#services || !sameItems([...this.#services.values()], services))
      this.#services = new Map(services.map((one) => [serviceKeyText(one.service), one]));
    this.#rest = { addresses, timeouts, syncDaemons, generation };
  }

  async readAddresses(): Promise<Actual> {
    const addresses = await this.#addresses.list();
    this.#reread?.rest.add('addresses');
    if (!this.#services || !this.#rest) return this.read();
    this.#rest = { ...this.#rest, addresses };
    return { ...this.#rest, services: [...this.#services.values()] };
  }

  clear(): void {
    this.#reread = undefined;
    this.#baseline = undefined;
    this.#services = undefined;
    this.#rest = undefined;
  }

  /**
   * Updates the cache for new services without reading them back, if there are many and all of their operations
   * succeeded: reading takes as long as adding. `verifyGeneration` then checks the assumption.
   */
  assumeApplied(results: readonly OperationResult[]): Assumption {
    const added = new Map<string, { service: DesiredService; destinations: Destination[] }>();
    const others = new Set<string>();
    const keyOf = keyTexts();
    for (const { operation, error } of results) {
      if (!('service' in operation)) continue;
      const key = keyOf(operation.service);
      if (error === undefined && operation.op === 'add-service')
        added.set(key, { service: operation.service, destinations: [] });
      else if (error === undefined && operation.op === 'add-destination')
        added.get(key)?.destinations.push(addedDestination(operation.destination));
      else others.add(key);
    }
    for (const key of others) added.delete(key);
    if (added.size < MANY_SERVICES || !this.#services)
      return { services: 0, unverified: results.map(({ operation }) => operation) };
    let operations = 0;
    for (const [key, { service, destinations }] of added) {
      this.#reread?.services.add(key);
      operations += 1 + destinations.length;
      // A copy, because an array that has grown keeps room for more.
      const actual = { service: addedService(service), destinations: destinations.slice(), localAddresses: NONE };
      this.#services.set(key, actual);
      this.differences.markEqual(service, actual);
    }
    if (operations === results.length) return { services: added.size, unverified: [] };
    const unverified = results.flatMap(({ operation }) =>
      'service' in operation && added.has(keyOf(operation.service)) ? [] : [operation],
    );
    return { services: added.size, unverified };
  }

  /**
   * Whether only this client has changed the table since it was last read. False on a stock kernel: it has no count.
   */
  async verifyGeneration(): Promise<boolean> {
    const { changes } = this.#ipvs;
    const { generation } = await this.#ipvs.info();
    if (!this.#baseline || !this.#rest || generation === undefined) return false;
    if (generation !== (this.#baseline.generation + changes - this.#baseline.changes) >>> 0) return false;
    this.#baseline = { generation, changes };
    this.#rest = { ...this.#rest, generation };
    return true;
  }

  /** Reads back the objects that these operations changed. */
  async readBack(operations: readonly Operation[]): Promise<void> {
    if (!this.#services || !this.#rest) return;
    const keys = new Map<string, ServiceKey>();
    let addresses = false;
    let timeouts = false;
    /** Roles of connection sync. */
    const sync = new Set<number>();
    for (const operation of operations) {
      if ('service' in operation) keys.set(serviceKeyText(operation.service), operation.service);
      else if (operation.op === 'set-timeouts') timeouts = true;
      else if ('daemon' in operation) sync.add(operation.daemon.state);
      else addresses = true;
    }
    await this.readServices([...keys.values()]);
    const rest = this.#reread?.rest;
    if (addresses) {
      rest?.add('addresses');
      this.#rest = { ...this.#rest, addresses: await this.#addresses.list() };
    }
    if (timeouts) {
      rest?.add('timeouts');
      this.#rest = { ...this.#rest, timeouts: await this.#ipvs.timeouts() };
    }
    if (sync.size === 0) return;
    rest?.add('syncDaemons');
    // One that another program started meanwhile in another role is left to the next read, which reports it.
    const [found, others] = [await this.#ipvs.daemons(), this.#rest.syncDaemons ?? []];
    const syncDaemons = [
      ...others.filter(({ state }) => !sync.has(state)),
      ...found.filter(({ state }) => sync.has(state)),
    ];
    this.#rest = { ...this.#rest, syncDaemons };
  }

  async readServices(keys: readonly ServiceKey[]): Promise<void> {
    const services = this.#services;
    if (!services) return;
    const found = await Promise.all(keys.map((key) => readService(this.#ipvs, key)));
    for (const [index, one] of found.entries()) {
      const key = serviceKeyText(keys[index] as ServiceKey);
      this.#reread?.services.add(key);
      if (one) services.set(key, one);
      else services.delete(key);
    }
  }
}

/** `serviceKeyText` that caches the last service: operations of one service follow each other. */
function keyTexts(): (service: ServiceKey) => string {
  let last: ServiceKey | undefined;
  let text = '';
  return (service) => {
    if (service !== last && !(last && sameKey(service, last))) text = serviceKeyText(service);
    last = service;
    return text;
  };
}
