// SPDX-License-Identifier: MIT
/** Addresses on devices: lvsd's are added and taken away, everybody else's are only looked at. */
import { type Family, formatAddress } from '../base/addresses.ts';
import { LvsdError, NetlinkError } from '../base/errors.ts';
import { NETLINK_ROUTE } from '../netlink/constants.ts';
import { NetlinkClient, type NetlinkClientOptions } from '../netlink/index.ts';
import {
  type FoundAddress,
  type Link,
  MessageType,
  MulticastGroups,
  type Purpose,
  readAddress,
  readLink,
  writeAddressDump,
  writeLinkDump,
  writeNewAddress,
  writeOldAddress,
} from './rtnetlink.ts';

/** An address that lvsd is to put somewhere. */
export interface WantedAddress {
  /** Name of the device. */
  device: string;
  family: Family;
  /** 4 or 16 bytes in network order. */
  address: Uint8Array;
  prefix: number;
  purpose: Purpose;
}

/** An address on a device; `ours`: lvsd put it there. */
export interface DeviceAddress {
  device: string;
  family: Family;
  address: Uint8Array;
  prefix: number;
  ours: boolean;
}

export interface Watch {
  close(): void;
}

const NLM_F_CREATE = 0x400;
const NLM_F_EXCL = 0x200;
const EEXIST = 17;
const EADDRNOTAVAIL = 99;

type Placed = FoundAddress & { device: string };

/** All that is there, and by `placeKey`. */
interface Picture {
  all: readonly Placed[];
  byPlace: ReadonlyMap<string, Placed>;
}

export class Addresses {
  readonly #netlink: NetlinkClient;
  /** Read once for all that is asked in one turn of the event loop. */
  #links: Promise<Link[]> | undefined;
  #placed: Promise<Picture> | undefined;

  /** Changing addresses takes CAP_NET_ADMIN, reading them nothing. */
  constructor(options: NetlinkClientOptions = {}) {
    this.#netlink = new NetlinkClient(NETLINK_ROUTE, options);
  }

  /** Every IPv4 and IPv6 address of every device. */
  async list(): Promise<DeviceAddress[]> {
    const { all } = await this.#read();
    return all.map(({ device, family, address, prefix, ours }) => ({ device, family, address, prefix, ours }));
  }

  /**
   * Puts an address on its device. 'there': it has it already, from whomever; whose it is stays as it was. Throws
   * LvsdError (ERR_LVSD_NO_DEVICE), NetlinkError.
   */
  async add(wanted: WantedAddress): Promise<'added' | 'there'> {
    const { index, loopback } = await this.#link(wanted.device);
    try {
      const message = { ...wanted, index, loopback };
      await this.#netlink.request(MessageType.NEWADDR, (writer) => writeNewAddress(writer, message), {
        flags: NLM_F_CREATE | NLM_F_EXCL,
      });
      return 'added';
    } catch (error) {
      if (error instanceof NetlinkError && error.errno === EEXIST) return 'there';
      throw error;
    }
  }

  /**
   * Takes an address of ours away; 'gone': it is not there any more. What is not ours stays: LvsdError
   * (ERR_LVSD_NOT_OURS), also where an address of others would go with it.
   */
  async delete(old: Omit<WantedAddress, 'purpose'>): Promise<'deleted' | 'gone'> {
    // Whatever the caller has seen: somebody may have put an address of their own where ours was.
    const { all, byPlace } = await this.#read();
    const found = byPlace.get(placeKey(old));
    if (!found) return 'gone';
    const text = `${formatAddress(old.family, old.address)}/${old.prefix}`;
    if (!found.ours) throw new LvsdError('ERR_LVSD_NOT_OURS', `${text} on ${old.device} is not lvsd's`);
    const alone = old.prefix === 8 * old.address.length;
    const followers = alone ? [] : all.filter((one) => !one.ours && follows(one, found));
    if (followers.length > 0)
      throw new LvsdError('ERR_LVSD_NOT_OURS', `${followers.length} addresses on ${old.device} would go with ${text}`);
    try {
      await this.#netlink.request(MessageType.DELADDR, (writer) => writeOldAddress(writer, found));
      return 'deleted';
    } catch (error) {
      if (error instanceof NetlinkError && error.errno === EADDRNOTAVAIL) return 'gone';
      throw error;
    }
  }

  /**
   * Calls `changed` when a link or an address came, went or changed by somebody else's hand, once for all that comes
   * together, and when that cannot be told. `failed`: there will be no more calls.
   */
  subscribe(changed: () => void, failed: (error: Error) => void = () => {}): Watch {
    let due: NodeJS.Immediate | undefined;
    const tell = () => {
      due ??= setImmediate(() => {
        due = undefined;
        changed();
      });
    };
    const groups = [MulticastGroups.LINK, MulticastGroups.IPV4_IFADDR, MulticastGroups.IPV6_IFADDR];
    const own = this.#netlink.portId;
    const subscription = this.#netlink.subscribe(groups, {
      message: (view) => {
        if (view.portId !== own) tell();
      },
      overrun: tell,
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
    if (!link) throw new LvsdError('ERR_LVSD_NO_DEVICE', `there is no device ${name}`);
    return link;
  }

  #read(): Promise<Picture> {
    this.#placed ??= this.#readPlaced().finally(() => {
      this.#placed = undefined;
    });
    return this.#placed;
  }

  async #readPlaced(): Promise<Picture> {
    // Addresses first: a device that comes in between has a name then.
    const found = await this.#netlink.dump(MessageType.GETADDR, (writer) => writeAddressDump(writer), readAddress);
    const names = new Map((await this.#readLinks()).map(({ index, name }) => [index, name]));
    const all = found.flatMap((one) => {
      const device = names.get(one.index);
      return device === undefined ? [] : [{ ...one, device }];
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

/** Whether the kernel, with promote_secondaries off, deletes the one along with the other. */
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
