// SPDX-License-Identifier: MIT
// Records the netlink requests of a namespace that change IPVS or addresses, from an nlmon device, one line of text
// each.

import type { Namespace } from '../../../lab/topology.ts';
import { AF_INET6, type Family, formatAddress } from '../../../src/base/addresses.ts';
import { type NativeSocket, native } from '../../../src/base/native.ts';
import { COMMAND } from '../../../src/ipvs/tables.ts';
import { type Decoded, decodeTable } from '../../../src/netlink/attributes.ts';
import { GenericNetlink } from '../../../src/netlink/index.ts';
import { AttributeReader } from '../../../src/netlink/reader.ts';

const AF_PACKET = 17;
const SOCK_RAW = 3;
const ETH_P_ALL = 0x0003;
const NETLINK_ROUTE = 0;
const NETLINK_GENERIC = 16;
const NLM_F_REQUEST = 1;
const RTM_NEWADDR = 20;
const RTM_DELADDR = 21;
const DEVICE = 'nlmon0';
const SLOTS = 32;
const SLOT_SIZE = 65536;
const ADDRESS_SIZE = 20;

/** Commands of the IPVS family that only read. */
const READS = new Set([4, 8, 11, 13, 15, 20]);
const NAMES: Readonly<Record<number, string>> = {
  ...{ 1: 'NEW_SERVICE', 2: 'SET_SERVICE', 3: 'DEL_SERVICE', 5: 'NEW_DEST', 6: 'SET_DEST', 7: 'DEL_DEST' },
  ...{ 12: 'SET_CONFIG', 16: 'ZERO', 17: 'FLUSH', 18: 'NEW_LADDR', 19: 'DEL_LADDR' },
};
const METHODS = ['nat', 'local', 'tunnel', 'direct', 'bypass', 'fullnat'];

type Command = Decoded<typeof COMMAND>;

export class Trace {
  readonly #where: Namespace;
  readonly #socket: NativeSocket;
  readonly #family: number;
  readonly #devices = new Map<number, string>();

  /** Starts recording; IPVS must be loaded. */
  static async open(where: Namespace): Promise<Trace> {
    const genl = new GenericNetlink();
    try {
      return new Trace(where, (await genl.family('IPVS')).id);
    } finally {
      genl.close();
    }
  }

  private constructor(where: Namespace, family: number) {
    this.#where = where;
    this.#family = family;
    where.ip(`link add ${DEVICE} type nlmon`, `link set ${DEVICE} up`);
    const links = JSON.parse(where.run(['ip', '-j', 'link']).stdout) as { ifindex: number; ifname: string }[];
    for (const { ifindex, ifname } of links) this.#devices.set(ifindex, ifname);
    const own = links.find(({ ifname }) => ifname === DEVICE);
    this.#socket = new (native().Socket)(AF_PACKET, SOCK_RAW, ETH_P_ALL << 8, `/run/netns/${where.name}`);
    this.#socket.setsockopt(1, 33, 32 << 20); // SOL_SOCKET, SO_RCVBUFFORCE
    const address = Buffer.alloc(ADDRESS_SIZE);
    address.writeUInt16LE(AF_PACKET, 0);
    address.writeUInt16BE(ETH_P_ALL, 2);
    address.writeInt32LE(own?.ifindex ?? 0, 4);
    this.#socket.bind(address);
  }

  /** The requests since the last call that change something, in their order. */
  take(): string[] {
    const lines: string[] = [];
    const data = Buffer.alloc(SLOTS * SLOT_SIZE);
    const addresses = Buffer.alloc(SLOTS * ADDRESS_SIZE);
    const info = new Int32Array(SLOTS * 4);
    for (let count = 1; count > 0; ) {
      count = this.#socket.receive(data, info, addresses);
      for (let i = 0; i < count; i++) {
        const protocol = addresses.readUInt16BE(i * ADDRESS_SIZE + 2);
        const packet = data.subarray(i * SLOT_SIZE, i * SLOT_SIZE + (info[4 * i] ?? 0));
        lines.push(...this.#requests(packet, protocol));
      }
    }
    return lines;
  }

  close(): void {
    this.#socket.close();
    this.#where.ip(`link del ${DEVICE}`);
  }

  #requests(packet: Buffer, protocol: number): string[] {
    const lines: string[] = [];
    for (let at = 0; at + 16 <= packet.length; ) {
      const length = packet.readUInt32LE(at);
      if (length < 16 || at + length > packet.length) break;
      const type = packet.readUInt16LE(at + 4);
      const message = packet.subarray(at + 16, at + length);
      if (packet.readUInt16LE(at + 6) & NLM_F_REQUEST) {
        if (protocol === NETLINK_GENERIC && type === this.#family && !READS.has(message[0] ?? 0))
          lines.push(commandLine(message));
        if (protocol === NETLINK_ROUTE && (type === RTM_NEWADDR || type === RTM_DELADDR))
          lines.push(this.#addressLine(type, message));
      }
      at += (length + 3) & ~3;
    }
    return lines;
  }

  /** struct ifaddrmsg, then IFA_LOCAL (2). */
  #addressLine(type: number, message: Buffer): string {
    const family = message[0] as Family;
    const prefix = message[1];
    const device = this.#devices.get(message.readUInt32LE(4)) ?? 'unknown device';
    const { local } = decodeTable({ local: [2, 'bytes'] }, new AttributeReader(message, 8, message.length));
    const text = local ? formatAddress(family, local) : '';
    return `${type === RTM_NEWADDR ? 'NEW_ADDR' : 'DEL_ADDR'} ${text}/${prefix} ${device}`;
  }
}

function commandLine(message: Buffer): string {
  const number = message[0] ?? 0;
  const command = decodeTable(COMMAND, new AttributeReader(message, 4, message.length));
  const { service, dest, localAddress, tcpTimeout, tcpFinTimeout, udpTimeout } = command;
  const name = NAMES[number] ?? `command ${number}`;
  const words = [name, service && keyText(service)];
  if (name === 'NEW_SERVICE' || name === 'SET_SERVICE') words.push(settingsText(service ?? {}));
  if (dest) words.push(destText(dest, name !== 'DEL_DEST'));
  if (localAddress?.address)
    words.push(addressText(localAddress.family, localAddress.address), localAddress.flags ? 'drain' : '');
  if (name === 'SET_CONFIG') words.push(`tcp ${tcpTimeout} tcp_fin ${tcpFinTimeout} udp ${udpTimeout}`);
  return words.filter(Boolean).join(' ');
}

/** In IPVS messages every address takes 16 bytes. */
function addressText(family: number | undefined, address: Uint8Array): string {
  return family === AF_INET6 ? formatAddress(AF_INET6, address) : formatAddress(2, address.subarray(0, 4));
}

function keyText({ family, protocol, address, port, fwmark }: NonNullable<Command['service']>): string {
  if (fwmark) return `fwmark ${fwmark}${family === AF_INET6 ? ' ipv6' : ''}`;
  const text = address ? addressText(family, address) : 'no address';
  return `${protocol === 6 ? 'tcp' : 'udp'} ${family === AF_INET6 ? `[${text}]` : text}:${port}`;
}

function settingsText({
  scheduler,
  flags,
  timeout,
  netmask,
  peName,
  portMin,
  portMax,
}: NonNullable<Command['service']>) {
  const bits = flags ? Buffer.from(flags).readUInt32LE(0) : 0;
  const persistent = bits & 1 ? `persistent ${timeout} mask ${maskText(netmask ?? 0)}` : '';
  const others = bits & ~1 ? `flags ${(bits & ~1).toString(16)}` : '';
  const ports = portMin === undefined ? '' : `ports ${portMin}-${portMax}`;
  return [scheduler, persistent, peName ?? '', others, ports].filter(Boolean).join(' ');
}

/** The kernel keeps an IPv4 mask in network order. */
function maskText(mask: number): string {
  return [0, 8, 16, 24].map((shift) => (mask >>> shift) & 255).join('.');
}

function destText(dest: NonNullable<Command['dest']>, whole: boolean): string {
  const { family, address, port, method, weight, upperThreshold, lowerThreshold } = dest;
  const where = `${address ? addressText(family, address) : 'no address'}:${port}`;
  if (!whole) return where;
  const { tunnelType, tunnelPort, tunnelFlags } = dest;
  const tunnel = [tunnelType, tunnelPort, tunnelFlags].some(Boolean)
    ? ` type ${tunnelType} port ${tunnelPort} flags ${tunnelFlags}`
    : '';
  const limits = upperThreshold || lowerThreshold ? ` limits ${upperThreshold}-${lowerThreshold}` : '';
  return `${where} ${METHODS[method ?? 0] ?? method}${tunnel} w${weight}${limits}`;
}
