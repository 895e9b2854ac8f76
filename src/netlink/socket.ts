// SPDX-License-Identifier: MIT
/** One netlink socket: opened with the options that we always want, drained the one way that loses nothing. */
import { MalformedError, NetlinkOverrunError } from '../base/errors.ts';
import { isSystemError, type NativeSocket, native, READABLE } from '../base/native.ts';
import {
  AF_NETLINK,
  ENOBUFS,
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
import { host } from './endian.ts';
import { MessageView } from './reader.ts';

/** A dump skb holds at most 32 KiB; twice that leaves room for single large answers. */
const SLOT_SIZE = 65536;
const INFO_WORDS = 4;
const RECEIVE_BUFFER = 4 << 20;
/** Rounds of recvmmsg in one go, so that a storm of notifications cannot keep the event loop. */
const ROUNDS = 64;

export interface NetlinkSocketOptions {
  /** Path of the network namespace to open the socket in; default: the caller's. */
  netns?: string | undefined;
  /** Messages of one system call. */
  slots?: number | undefined;
  /** Bytes that the kernel may queue for us. More than rmem_max needs CAP_NET_ADMIN; without it we get rmem_max. */
  receiveBuffer?: number | undefined;
}

export interface NetlinkHandlers {
  /** A whole datagram, which may hold many messages; true: it is dealt with, and `message` is not called for them. */
  datagram?(data: Buffer, start: number, end: number): boolean;
  message(view: MessageView): void;
  /** The kernel dropped messages; called once everything that it had kept is read. */
  overrun(error: NetlinkOverrunError): void;
  /** The socket is of no more use, and closed. */
  failed(error: Error): void;
}

/** struct sockaddr_nl with the given port id: 0 is the kernel, and to bind: choose one. */
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
  #overrun = false;
  #receiving = false;

  constructor(protocol: number, handlers: NetlinkHandlers, options: NetlinkSocketOptions = {}) {
    const slots = options.slots ?? 8;
    this.#handlers = handlers;
    this.#data = Buffer.allocUnsafeSlow(slots * SLOT_SIZE);
    this.#info = new Int32Array(slots * INFO_WORDS);
    this.#socket = new (native().Socket)(AF_NETLINK, SOCK_RAW, protocol, options.netns);
    try {
      this.#setReceiveBuffer(options.receiveBuffer ?? RECEIVE_BUFFER);
      for (const option of [NETLINK_EXT_ACK, NETLINK_CAP_ACK, NETLINK_GET_STRICT_CHK])
        this.#socket.setsockopt(SOL_NETLINK, option, 1);
      this.#socket.bind(netlinkAddress(0));
      // Connected to the kernel, so that no other process can slip an answer in.
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

  /** Our address among the netlink sockets of this protocol. */
  get portId(): number {
    return host.readU32(this.#socket.getsockname(), 4);
  }

  get closed(): boolean {
    return this.#socket.fd < 0;
  }

  /** Sends whole messages; false when the socket would block. */
  send(messages: Uint8Array): boolean {
    return this.#socket.send(messages) >= 0;
  }

  join(group: number): void {
    this.#socket.setsockopt(SOL_NETLINK, NETLINK_ADD_MEMBERSHIP, group);
  }

  leave(group: number): void {
    this.#socket.setsockopt(SOL_NETLINK, NETLINK_DROP_MEMBERSHIP, group);
  }

  /** Keeps the process alive while something is awaited. */
  hold(held: boolean): void {
    if (held) this.#socket.ref();
    else this.#socket.unref();
  }

  close(): void {
    this.#socket.close();
  }

  /**
   * Reads what is there. The event loop calls it; callers may too, right after a send: the kernel answers most
   * requests before sendmsg(2) returns. After an overrun the kernel drops everything more until the queue is
   * empty, so nothing is reported, and nothing should be sent, before that.
   */
  receive(): void {
    if (this.#receiving) return;
    this.#receiving = true;
    try {
      for (let round = 0; round < ROUNDS && !this.closed; round++) {
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

  /** Messages received; -1 for an overrun noticed. */
  #receiveSome(): number {
    let count: number;
    try {
      count = this.#socket.receive(this.#data, this.#info);
    } catch (error) {
      if (!isSystemError(error) || error.errno !== -ENOBUFS) throw error;
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
    if (this.#handlers.datagram?.(this.#data, start, start + length)) return;
    const view = new MessageView(this.#data, start, start + length);
    while (!this.closed && view.next()) this.#handlers.message(view);
  }

  #reportOverrun(): void {
    if (!this.#overrun) return;
    this.#overrun = false;
    this.#handlers.overrun(new NetlinkOverrunError());
  }
}
