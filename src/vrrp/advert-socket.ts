// SPDX-License-Identifier: MIT
/**
 * The raw socket that one interface and family sends and receives adverts with (raw(7), ip(7), ipv6(7)). All instances
 * of the interface share it.
 */
import { AF_INET, AF_INET6, type Family } from '../base/addresses.ts';
import { type NativeSocket, native, READABLE } from '../base/native.ts';
import { socketAddressOf } from '../base/socket-address.ts';
import { type ControlMessage, readControlMessages, writeControlMessage } from '../net/control-messages.ts';
import { host } from '../netlink/endian.ts';
import type { Received } from './acceptance.ts';
import { advertFilter, type Passable } from './filter.ts';
import { GROUP_IPV4, GROUP_IPV6, IPPROTO_VRRP } from './packet.ts';

const SOCK_RAW = 3;
const SOL_SOCKET = 1;
const SO_PRIORITY = 12;
const SO_BINDTODEVICE = 25;
const SO_RCVBUFFORCE = 33;
/** struct sk_meminfo: nine numbers, the last of which counts messages that found the buffer full. */
const SO_MEMINFO = 55;
const MEMINFO_LENGTH = 36;
const MEMINFO_DROPS = 32;
/** Also the type of its control message; struct timespec of CLOCK_REALTIME. */
const SO_TIMESTAMPNS = 35;
const TC_PRIO_CONTROL = 6;

const SOL_IP = 0;
const IP_TOS = 1;
const IP_TTL = 2;
const IP_PKTINFO = 8;
const IP_MTU_DISCOVER = 10;
const IP_PMTUDISC_DONT = 0;
const IP_MULTICAST_IF = 32;
const IP_MULTICAST_TTL = 33;
const IP_MULTICAST_LOOP = 34;
const IP_ADD_MEMBERSHIP = 35;
const IP_MULTICAST_ALL = 49;

const SOL_IPV6 = 41;
const IPV6_UNICAST_HOPS = 16;
const IPV6_MULTICAST_IF = 17;
const IPV6_MULTICAST_HOPS = 18;
const IPV6_MULTICAST_LOOP = 19;
const IPV6_ADD_MEMBERSHIP = 20;
const IPV6_MULTICAST_ALL = 29;
const IPV6_RECVPKTINFO = 49;
const IPV6_PKTINFO = 50;
const IPV6_RECVHOPLIMIT = 51;
const IPV6_HOPLIMIT = 52;
const IPV6_TCLASS = 67;

const MSG_DONTROUTE = 4;
/** Internetwork control (RFC 2474): what keepalived sends. */
const CS6 = 0xc0;
const MAX_TTL = 255;

/** Adverts that wait while the process does not run must not be lost: some 300 of them. */
const RECEIVE_BUFFER = 256 << 10;
const SLOTS = 64;
/** The longest advert: an IPv6 header is not received, 255 addresses of 16 bytes are. */
const SLOT_SIZE = 8192;
const ADDRESS_SIZE = 28;
const CONTROL_SIZE = 128;
const INFO_WORDS = 4;

export interface Interface {
  name: string;
  index: number;
}

/** A message, and how long ago the kernel received it, in microseconds. */
export type Arrival = Received & { age: number };

export class AdvertSocket {
  readonly #socket: NativeSocket;
  readonly #family: Family;
  readonly #index: number;
  readonly #data = Buffer.allocUnsafe(SLOTS * SLOT_SIZE);
  readonly #info = new Int32Array(SLOTS * INFO_WORDS);
  readonly #addresses = Buffer.alloc(SLOTS * ADDRESS_SIZE);
  readonly #control = Buffer.alloc(SLOTS * CONTROL_SIZE);
  readonly #readable: () => void;
  #program: Buffer | undefined;
  #pause: NodeJS.Timeout | undefined;
  /** When no message waited, by performance.now(): those that wait now have arrived since. */
  #emptyAt = performance.now();

  /**
   * Opens the socket and calls `readable` whenever messages wait. Needs CAP_NET_RAW. Throws the SystemError of the call
   * that failed: ENODEV if the interface has gone.
   */
  constructor(family: Family, { name, index }: Interface, readable: () => void) {
    this.#family = family;
    this.#index = index;
    this.#readable = readable;
    this.#socket = new (native().Socket)(family, SOCK_RAW, IPPROTO_VRRP);
    try {
      this.#socket.setsockopt(SOL_SOCKET, SO_BINDTODEVICE, Buffer.from(`${name}\0`));
      this.#socket.setsockopt(SOL_SOCKET, SO_PRIORITY, TC_PRIO_CONTROL);
      this.#socket.setsockopt(SOL_SOCKET, SO_TIMESTAMPNS, 1);
      this.#socket.setsockopt(SOL_SOCKET, SO_RCVBUFFORCE, RECEIVE_BUFFER);
      if (family === AF_INET) this.#prepareIpv4();
      else this.#prepareIpv6();
      this.#socket.watch(READABLE, readable);
    } catch (error) {
      this.#socket.close();
      throw error;
    }
  }

  #prepareIpv4(): void {
    // struct ip_mreqn: group, local address, interface.
    const group = Buffer.alloc(12);
    host.writeU32(group, this.#index, 8);
    const set = (name: number, value: number | Uint8Array) => this.#socket.setsockopt(SOL_IP, name, value);
    set(IP_TOS, CS6);
    set(IP_TTL, MAX_TTL);
    set(IP_MTU_DISCOVER, IP_PMTUDISC_DONT);
    set(IP_MULTICAST_TTL, MAX_TTL);
    set(IP_MULTICAST_LOOP, 0);
    set(IP_MULTICAST_ALL, 0);
    set(IP_MULTICAST_IF, group);
    group.set(GROUP_IPV4);
    set(IP_ADD_MEMBERSHIP, group);
  }

  #prepareIpv6(): void {
    // struct ipv6_mreq: group, interface.
    const group = Buffer.alloc(20);
    group.set(GROUP_IPV6);
    host.writeU32(group, this.#index, 16);
    const set = (name: number, value: number | Uint8Array) => this.#socket.setsockopt(SOL_IPV6, name, value);
    set(IPV6_TCLASS, CS6);
    set(IPV6_UNICAST_HOPS, MAX_TTL);
    set(IPV6_MULTICAST_HOPS, MAX_TTL);
    set(IPV6_MULTICAST_LOOP, 0);
    set(IPV6_MULTICAST_ALL, 0);
    set(IPV6_RECVPKTINFO, 1);
    set(IPV6_RECVHOPLIMIT, 1);
    set(IPV6_MULTICAST_IF, this.#index);
    set(IPV6_ADD_MEMBERSHIP, group);
  }

  /** Receives messages of these virtual routers only, from the next one on. */
  filter(routers: Iterable<Passable>): void {
    const program = advertFilter(this.#family, routers);
    // Each reload and each change of an address anywhere comes here.
    if (this.#program?.equals(program)) return;
    this.#socket.attachFilter(program);
    this.#program = program;
  }

  /** Messages that the kernel dropped because too many waited. */
  get dropped(): number {
    return host.readU32(this.#socket.getsockopt(SOL_SOCKET, SO_MEMINFO, MEMINFO_LENGTH), MEMINFO_DROPS);
  }

  /** Does not call `readable` for this many milliseconds. */
  pause(milliseconds: number): void {
    if (this.#pause !== undefined) return;
    this.#socket.unwatch();
    this.#pause = setTimeout(() => {
      this.#pause = undefined;
      this.#socket.watch(READABLE, this.#readable);
    }, milliseconds);
  }

  /** Sends a message from `source`. Throws SystemError: ENETDOWN or ENETUNREACH if the link is down. */
  send(message: Uint8Array, source: Uint8Array, destination: Uint8Array): void {
    const multicast = this.#family === AF_INET ? ((destination[0] ?? 0) & 0xf0) === 0xe0 : destination[0] === 0xff;
    const to = socketAddressOf(this.#family, destination, 0, this.#index);
    this.#socket.send(message, to, this.#sourceControl(source), multicast ? MSG_DONTROUTE : 0);
  }

  /** struct in_pktinfo (interface, source, unused) or struct in6_pktinfo (source, interface). */
  #sourceControl(source: Uint8Array): Buffer {
    if (this.#family === AF_INET) {
      const data = Buffer.alloc(12);
      host.writeU32(data, this.#index, 0);
      data.set(source, 4);
      return writeControlMessage({ level: SOL_IP, type: IP_PKTINFO, data });
    }
    const data = Buffer.alloc(20);
    data.set(source, 0);
    host.writeU32(data, this.#index, 16);
    return writeControlMessage({ level: SOL_IPV6, type: IPV6_PKTINFO, data });
  }

  /**
   * Receives every message that waits, oldest first, at most `limit` of them. Their memory belongs to the caller. A
   * pending error of the socket (the link went down) is thrown after what was received before it.
   */
  receive(limit: number): Arrival[] {
    const arrivals: Arrival[] = [];
    while (arrivals.length < limit) {
      const count = this.#socket.receive(this.#data, this.#info, this.#addresses, this.#control);
      if (count === 0) {
        this.#emptyAt = performance.now();
        break;
      }
      // The kernel stamps by the time of day, which may have been set meanwhile: the monotonic clock limits the age.
      const now = Date.now();
      const oldest = Math.round(1000 * (performance.now() - this.#emptyAt));
      for (let slot = 0; slot < count; slot++) {
        const arrival = this.#arrival(slot, now);
        if (arrival !== undefined) arrivals.push({ ...arrival, age: Math.min(arrival.age, oldest) });
      }
      if (count < SLOTS) {
        this.#emptyAt = performance.now();
        break;
      }
    }
    return arrivals;
  }

  #arrival(slot: number, now: number): Arrival | undefined {
    const [length = 0, , , controlLength = 0] = this.#info.subarray(slot * INFO_WORDS);
    const data = Buffer.from(this.#data.subarray(slot * SLOT_SIZE, slot * SLOT_SIZE + Math.min(length, SLOT_SIZE)));
    const start = slot * CONTROL_SIZE;
    const control = readControlMessages(this.#control.subarray(start, start + controlLength));
    const age = ageOf(control, now);
    return this.#family === AF_INET ? readIpv4(data, age) : this.#readIpv6(slot, data, control, age);
  }

  #readIpv6(slot: number, message: Buffer, control: ControlMessage[], age: number): Arrival | undefined {
    const find = (type: number) => control.find((one) => one.level === SOL_IPV6 && one.type === type)?.data;
    const [information, hops] = [find(IPV6_PKTINFO), find(IPV6_HOPLIMIT)];
    if (information === undefined || hops === undefined) return undefined;
    const source = Buffer.from(this.#addresses.subarray(slot * ADDRESS_SIZE + 8, slot * ADDRESS_SIZE + 24));
    const destination = Buffer.from(information.subarray(0, 16));
    return { family: AF_INET6, source, destination, ttl: hops[0] ?? 0, length: message.length, message, age };
  }

  close(): void {
    clearTimeout(this.#pause);
    this.#socket.close();
  }
}

/** A packet with its IPv4 header, as raw sockets deliver it; undefined if the header is not whole. */
export function readIpv4(packet: Buffer, age: number): Arrival | undefined {
  const header = 4 * ((packet[0] ?? 0) & 15);
  if (header < 20 || packet.length < header) return undefined;
  return {
    family: AF_INET,
    source: packet.subarray(12, 16),
    destination: packet.subarray(16, 20),
    ttl: packet[8] ?? 0,
    length: packet.readUInt16BE(2) - header,
    message: packet.subarray(header),
    age,
  };
}

/** Microseconds since the kernel received the message. The clock may have been set meanwhile: never below 0. */
function ageOf(control: ControlMessage[], now: number): number {
  const stamp = control.find((one) => one.level === SOL_SOCKET && one.type === SO_TIMESTAMPNS)?.data;
  if (stamp === undefined || stamp.length < 16) return 0;
  const bytes = Buffer.from(stamp);
  const at = Number(host.readU64(bytes, 0)) * 1e6 + Number(host.readU64(bytes, 8)) / 1e3;
  return Math.max(0, Math.round(now * 1e3 - at));
}
