// SPDX-License-Identifier: MIT
/** The kernel's table as last seen: read whole now and then, and service by service after each change. */
import type { Ipvs, ServiceKey } from '../../ipvs/index.ts';
import { serviceKeyText } from '../../ipvs/index.ts';
import type { Addresses } from '../../net/index.ts';
import { readActual, readService } from '../../plan/index.ts';
import type { Actual, ActualService, Operation } from '../../plan/types.ts';

export class KnownTable {
  readonly #ipvs: Ipvs;
  readonly #addresses: Addresses;
  #services: Map<string, ActualService> | undefined;
  #rest: Omit<Actual, 'services'> | undefined;

  constructor(ipvs: Ipvs, addresses: Addresses) {
    this.#ipvs = ipvs;
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
    const actual = await readActual(this.#ipvs, this.#addresses, this.actual);
    this.#services = new Map(actual.services.map((one) => [serviceKeyText(one.service), one]));
    const { addresses, timeouts, generation } = actual;
    this.#rest = { addresses, timeouts, generation };
    return actual;
  }

  /** Looks at the addresses alone. */
  async readAddresses(): Promise<Actual> {
    const addresses = await this.#addresses.list();
    if (!this.#services || !this.#rest) return this.read();
    this.#rest = { ...this.#rest, addresses };
    return { ...this.#rest, services: [...this.#services.values()] };
  }

  forget(): void {
    this.#services = undefined;
    this.#rest = undefined;
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
    if (addresses) this.#rest = { ...this.#rest, addresses: await this.#addresses.list() };
    if (timeouts) this.#rest = { ...this.#rest, timeouts: await this.#ipvs.timeouts() };
  }

  async refreshServices(keys: readonly ServiceKey[]): Promise<void> {
    const services = this.#services;
    if (!services) return;
    const found = await Promise.all(keys.map((key) => readService(this.#ipvs, key)));
    for (const [index, one] of found.entries()) {
      const key = serviceKeyText(keys[index] as ServiceKey);
      if (one) services.set(key, one);
      else services.delete(key);
    }
  }
}
