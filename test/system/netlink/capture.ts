// SPDX-License-Identifier: MIT
// Captures generic netlink requests on an nlmon device with a packet socket of our addon.
import { spawnSync } from 'node:child_process';
import { type NativeSocket, native } from '../../../src/base/native.ts';

const AF_PACKET = 17;
const SOCK_RAW = 3;
const ETH_P_ALL = 0x0003;
const DEVICE = 'nlmon0';
const NETLINK_GENERIC = 16;
const NLM_F_REQUEST = 1;
const SLOTS = 32;
const SLOT_SIZE = 65536;
const ADDRESS_SIZE = 20;

/** A request: what follows the netlink header. */
export interface Request {
  type: number;
  command: number;
  /** The generic header and all attributes. */
  payload: Buffer;
}

export class Capture {
  readonly #socket: NativeSocket;

  constructor() {
    ip('link', 'add', DEVICE, 'type', 'nlmon');
    ip('link', 'set', DEVICE, 'up');
    this.#socket = new (native().Socket)(AF_PACKET, SOCK_RAW, ETH_P_ALL << 8);
    this.#socket.setsockopt(1, 33, 8 << 20); // SOL_SOCKET, SO_RCVBUFFORCE
    const address = Buffer.alloc(ADDRESS_SIZE);
    address.writeUInt16LE(AF_PACKET, 0);
    address.writeUInt16BE(ETH_P_ALL, 2);
    address.writeInt32LE(
      Number(spawnSync('cat', [`/sys/class/net/${DEVICE}/ifindex`], { encoding: 'utf8' }).stdout),
      4,
    );
    this.#socket.bind(address);
  }

  /** The requests of message type `type` since the last call. */
  take(type: number): Request[] {
    const requests: Request[] = [];
    const data = Buffer.alloc(SLOTS * SLOT_SIZE);
    const addresses = Buffer.alloc(SLOTS * ADDRESS_SIZE);
    const info = new Int32Array(SLOTS * 4);
    for (let count = 1; count > 0; ) {
      count = this.#socket.receive(data, info, addresses);
      for (let i = 0; i < count; i++) {
        if (addresses.readUInt16BE(i * ADDRESS_SIZE + 2) !== NETLINK_GENERIC) continue;
        const packet = data.subarray(i * SLOT_SIZE, i * SLOT_SIZE + (info[4 * i] ?? 0));
        requests.push(...requestsIn(packet).filter((request) => request.type === type));
      }
    }
    return requests;
  }

  close(): void {
    this.#socket.close();
    ip('link', 'del', DEVICE);
  }
}

function requestsIn(packet: Buffer): Request[] {
  const requests: Request[] = [];
  for (let at = 0; at + 16 <= packet.length; ) {
    const length = packet.readUInt32LE(at);
    if (length < 16 || at + length > packet.length) break;
    if (packet.readUInt16LE(at + 6) & NLM_F_REQUEST) {
      const payload = Buffer.from(packet.subarray(at + 16, at + length));
      requests.push({ type: packet.readUInt16LE(at + 4), command: payload[0] ?? 0, payload });
    }
    at += (length + 3) & ~3;
  }
  return requests;
}

function ip(...words: string[]): void {
  const { status, stderr } = spawnSync('ip', words, { encoding: 'utf8' });
  if (status !== 0) throw new Error(`ip ${words.join(' ')}: ${stderr}`);
}
