// SPDX-License-Identifier: MIT
/** The kernel's table as last seen: read whole now and then, and service by service after each change. */
import {
  addedDestination,
  addedService,
  type Destination,
  type Ipvs,
  type ServiceKey,
  serviceKeyText,
} from '../../ipvs/index.ts';
import type { Addresses } from '../../net/index.ts';
import { readActual, readService, sameKey, settle } from '../../plan/index.ts';
import type { Actual, ActualService, DesiredService, Operation, OperationResult } from '../../plan/types.ts';
import type { Kernel } from './kernel.ts';

/** Services in one go. */
const MANY = 200;

/** What was taken to be as it was made, and the operations of which nothing is known but that they were carried out. */
export interface Belief {
  services: number;
  others: readonly Operation[];
}

export class KnownTable {
  readonly #ipvs: Ipvs;
  readonly #lookout: Ipvs;
  readonly #addresses: Addresses;
  #services: Map<string, ActualService> | undefined;
  #rest: Omit<Actual, 'services'> | undefined;
  /** What was looked at anew since a survey began; undefined: none is under way. */
  #since: { services: Set<string>; rest: boolean } | undefined;
  /** The kernel's count of changes when all was read, and ours then; undefined: others may have written meanwhile. */
  #basis: { generation: number; changes: number } | undefined;

  constructor({ ipvs, lookout, addresses }: Omit<Kernel, 'close'>) {
    this.#ipvs = ipvs;
    this.#lookout = lookout;
    this.#addresses = addresses;
  }

  /** As last seen; undefined before the first look, and after something went so wrong that only a new look helps. */
  get actual(): Actual | undefined {
    if (!this.#services || !this.#rest) return undefined;
    return { ...this.#rest, services: [...this.#services.values()] };
  }

  service(key: string): ActualService | undefined {
    return this.#services?.get(key);
  }

  /** Looks at everything. */
  async read(): Promise<Actual> {
    const { changes } = this.#ipvs;
    const actual = await readActual(this.#ipvs, this.#addresses, this.actual);
    this.#take(actual);
    const { generation } = actual;
    if (generation !== undefined) this.#basis = { generation, changes };
    return actual;
  }

  /**
   * Looks at everything while others go on with what is known. What it returns takes the findings over, except where
   * they have been overtaken; to be called when nobody is about to change the kernel.
   */
  async survey(): Promise<() => void> {
    const since = { services: new Set<string>(), rest: false };
    this.#since = since;
    try {
      const actual = await readActual(this.#lookout, this.#addresses, this.actual);
      return () => {
        const [services, rest] = [this.#services, this.#rest];
        // Somebody has looked at everything since, or is about to.
        if (this.#since !== since || !services || !rest) return;
        this.#take(actual);
        for (const key of since.services) {
          const newer = services.get(key);
          if (newer) this.#services?.set(key, newer);
          else this.#services?.delete(key);
        }
        if (since.rest) this.#rest = { ...rest, generation: actual.generation };
      };
    } catch (error) {
      if (this.#since === since) this.#since = undefined;
      throw error;
    }
  }

  #take({ services, addresses, timeouts, generation }: Actual): void {
    this.#since = undefined;
    this.#basis = undefined;
    this.#services = new Map(services.map((one) => [serviceKeyText(one.service), one]));
    this.#rest = { addresses, timeouts, generation };
  }

  /** Looks at the addresses alone. */
  async readAddresses(): Promise<Actual> {
    const addresses = await this.#addresses.list();
    if (this.#since) this.#since.rest = true;
    if (!this.#services || !this.#rest) return this.read();
    this.#rest = { ...this.#rest, addresses };
    return { ...this.#rest, services: [...this.#services.values()] };
  }

  forget(): void {
    this.#since = undefined;
    this.#basis = undefined;
    this.#services = undefined;
    this.#rest = undefined;
  }

  /**
   * Services that came whole and by the hundred are taken to be what they were made to be, for a look at each would take
   * as long as their making did; `confirm` tells whether nobody else was at it.
   */
  believe(results: readonly OperationResult[]): Belief {
    const made = new Map<string, { service: DesiredService; destinations: Destination[] }>();
    const others = new Set<string>();
    const keyOf = keys();
    for (const { operation, error } of results) {
      if (!('service' in operation)) continue;
      const key = keyOf(operation.service);
      if (error === undefined && operation.op === 'add-service')
        made.set(key, { service: operation.service, destinations: [] });
      else if (error === undefined && operation.op === 'add-destination')
        made.get(key)?.destinations.push(addedDestination(operation.destination));
      else others.add(key);
    }
    for (const key of others) made.delete(key);
    if (made.size < MANY || !this.#services) return { services: 0, others: results.map(({ operation }) => operation) };
    let operations = 0;
    for (const [key, { service, destinations }] of made) {
      this.#since?.services.add(key);
      operations += 1 + destinations.length;
      const there = { service: addedService(service), destinations, localAddresses: [] };
      this.#services.set(key, there);
      settle(service, there);
    }
    if (operations === results.length) return { services: made.size, others: [] };
    const rest = results.flatMap(({ operation }) =>
      'service' in operation && made.has(keyOf(operation.service)) ? [] : [operation],
    );
    return { services: made.size, others: rest };
  }

  /** Whether nobody but us has changed the table since it was last read; a stock kernel cannot tell. */
  async confirm(): Promise<boolean> {
    const { changes } = this.#ipvs;
    const { generation } = await this.#ipvs.info();
    if (!this.#basis || !this.#rest || generation === undefined) return false;
    if (generation !== (this.#basis.generation + changes - this.#basis.changes) >>> 0) return false;
    this.#basis = { generation, changes };
    this.#rest = { ...this.#rest, generation };
    return true;
  }

  /** Looks again at what these operations were about. */
  async refresh(operations: readonly Operation[]): Promise<void> {
    if (!this.#services || !this.#rest) return;
    const keys = new Map<string, ServiceKey>();
    let addresses = false;
    let timeouts = false;
    for (const operation of operations) {
      if ('service' in operation) keys.set(serviceKeyText(operation.service), operation.service);
      else if (operation.op === 'set-timeouts') timeouts = true;
      else addresses = true;
    }
    await this.refreshServices([...keys.values()]);
    if (this.#since && (addresses || timeouts)) this.#since.rest = true;
    if (addresses) this.#rest = { ...this.#rest, addresses: await this.#addresses.list() };
    if (timeouts) this.#rest = { ...this.#rest, timeouts: await this.#ipvs.timeouts() };
  }

  async refreshServices(keys: readonly ServiceKey[]): Promise<void> {
    const services = this.#services;
    if (!services) return;
    const found = await Promise.all(keys.map((key) => readService(this.#ipvs, key)));
    for (const [index, one] of found.entries()) {
      const key = serviceKeyText(keys[index] as ServiceKey);
      this.#since?.services.add(key);
      if (one) services.set(key, one);
      else services.delete(key);
    }
  }
}

/** Texts of services, of which the same comes several times in a row. */
function keys(): (service: ServiceKey) => string {
  let last: ServiceKey | undefined;
  let text = '';
  return (service) => {
    if (service !== last && !(last && sameKey(service, last))) text = serviceKeyText(service);
    last = service;
    return text;
  };
}
