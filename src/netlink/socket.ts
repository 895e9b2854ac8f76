// SPDX-License-Identifier: MIT
/** One netlink socket: sets its options, receives, and reports overruns. */
import { isErrno } from '../base/errno.ts';
import { MalformedError, NetlinkOverrunError } from '../base/errors.ts';
import { type NativeSocket, native, READABLE } from '../base/native.ts';
import {
  AF_NETLINK,
  MSG_TRUNC,
  NETLINK_ADD_MEMBERSHIP,
  NETLINK_CAP_ACK,
  NETLINK_DROP_MEMBERSHIP,
  NETLINK_EXT_ACK,
  NETLINK_GET_STRICT_CHK,
  SO_RCVBUF,
  SO_RCVBUFFORCE,
  SOCK_RAW,
  SOL_NETLINK,
  SOL_SOCKET,
} from './constants.ts';
import { netlinkCounts } from './counts.ts';
import { host } from './endian.ts';
import { MessageView } from './reader.ts';

/** A dump skb holds at most 32 KiB; twice that leaves room for large single answers. */
const SLOT_SIZE = 65536;
const INFO_WORDS = 4;
const RECEIVE_BUFFER = 4 << 20;
/** Rounds of recvmmsg per call by default, so that a burst of notifications does not block the event loop. */
const ROUNDS = 64;

export interface NetlinkSocketOptions {
  /** Path of the network namespace to open the socket in; default: the caller's. */
  netns?: string | undefined;
  /** Messages per system call. */
  slots?: number | undefined;
  /** System calls in one turn of the event loop. */
  rounds?: number | undefined;
  /** Receive buffer in bytes. More than rmem_max requires CAP_NET_ADMIN; without it the limit is rmem_max. */
  receiveBuffer?: number | undefined;
}

export interface NetlinkHandlers {
  message(view: MessageView): void;
  /** The kernel dropped messages. Called after all remaining ones have been read. */
  overrun(error: NetlinkOverrunError): void;
  /** The socket has failed and is closed. */
  failed(error: Error): void;
}

/** struct sockaddr_nl. Port id 0 is the kernel, and on bind lets the kernel choose one. */
function netlinkAddress(portId: number): Buffer {
  const address = Buffer.allocUnsafeSlow(12);
  host.writeU32(address, 0, 0);
  host.writeU16(address, AF_NETLINK, 0);
  host.writeU32(address, portId, 4);
  host.writeU32(address, 0, 8);
  return address;
}

export class NetlinkSocket {
  readonly #socket: NativeSocket;
  readonly #handlers: NetlinkHandlers;
  readonly #data: Buffer;
  readonly #info: Int32Array;
  readonly #rounds: number;
  #overrun = false;
  #receiving = false;

  constructor(protocol: number, handlers: NetlinkHandlers, options: NetlinkSocketOptions = {}) {
    const slots = options.slots ?? 8;
    this.#handlers = handlers;
    this.#rounds = options.rounds ?? ROUNDS;
    this.#data = Buffer.allocUnsafeSlow(slots * SLOT_SIZE);
    this.#info = new Int32Array(slots * INFO_WORDS);
    this.#socket = new (native().Socket)(AF_NETLINK, SOCK_RAW, protocol, options.netns);
    try {
      this.#setReceiveBuffer(options.receiveBuffer ?? RECEIVE_BUFFER);
      for (const option of [NETLINK_EXT_ACK, NETLINK_CAP_ACK, NETLINK_GET_STRICT_CHK])
        this.#socket.setsockopt(SOL_NETLINK, option, 1);
      this.#socket.bind(netlinkAddress(0));
      // Connected to the kernel, so that other processes cannot send answers.
      this.#socket.connect(netlinkAddress(0));
      this.#socket.watch(READABLE, () => this.receive());
      this.#socket.unref();
    } catch (error) {
      this.#socket.close();
      throw error;
    }
  }

  #setReceiveBuffer(bytes: number): void {
    try {
      this.#socket.setsockopt(SOL_SOCKET, SO_RCVBUFFORCE, bytes);
    } catch {
      this.#socket.setsockopt(SOL_SOCKET, SO_RCVBUF, bytes);
    }
  }

  /** The port id, unique among the netlink sockets of this protocol. */
  get portId(): number {
    return host.readU32(this.#socket.getsockname(), 4);
  }

  get closed(): boolean {
    return this.#socket.fd < 0;
  }

  /** Sends whole messages; false if the socket would block. */
  send(messages: Uint8Array): boolean {
    return this.#socket.send(messages) >= 0;
  }

  join(group: number): void {
    this.#socket.setsockopt(SOL_NETLINK, NETLINK_ADD_MEMBERSHIP, group);
  }

  leave(group: number): void {
    this.#socket.setsockopt(SOL_NETLINK, NETLINK_DROP_MEMBERSHIP, group);
  }

  /** Whether the socket keeps the process alive. */
  hold(held: boolean): void {
    if (held) this.#socket.ref();
    else this.#socket.unref();
  }

  close(): void {
    this.#socket.close();
  }

  /**
   * Reads the pending messages; what is left after the last round, in the next turn of the event loop. Called by the event
   * loop, and by callers directly after a send, because the kernel answers most requests before sendmsg(2) returns. After
   * an overrun the kernel drops further messages until the queue is empty, so the overrun is reported, and new requests are
   * sent, only then.
   */
  receive(): void {
    if (this.#receiving) return;
    this.#receiving = true;
    try {
      for (let round = 0; round < (this.#overrun ? ROUNDS : this.#rounds) && !this.closed; round++) {
        const count = this.#receiveSome();
        if (count === 0) {
          this.#reportOverrun();
          return;
        }
      }
    } catch (error) {
      this.close();
      this.#handlers.failed(error instanceof Error ? error : new Error(String(error)));
    } finally {
      this.#receiving = false;
    }
  }

  /** Number of messages received; -1 for an overrun. */
  #receiveSome(): number {
    let count: number;
    try {
      count = this.#socket.receive(this.#data, this.#info);
    } catch (error) {
      if (!isErrno(error, 'ENOBUFS')) throw error;
      this.#overrun = true;
      return -1;
    }
    for (let i = 0; i < count && !this.closed; i++) this.#dispatch(i);
    return count;
  }

  #dispatch(slot: number): void {
    const length = this.#info[slot * INFO_WORDS] ?? 0;
    if ((this.#info[slot * INFO_WORDS + 1] ?? 0) & MSG_TRUNC)
      throw new MalformedError(`the kernel sent a message of more than ${SLOT_SIZE} bytes`);
    const start = slot * SLOT_SIZE;
    const view = new MessageView(this.#data, start, start + length);
    while (!this.closed && view.next()) this.#handlers.message(view);
  }

  #reportOverrun(): void {
    if (!this.#overrun) return;
    this.#overrun = false;
    netlinkCounts.overruns++;
    this.#handlers.overrun(new NetlinkOverrunError());
  }
}
