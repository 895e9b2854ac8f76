// SPDX-License-Identifier: MIT
/**
 * Puts the addresses of instances on devices and takes them away. They carry IFA_PROTO 77, so that a later process can
 * remove exactly what a dead one left, and lvsd's reconciliation leaves them alone.
 */
import { parseAddress } from '../base/addresses.ts';
import { type Addresses, type DeviceAddress, IFAPROT_VRRP } from '../net/index.ts';
import type { PlacedAddress } from './configuration.ts';

export const PROTOCOL = IFAPROT_VRRP;

export class Placement {
  readonly #addresses: Addresses;
  readonly #failed: (text: string) => void;
  /** Operations run one after the other, in the order of the calls. */
  #last: Promise<unknown> = Promise.resolve();
  /** Counts the calls that changed something: what was read while it grew is out of date. */
  changes = 0;

  constructor(addresses: Addresses, failed: (text: string) => void) {
    this.#addresses = addresses;
    this.#failed = failed;
  }

  /** Adds addresses to their devices, `device` where they name none. What is there already stays. */
  place(list: readonly PlacedAddress[], device: string): Promise<void> {
    return this.#each(list, (one) =>
      this.#addresses.add({ ...wanted(one, device), purpose: one.purpose ?? 'virtual' }).then(() => undefined),
    );
  }

  withdraw(list: readonly PlacedAddress[], device: string): Promise<void> {
    return this.#each(list, (one) => this.#addresses.delete(wanted(one, device)).then(() => undefined));
  }

  /** Resolves when all earlier changes have been made. */
  async settled(): Promise<void> {
    await this.#last;
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

  /** All at once: the kernel gets them in the order of the list. Errors are reported, not thrown. */
  #each(list: readonly PlacedAddress[], change: (one: PlacedAddress) => Promise<void>): Promise<void> {
    const run = () =>
      Promise.all(
        list.map((one) =>
          change(one).catch((error: Error) => this.#failed(`${one.address}/${one.prefix}: ${error.message}`)),
        ),
      );
    if (list.length > 0) this.changes += 1;
    const done = this.#last.then(run, run);
    this.#last = done;
    return done.then(() => undefined);
  }
}

function wanted({ address, prefix, device }: PlacedAddress, fallback: string) {
  const parsed = parseAddress(address);
  if (parsed === undefined) throw new TypeError(`not an address: ${address}`);
  return { device: device ?? fallback, family: parsed.family, address: parsed.bytes, prefix };
}
