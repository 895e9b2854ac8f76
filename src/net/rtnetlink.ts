// SPDX-License-Identifier: MIT
/**
 * Encodes and decodes addresses and links as rtnetlink messages; no sockets. The fixed structures and numbers are those
 * of npm's `netlink`. Its attribute tables end before IFA_PROTO and drop unknown attributes, so attributes go through
 * our own tables (docs/reconciliation.md).
 */
import rt from 'netlink/dist/rt/gen_structs.js';
import { AF_INET, AF_INET6, type Family } from '../base/addresses.ts';
import { MalformedError } from '../base/errors.ts';
import { host } from '../netlink/endian.ts';
import type { Decoded, MessageView, MessageWriter, Table } from '../netlink/index.ts';
import { decodeTable, encodeTable } from '../netlink/index.ts';

export const { MessageType, MulticastGroups } = rt;

/** IFA_PROTO of the addresses that lvsd adds, by which it recognises them. */
export const IFAPROT_LVSD = 76;
/** IFA_PROTO of the addresses that follow a VRRP instance: lvsd's reconciliation leaves them alone. */
export const IFAPROT_VRRP = 77;

/** struct ifaddrmsg and struct ifinfomsg. */
const ADDRESS_HEADER = rt.__LENGTH_Address;
const LINK_HEADER = rt.__LENGTH_Link;
const INFINITY = 0xffffffff;
/** IFA_F_TENTATIVE and IFA_F_DADFAILED. */
const UNUSABLE = 0x40 | 0x08;

/** IFA_*. */
const ADDRESS = {
  address: [1, 'bytes'],
  local: [2, 'bytes'],
  label: [3, 'string'],
  cacheInfo: [6, 'bytes'],
  flags: [8, 'u32'],
  protocol: [11, 'u8'],
} as const satisfies Table;

/** IFLA_*, as far as used. */
const LINK = { hardwareAddress: [1, 'bytes'], name: [3, 'string'] } as const satisfies Table;

/** Offset of ifi_flags in struct ifinfomsg, and two of its flags. */
const LINK_FLAGS = 8;
const IFF_UP = 0x1;
const IFF_LOWER_UP = 0x10000;

/** Decides the scope and flags of an address. */
export type Purpose = 'virtual' | 'local';

/** Scope of an IPv4 address. */
export type Scope = 'global' | 'link' | 'host';

export interface NewAddress {
  /** Index of the device. */
  index: number;
  /** The device is a loopback device. */
  loopback: boolean;
  family: Family;
  address: Uint8Array;
  prefix: number;
  purpose: Purpose;
  /** IPv4: IFA_LABEL, 1 to 15 characters; default: the device's name. */
  label?: string;
  /** IPv4; default: by `purpose`. */
  scope?: Scope;
}

export interface FoundAddress {
  index: number;
  family: Family;
  address: Uint8Array;
  prefix: number;
  /** IPv4: deleted together with the first address of its subnet. */
  secondary: boolean;
  /** IFA_PROTO; 0 if it has none. */
  protocol: number;
  /** Duplicate address detection has not finished, or has found a duplicate. */
  tentative: boolean;
}

export interface Link {
  index: number;
  name: string;
  loopback: boolean;
  /** Switched on by an administrator. */
  up: boolean;
  carrier: boolean;
  /** MAC address; empty on devices without one. */
  hardwareAddress: Uint8Array;
}

/**
 * RTM_NEWADDR. Source address selection must not pick our addresses: IPv6 ones are deprecated from the start (preferred
 * for 0 seconds), local IPv4 ones get link scope.
 */
export function writeNewAddress(writer: MessageWriter, wanted: NewAddress, protocol = IFAPROT_LVSD): void {
  const ipv6 = wanted.family === AF_INET6;
  writer.raw(header(wanted, scopeOf(wanted)));
  const attributes: Decoded<typeof ADDRESS> = { local: wanted.address, address: wanted.address };
  if (ipv6) {
    attributes.cacheInfo = rt.formatAddressCacheInfo({ ifaPrefered: 0, ifaValid: INFINITY });
    // No duplicate detection: the address must serve at once, and VRRP moves it between machines.
    attributes.flags = rt.formatAddressFlags({ nodad: true, noprefixroute: true });
  }
  if (wanted.label !== undefined) attributes.label = wanted.label;
  attributes.protocol = protocol;
  encodeTable(ADDRESS, writer, attributes);
}

/** RTM_DELADDR. */
export function writeOldAddress(writer: MessageWriter, gone: Omit<NewAddress, 'loopback' | 'purpose'>): void {
  writer.raw(header(gone, 0));
  encodeTable(ADDRESS, writer, { local: gone.address, address: gone.address });
}

/** RTM_GETADDR, of all devices or of one. */
export function writeAddressDump(writer: MessageWriter, index = 0): void {
  writer.raw(rt.formatAddress({ index }));
}

/** RTM_GETLINK. */
export function writeLinkDump(writer: MessageWriter): void {
  writer.raw(rt.formatLink({}));
}

/** The address of an RTM_NEWADDR; undefined for other families than IP. Throws MalformedError. */
export function readAddress(view: MessageView): FoundAddress | undefined {
  const attributes = decodeTable(ADDRESS, view.attributes(ADDRESS_HEADER));
  const { family, prefixlen: prefix = 0, flags, index = 0 } = rt.parseAddress(headerOf(view, ADDRESS_HEADER));
  if (family !== AF_INET && family !== AF_INET6) return undefined;
  // On a point-to-point link, IFA_ADDRESS is the peer's address.
  const address = attributes.local ?? attributes.address;
  if (address?.length !== (family === AF_INET ? 4 : 16)) throw new MalformedError('RTM_NEWADDR without an address');
  const secondary = family === AF_INET && flags?.secondary === true;
  const protocol = attributes.protocol ?? 0;
  const tentative = ((attributes.flags ?? 0) & UNUSABLE) !== 0;
  return { index, family, address, prefix, secondary, protocol, tentative };
}

/** The link of an RTM_NEWLINK. Throws MalformedError. */
export function readLink(view: MessageView): Link {
  const { name = '', hardwareAddress = new Uint8Array() } = decodeTable(LINK, view.attributes(LINK_HEADER));
  const header = headerOf(view, LINK_HEADER);
  const { index = 0, flags } = rt.parseLink(header);
  const bits = host.readU32(header, LINK_FLAGS);
  const [up, carrier] = [(bits & IFF_UP) !== 0, (bits & IFF_LOWER_UP) !== 0];
  // The view's memory is reused for the next message.
  return { index, name, loopback: flags?.loopback === true, up, carrier, hardwareAddress: hardwareAddress.slice() };
}

function header({ family, prefix, index }: Omit<NewAddress, 'loopback' | 'purpose'>, scope: number): Uint8Array {
  return rt.formatAddress({ family, prefixlen: prefix, scope, index });
}

const SCOPES = { global: rt.RouteScope.UNIVERSE, link: rt.RouteScope.LINK, host: rt.RouteScope.HOST } as const;

function scopeOf({ family, loopback, purpose, scope }: NewAddress): number {
  if (scope !== undefined) return SCOPES[scope];
  if (family === AF_INET6 || purpose === 'virtual') return rt.RouteScope.UNIVERSE;
  return loopback ? rt.RouteScope.HOST : rt.RouteScope.LINK;
}

/** The fixed header; the reader has checked its length. */
function headerOf(view: MessageView, length: number): Buffer {
  return view.buffer.subarray(view.start, view.start + length);
}
