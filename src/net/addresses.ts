// SPDX-License-Identifier: MIT
/** Addresses on devices. Adds and deletes lvsd's own; all others are only read. */
import { type Family, formatAddress } from '../base/addresses.ts';
import { isErrno } from '../base/errno.ts';
import { LvsdError } from '../base/errors.ts';
import { NETLINK_ROUTE } from '../netlink/constants.ts';
import { NetlinkClient, type NetlinkClientOptions } from '../netlink/index.ts';
import {
  type FoundAddress,
  IFAPROT_LVSD,
  type Link,
  MessageType,
  MulticastGroups,
  type Purpose,
  readAddress,
  readLink,
  type Scope,
  writeAddressDump,
  writeLinkDump,
  writeNewAddress,
  writeOldAddress,
} from './rtnetlink.ts';

/** An address that lvsd adds to a device. */
export interface WantedAddress {
  /** Name of the device. */
  device: string;
  family: Family;
  /** 4 or 16 bytes in network order. */
  address: Uint8Array;
  prefix: number;
  purpose: Purpose;
  /** IFA_LABEL, 1 to 15 characters; default: the device's name. */
  label?: string;
  /** Default: by `purpose`. */
  scope?: Scope;
}

/** An address on a device; `ours`: its IFA_PROTO is that of this object. */
export interface DeviceAddress {
  device: string;
  family: Family;
  address: Uint8Array;
  prefix: number;
  ours: boolean;
  /** Not usable: duplicate address detection is running or has failed. */
  tentative: boolean;
}

export interface AddressesOptions extends NetlinkClientOptions {
  /** IFA_PROTO of the addresses to add, and of those that may be deleted; default: IFAPROT_LVSD. */
  protocol?: number;
}

export interface Watch {
  close(): void;
}

const NLM_F_CREATE = 0x400;
const NLM_F_EXCL = 0x200;

type Placed = FoundAddress & { device: string; ours: boolean };

/** All addresses, as a list and by `placeKey`. */
interface AddressTable {
  all: readonly Placed[];
  byPlace: ReadonlyMap<string, Placed>;
}

export class Addresses {
  readonly #netlink: NetlinkClient;
  readonly #protocol: number;
  /** Shared by all requests of one turn of the event loop. */
  #links: Promise<Link[]> | undefined;
  #placed: Promise<AddressTable> | undefined;

  /** Changing addresses requires CAP_NET_ADMIN; reading them does not. */
  constructor({ protocol = IFAPROT_LVSD, ...options }: AddressesOptions = {}) {
    this.#protocol = protocol;
    this.#netlink = new NetlinkClient(NETLINK_ROUTE, options);
  }

  /** Every IPv4 and IPv6 address of every device. */
  async list(): Promise<DeviceAddress[]> {
    const { all } = await this.#read();
    return all.map(({ device, family, address, prefix, ours, tentative }) => ({
      device,
      family,
      address,
      prefix,
      ours,
      tentative,
    }));
  }

  /** All network devices. */
  links(): Promise<Link[]> {
    return this.#readLinks();
  }

  /** Names of all network devices. */
  async devices(): Promise<Set<string>> {
    return new Set((await this.#readLinks()).map(({ name }) => name));
  }

  /**
   * Adds an address to its device. 'there': the device already has it, and its owner does not change. Throws LvsdError
   * (ERR_LVSD_NO_DEVICE) or NetlinkError.
   */
  async add(wanted: WantedAddress): Promise<'added' | 'there'> {
    const { index, loopback } = await this.#link(wanted.device);
    try {
      const message = { ...wanted, index, loopback };
      await this.#netlink.request(MessageType.NEWADDR, (writer) => writeNewAddress(writer, message, this.#protocol), {
        flags: NLM_F_CREATE | NLM_F_EXCL,
      });
      return 'added';
    } catch (error) {
      if (isErrno(error, 'EEXIST')) return 'there';
      throw error;
    }
  }

  /**
   * Deletes an address of ours; 'gone': the device no longer has it. Throws LvsdError (ERR_LVSD_NOT_OURS) for an address
   * that is not ours, and if the kernel would delete one that is not ours along with it.
   */
  async delete(old: Omit<WantedAddress, 'purpose' | 'label' | 'scope'>): Promise<'deleted' | 'gone'> {
    // Read again: since the caller last looked, ours may have been replaced by an address of another program.
    const { all, byPlace } = await this.#read();
    const found = byPlace.get(placeKey(old));
    if (!found) return 'gone';
    const text = `${formatAddress(old.family, old.address)}/${old.prefix}`;
    if (!found.ours)
      throw new LvsdError('ERR_LVSD_NOT_OURS', `${text} on ${old.device} was not added by lvsd: not deleted`);
    const alone = old.prefix === 8 * old.address.length;
    const followers = alone ? [] : all.filter((one) => !one.ours && follows(one, found));
    if (followers.length > 0)
      throw new LvsdError(
        'ERR_LVSD_NOT_OURS',
        `not deleting ${text} from ${old.device}: the kernel would delete ${followers.length} addresses of other programs with it`,
      );
    try {
      await this.#netlink.request(MessageType.DELADDR, (writer) => writeOldAddress(writer, found));
      return 'deleted';
    } catch (error) {
      if (isErrno(error, 'EADDRNOTAVAIL')) return 'gone';
      throw error;
    }
  }

  /**
   * Calls `changed` when another program has added, changed or deleted a link or an address, once for a group of
   * simultaneous changes, and after an overrun. After `failed` there are no more calls.
   */
  subscribe(changed: () => void, failed: (error: Error) => void = () => {}): Watch {
    let due: NodeJS.Immediate | undefined;
    const notify = () => {
      due ??= setImmediate(() => {
        due = undefined;
        changed();
      });
    };
    const groups = [MulticastGroups.LINK, MulticastGroups.IPV4_IFADDR, MulticastGroups.IPV6_IFADDR];
    const own = this.#netlink.portId;
    const subscription = this.#netlink.subscribe(groups, {
      message: (view) => {
        if (view.portId !== own) notify();
      },
      overrun: notify,
      failed,
    });
    subscription.hold(false);
    return {
      close: () => {
        clearImmediate(due);
        subscription.close();
      },
    };
  }

  close(): void {
    this.#netlink.close();
  }

  async #link(name: string): Promise<Link> {
    const links = await this.#readLinks();
    const link = links.find((one) => one.name === name);
    if (!link) throw new LvsdError('ERR_LVSD_NO_DEVICE', `no such network device: ${name}`);
    return link;
  }

  #read(): Promise<AddressTable> {
    this.#placed ??= this.#readPlaced().finally(() => {
      this.#placed = undefined;
    });
    return this.#placed;
  }

  async #readPlaced(): Promise<AddressTable> {
    // Addresses first, so that the device of each of them is among the links.
    const found = await this.#netlink.dump(MessageType.GETADDR, (writer) => writeAddressDump(writer), readAddress);
    const names = new Map((await this.#readLinks()).map(({ index, name }) => [index, name]));
    const all = found.flatMap((one) => {
      const device = names.get(one.index);
      return device === undefined ? [] : [{ ...one, device, ours: one.protocol === this.#protocol }];
    });
    return { all, byPlace: new Map(all.map((one) => [placeKey(one), one])) };
  }

  #readLinks(): Promise<Link[]> {
    this.#links ??= this.#netlink.dump(MessageType.GETLINK, writeLinkDump, readLink).finally(() => {
      this.#links = undefined;
    });
    return this.#links;
  }
}

function placeKey({ device, address, prefix }: Omit<WantedAddress, 'purpose'>): string {
  return `${Buffer.from(address).toString('hex')}/${prefix}@${device}`;
}

/** Whether the kernel, with promote_secondaries off, deletes `one` along with `first`. */
function follows(one: Placed, first: Placed): boolean {
  return (
    one.secondary &&
    !first.secondary &&
    one.device === first.device &&
    one.prefix === first.prefix &&
    sameSubnet(one.address, first.address, first.prefix)
  );
}

function sameSubnet(a: Uint8Array, b: Uint8Array, prefix: number): boolean {
  return a.every((byte, index) => {
    const bits = Math.min(8, Math.max(0, prefix - 8 * index));
    const mask = (0xff << (8 - bits)) & 0xff;
    return (byte & mask) === ((b[index] ?? 0) & mask);
  });
}
