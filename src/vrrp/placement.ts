// SPDX-License-Identifier: MIT
/**
 * Puts the addresses of instances on devices and takes them away. They carry IFA_PROTO 77, so that a later process can
 * remove exactly what a dead one left, and lvsd's reconciliation leaves them alone.
 */
import { parseAddress } from '../base/addresses.ts';
import { type Addresses, type DeviceAddress, IFAPROT_VRRP } from '../net/index.ts';
import type { PlacedAddress } from './configuration.ts';

export const PROTOCOL = IFAPROT_VRRP;

/** Changes made at once: what is asked for meanwhile replaces those that wait. */
const BATCH = 256;

/** The latest wanted state of an address, which has not been brought about yet. */
interface Change {
  number: number;
  one: PlacedAddress;
  make: () => Promise<unknown>;
}

export class Placement {
  readonly #addresses: Addresses;
  readonly #failed: (text: string) => void;
  /** By address and device, oldest first. An instance that changes its role faster than its addresses adds nothing. */
  readonly #pending = new Map<string, Change>();
  #working = false;
  /** Calls that wait until no change up to this number is pending. */
  #waiting: { number: number; resolve: () => void }[] = [];
  /** Counts the wanted changes: what was read while it grew is out of date. */
  changes = 0;

  constructor(addresses: Addresses, failed: (text: string) => void) {
    this.#addresses = addresses;
    this.#failed = failed;
  }

  /**
   * Adds addresses to their devices, `device` where they name none. What is there already stays. Resolves when they and
   * those that were asked for before have been added, or are wanted otherwise by now.
   */
  place(list: readonly PlacedAddress[], device: string): Promise<void> {
    return this.#want(list, device, (one) =>
      this.#addresses.add({
        ...wanted(one, device),
        purpose: one.purpose ?? 'virtual',
        ...(one.label === undefined ? {} : { label: one.label }),
        ...(one.scope === undefined ? {} : { scope: one.scope }),
      }),
    );
  }

  withdraw(list: readonly PlacedAddress[], device: string): Promise<void> {
    return this.#want(list, device, (one) => this.#addresses.delete(wanted(one, device)));
  }

  /** Resolves when no change is pending. */
  settled(): Promise<void> {
    return this.#reached(Number.POSITIVE_INFINITY);
  }

  /** Removes every address of VRRP on this machine and returns their number: after a crash, and before the first instance starts. */
  async withdrawAll(): Promise<number> {
    const found = (await this.#addresses.list()).filter(({ ours }) => ours);
    const results = await Promise.all(found.map((one) => this.#addresses.delete(one)));
    return results.filter((result) => result === 'deleted').length;
  }

  /** Whether an address is on its device. */
  static has(found: readonly DeviceAddress[], one: PlacedAddress, device: string): boolean {
    const { address, prefix, device: on } = wanted(one, device);
    return found.some(
      (other) => other.device === on && other.prefix === prefix && Buffer.compare(other.address, address) === 0,
    );
  }

  #want(list: readonly PlacedAddress[], device: string, make: (one: PlacedAddress) => Promise<unknown>): Promise<void> {
    for (const one of list) {
      const key = `${one.address}/${one.prefix} ${one.device ?? device}`;
      this.changes += 1;
      // Last in order, as if it had not been wanted before.
      this.#pending.delete(key);
      this.#pending.set(key, { number: this.changes, one, make: () => make(one) });
    }
    if (!this.#working && this.#pending.size > 0) void this.#work();
    return this.#reached(this.changes);
  }

  #reached(number: number): Promise<void> {
    if (!this.#working) return Promise.resolve();
    return new Promise((resolve) => this.#waiting.push({ number, resolve }));
  }

  async #work(): Promise<void> {
    this.#working = true;
    for (;;) {
      const batch = [...this.#pending].slice(0, BATCH);
      for (const [key] of batch) this.#pending.delete(key);
      // The kernel gets them in this order. Errors are reported, not thrown.
      await Promise.all(
        batch.map(([, { one, make }]) =>
          make().catch((error: Error) => this.#failed(`${one.address}/${one.prefix}: ${error.message}`)),
        ),
      );
      const [first] = this.#pending.values();
      if (first === undefined) break;
      this.#release(first.number);
    }
    this.#working = false;
    this.#release(Number.POSITIVE_INFINITY);
  }

  /** Resolves the calls that wait for changes before this number only. */
  #release(number: number): void {
    const over = this.#waiting.filter((one) => one.number < number || number === Number.POSITIVE_INFINITY);
    this.#waiting = this.#waiting.filter((one) => !over.includes(one));
    for (const { resolve } of over) resolve();
  }
}

function wanted({ address, prefix, device }: PlacedAddress, fallback: string) {
  const parsed = parseAddress(address);
  if (parsed === undefined) throw new TypeError(`not an address: ${address}`);
  return { device: device ?? fallback, family: parsed.family, address: parsed.bytes, prefix };
}
