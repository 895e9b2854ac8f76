// SPDX-License-Identifier: MIT
// Packets in a namespace: captures of a device, a sender of whole IP packets, and a TCP client made of packets.
import { writeFileSync } from 'node:fs';
import type { Namespace } from '../../../lab/topology.ts';
import { parseIpv4 } from '../../../src/base/addresses.ts';
import { type NativeSocket, native, READABLE } from '../../../src/base/native.ts';
import { ACK, type Icmp, parse, type Segment, type SegmentFields, SYN, tcpPacket } from './packets.ts';

const AF_INET = 2;
const AF_PACKET = 17;
const SOCK_DGRAM = 2;
const SOCK_RAW = 3;
const IPPROTO_RAW = 255;
const ETH_P_ALL_BE = 0x0300;
const PACKET_OUTGOING = 4;
const SOL_SOCKET = 1;
const SO_RCVBUFFORCE = 33;
/** Segments of 64 KB pass between namespaces unsegmented. */
const SLOT = 66_000;
const SLOTS = 32;
const LL_ADDRESS = 20;

export const netnsPath = (where: Namespace) => `/run/netns/${where.name}`;

/** A packet with its time (ms) and direction. */
export type Seen = (Segment | Icmp) & { at: number; outgoing: boolean };

/** Open captures, which keep the process alive. */
export const captures = new Set<Capture>();

/** All IPv4 packets that a device of a namespace sends and receives until close(); with `keep` only those it accepts. */
export class Capture {
  readonly packets: Seen[] = [];
  readonly #keep: (packet: Segment | Icmp) => boolean;
  readonly #socket: NativeSocket;
  readonly #data = Buffer.alloc(SLOT * SLOTS);
  readonly #info = new Int32Array(4 * SLOTS);
  readonly #addresses = Buffer.alloc(LL_ADDRESS * SLOTS);

  constructor(where: Namespace, device: string, keep: (packet: Segment | Icmp) => boolean = () => true) {
    this.#keep = keep;
    const [link] = JSON.parse(where.run(['ip', '-j', 'link', 'show', device]).stdout) as { ifindex: number }[];
    this.#socket = new (native().Socket)(AF_PACKET, SOCK_DGRAM, 0, netnsPath(where));
    this.#socket.setsockopt(SOL_SOCKET, SO_RCVBUFFORCE, 16 << 20);
    const address = Buffer.alloc(LL_ADDRESS);
    address.writeUInt16LE(AF_PACKET, 0);
    address.writeUInt16LE(ETH_P_ALL_BE, 2);
    address.writeInt32LE(link?.ifindex ?? 0, 4);
    this.#socket.bind(address);
    this.#socket.watch(READABLE, () => this.drain());
    captures.add(this);
  }

  /** Reads the packets that have arrived. */
  drain(): void {
    for (;;) {
      const count = this.#socket.receive(this.#data, this.#info, this.#addresses);
      const at = performance.now();
      for (let i = 0; i < count; i++) {
        const length = this.#info[4 * i] ?? 0;
        const packet = parse(Buffer.from(this.#data.subarray(i * SLOT, i * SLOT + length)));
        const outgoing = this.#addresses[i * LL_ADDRESS + 10] === PACKET_OUTGOING;
        if (packet && this.#keep(packet)) this.packets.push(Object.assign(packet, { at, outgoing }));
      }
      if (count < SLOTS) return;
    }
  }

  get segments(): (Segment & Seen)[] {
    this.drain();
    return this.packets.filter((packet): packet is Segment & Seen => packet.kind === 'tcp');
  }

  get icmp(): (Icmp & Seen)[] {
    this.drain();
    return this.packets.filter((packet): packet is Icmp & Seen => packet.kind === 'icmp');
  }

  clear(): void {
    this.drain();
    this.packets.length = 0;
  }

  close(): void {
    this.#socket.close();
    captures.delete(this);
  }
}

/** Writes packets as a capture file of raw IP, for other dissectors. */
export function savePcap(path: string, packets: readonly Buffer[]): void {
  const header = Buffer.alloc(24);
  header.writeUInt32LE(0xa1b2c3d4, 0);
  header.writeUInt16LE(2, 4);
  header.writeUInt16LE(4, 6);
  header.writeUInt32LE(SLOT, 16);
  header.writeUInt32LE(101, 20);
  const records = packets.map((bytes) => {
    const record = Buffer.alloc(16);
    record.writeUInt32LE(bytes.length, 8);
    record.writeUInt32LE(bytes.length, 12);
    return Buffer.concat([record, bytes]);
  });
  writeFileSync(path, Buffer.concat([header, ...records]));
}

function ipv4Address(text: string): Buffer {
  const address = Buffer.alloc(16);
  address.writeUInt16LE(AF_INET, 0);
  address.set(parseIpv4(text) ?? [], 4);
  return address;
}

/** Milliseconds that a packet waits for its socket. */
const LONGEST_WAIT = 10_000;
/** Never changes: waiting for it is a pause. */
const nothing = new Int32Array(new SharedArrayBuffer(4));

/** Sends whole IP packets, whatever their source, by the namespace's routes. */
export class Injector {
  readonly #socket: NativeSocket;

  constructor(where: Namespace) {
    this.#socket = new (native().Socket)(AF_INET, SOCK_RAW, IPPROTO_RAW, netnsPath(where));
  }

  /** Waits while the socket's buffer is full: on a busy machine the packets before are still on their way. */
  send(packet: Buffer): void {
    const to = ipv4Address(packet.subarray(16, 20).join('.'));
    for (let waited = 0; waited < LONGEST_WAIT; waited++) {
      const sent = this.#socket.send(packet, to);
      if (sent === packet.length) return;
      if (sent >= 0) throw new Error(`${sent} of ${packet.length} bytes were sent`);
      Atomics.wait(nothing, 0, 0, 1);
    }
    throw new Error(`the buffer of the socket was full for ${LONGEST_WAIT} ms`);
  }

  close(): void {
    this.#socket.close();
  }
}

/** Waits until `find` returns a value; throws after `timeout` ms. */
export async function eventually<T>(
  what: string,
  find: () => T | undefined | false | Promise<T | undefined | false>,
  timeout = 5000,
): Promise<T> {
  const end = performance.now() + timeout;
  for (;;) {
    const found = await find();
    if (found !== undefined && found !== false) return found;
    if (performance.now() > end) throw new Error(`not within ${timeout} ms: ${what}`);
    await new Promise((done) => setTimeout(done, 5));
  }
}

export const sleep = (ms: number) => new Promise<void>((done) => setTimeout(done, ms));

/**
 * A client made of packets, on an address of its own: the host's own stack never sees packets to it. The address is
 * added to `device`; a rule drops packets to it after the captures have seen them.
 */
export class RawHost {
  readonly capture: Capture;
  readonly #injector: Injector;
  readonly address: string;

  constructor(where: Namespace, device: string, address: string) {
    this.address = address;
    where.ip(`addr add ${address}/32 dev ${device}`);
    const rule = `type filter hook prerouting priority -400\nip daddr ${address} drop`;
    where.run(['nft', '-f', '-'], { input: `table ip raw_host {\nchain in {\n${rule}\n}\n}\n` });
    // Others on the device may receive a million segments.
    this.capture = new Capture(where, device, (packet) => [packet.source, packet.destination].includes(address));
    this.#injector = new Injector(where);
  }

  send(packet: Buffer): void {
    this.#injector.send(packet);
  }

  flow(to: string, port: number, from: number): RawFlow {
    return new RawFlow(this, to, port, from);
  }

  close(): void {
    this.capture.close();
    this.#injector.close();
  }
}

/** One connection of a RawHost, with its sequence numbers. */
export class RawFlow {
  readonly host: RawHost;
  readonly to: string;
  readonly port: number;
  readonly from: number;
  /** Next number to send, next number expected. */
  seq = Math.floor(Math.random() * 2 ** 32);
  ack = 0;
  window = 64240;

  constructor(host: RawHost, to: string, port: number, from: number) {
    this.host = host;
    this.to = to;
    this.port = port;
    this.from = from;
  }

  get name(): string {
    return `${this.host.address}:${this.from}`;
  }

  /** Sends a segment with the present numbers, and advances them. Returns the packet. */
  send(flags: number, extra: Partial<SegmentFields> = {}): Buffer {
    const packet = tcpPacket({
      ...{ source: this.host.address, destination: this.to, sourcePort: this.from, destinationPort: this.port },
      ...{ seq: this.seq, ack: flags & ACK ? this.ack : 0, flags, window: this.window },
      ...extra,
    });
    this.host.send(packet);
    this.seq = (this.seq + (extra.payload?.length ?? 0) + (flags & SYN ? 1 : 0) + (flags & 1 ? 1 : 0)) >>> 0;
    return packet;
  }

  /** Segments received for this flow. */
  received(): (Segment & Seen)[] {
    return this.host.capture.segments.filter(
      (segment) =>
        !segment.outgoing &&
        segment.source === this.to &&
        segment.sourcePort === this.port &&
        segment.destinationPort === this.from,
    );
  }

  /** Waits for a segment that satisfies `test`, and acknowledges it with the next one sent. */
  async expect(what: string, test: (segment: Segment) => boolean, timeout?: number): Promise<Segment & Seen> {
    const segment = await eventually(what, () => this.received().find(test), timeout);
    this.ack =
      (segment.seq + segment.payload.length + (segment.flags & SYN ? 1 : 0) + (segment.flags & 1 ? 1 : 0)) >>> 0;
    return segment;
  }

  /** SYN, SYN-ACK, ACK, with the options given. */
  async handshake(syn: Uint8Array = new Uint8Array(), third: Uint8Array = new Uint8Array()): Promise<Segment & Seen> {
    this.send(SYN, { options: syn });
    const answer = await this.expect('SYN-ACK', (segment) => (segment.flags & (SYN | ACK)) === (SYN | ACK));
    this.send(ACK, { options: third });
    return answer;
  }
}
