// SPDX-License-Identifier: MIT
/**
 * Ethernet frames that announce the new MAC address of an IP address: gratuitous ARP (RFC 5227 section 3, in the form that
 * keepalived sends) and unsolicited neighbor advertisements (RFC 4861 section 4.4).
 */
import { parseIpv6 } from '../base/addresses.ts';
import { addWords, fold, pseudoHeader } from './checksum.ts';

export const ETHERTYPE_IPV4 = 0x0800;
export const ETHERTYPE_ARP = 0x0806;
export const ETHERTYPE_IPV6 = 0x86dd;

const ETHERNET_LENGTH = 14;
const BROADCAST = new Uint8Array(6).fill(0xff);
const HARDWARE_ETHERNET = 1;
const ARP_REQUEST = 1;

const ALL_NODES = parseIpv6('ff02::1') ?? new Uint8Array(16);
/** The group address of all nodes on Ethernet (RFC 2464 section 7). */
const ALL_NODES_MAC = Uint8Array.of(0x33, 0x33, 0, 0, 0, 1);
const IPV6_LENGTH = 40;
const ICMPV6 = 58;
const NEIGHBOR_ADVERTISEMENT = 136;
const ADVERTISEMENT_LENGTH = 32;
const FLAG_ROUTER = 0x80;
const FLAG_OVERRIDE = 0x20;
const OPTION_TARGET_ADDRESS = 2;

/** A gratuitous ARP request of 42 bytes: `address` (4 bytes) is at `mac` (6 bytes). */
export function gratuitousArp(mac: Uint8Array, address: Uint8Array): Buffer {
  const frame = Buffer.alloc(ETHERNET_LENGTH + 28);
  ethernet(frame, BROADCAST, mac, ETHERTYPE_ARP);
  const arp = frame.subarray(ETHERNET_LENGTH);
  arp.writeUInt16BE(HARDWARE_ETHERNET, 0);
  arp.writeUInt16BE(ETHERTYPE_IPV4, 2);
  arp.set([6, 4], 4);
  arp.writeUInt16BE(ARP_REQUEST, 6);
  arp.set(mac, 8);
  arp.set(address, 14);
  arp.set(BROADCAST, 18);
  arp.set(address, 24);
  return frame;
}

/**
 * An unsolicited neighbor advertisement of 86 bytes: `address` (16 bytes) is at `mac` (6 bytes). `router`: whether
 * this node forwards packets of the interface; a wrong value removes it from the neighbours' router lists.
 */
export function neighborAdvertisement(mac: Uint8Array, address: Uint8Array, router: boolean): Buffer {
  const frame = Buffer.alloc(ETHERNET_LENGTH + IPV6_LENGTH + ADVERTISEMENT_LENGTH);
  ethernet(frame, ALL_NODES_MAC, mac, ETHERTYPE_IPV6);
  const ip = frame.subarray(ETHERNET_LENGTH);
  ip[0] = 0x60;
  ip.writeUInt16BE(ADVERTISEMENT_LENGTH, 4);
  // RFC 4861 section 7.1.2: receivers reject any other hop limit.
  ip.set([ICMPV6, 255], 6);
  ip.set(address, 8);
  ip.set(ALL_NODES, 24);
  const icmp = ip.subarray(IPV6_LENGTH);
  icmp[0] = NEIGHBOR_ADVERTISEMENT;
  icmp[4] = FLAG_OVERRIDE | (router ? FLAG_ROUTER : 0);
  icmp.set(address, 8);
  icmp.set([OPTION_TARGET_ADDRESS, 1], 24);
  icmp.set(mac, 26);
  icmp.writeUInt16BE(fold(addWords(pseudoHeader(address, ALL_NODES, ICMPV6, ADVERTISEMENT_LENGTH), icmp)), 2);
  return frame;
}

function ethernet(frame: Buffer, destination: Uint8Array, source: Uint8Array, type: number): void {
  frame.set(destination, 0);
  frame.set(source, 6);
  frame.writeUInt16BE(type, 12);
}
