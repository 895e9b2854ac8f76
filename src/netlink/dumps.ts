// SPDX-License-Identifier: MIT
/**
 * Dumps, one at a time: the kernel keeps one per socket and answers a second with EBUSY. A dump that the table
 * changed under (NLM_F_DUMP_INTR) is read again; the errno of NLMSG_DONE is an error like any other.
 */
import {
  MalformedError,
  NetlinkClosedError,
  NetlinkDumpInterruptedError,
  type NetlinkError,
  NetlinkTimeoutError,
} from '../base/errors.ts';
import { readAck } from './ack.ts';
import { now } from './clock.ts';
import { NLM_F_DUMP_INTR, NLMSG_DONE, NLMSG_ERROR, NLMSG_NOOP, NLMSG_OVERRUN } from './constants.ts';
import { Deadline } from './deadline.ts';
import { host } from './endian.ts';
import type { MessageView } from './reader.ts';
import { NetlinkSocket, type NetlinkSocketOptions } from './socket.ts';

/** Attempts at a dump before a table that never holds still is reported. */
export const DUMP_ATTEMPTS = 8;

/** Small dumps are answered at once; after so many the event loop gets its turn. */
const DUMPS_A_TURN = 64;

export interface DumpOptions {
  /** Milliseconds without any message of the dump. */
  timeout: number;
}

interface Dump {
  readonly message: Buffer;
  readonly options: DumpOptions;
  readonly decode: (view: MessageView) => void;
  /** Forgets what an interrupted attempt had decoded. */
  readonly reset: () => void;
  readonly resolve: () => void;
  readonly reject: (error: unknown) => void;
  attempt: number;
  interrupted: boolean;
  failure: unknown;
}

export class DumpChannel {
  readonly #protocol: number;
  readonly #options: NetlinkSocketOptions;
  readonly #deadline = new Deadline(() => this.#expired());
  #socket: NetlinkSocket | undefined;
  readonly #queue: Dump[] = [];
  #current: Dump | undefined;
  #sequence = 1;
  #lastHeard = 0;
  #starting = false;
  #sinceTurn = 0;
  #closed: Error | undefined;

  constructor(protocol: number, options: NetlinkSocketOptions = {}) {
    this.#protocol = protocol;
    this.#options = options;
  }

  /** Decodes each message of the dump; messages for which `decode` returns undefined are left out. */
  dump<T>(message: Buffer, decode: (view: MessageView) => T | undefined, options: DumpOptions): Promise<T[]> {
    if (this.#closed) return Promise.reject(this.#closed);
    let items: T[] = [];
    return new Promise((resolve, reject) => {
      this.#queue.push({
        message,
        options,
        decode: (view) => {
          const item = decode(view);
          if (item !== undefined) items.push(item);
        },
        reset: () => {
          items = [];
        },
        resolve: () => resolve(items),
        reject,
        attempt: 1,
        interrupted: false,
        failure: undefined,
      });
      this.#startNext();
    });
  }

  close(reason: Error = new NetlinkClosedError()): void {
    if (this.#closed) return;
    this.#closed = reason;
    this.#socket?.close();
    this.#deadline.arm(undefined);
    const current = this.#current;
    this.#current = undefined;
    current?.reject(reason);
    for (const dump of this.#queue.splice(0)) dump.reject(reason);
  }

  #startNext(): void {
    // Dumps are answered while they are sent; the loop keeps a long queue off the stack.
    if (this.#starting) return;
    this.#starting = true;
    try {
      while (!this.#closed && !this.#current && this.#queue.length > 0) {
        if (this.#sinceTurn++ === DUMPS_A_TURN)
          setImmediate(() => {
            this.#sinceTurn = 0;
            this.#startNext();
          });
        if (this.#sinceTurn > DUMPS_A_TURN) break;
        this.#current = this.#queue.shift();
        this.#start();
      }
    } finally {
      this.#starting = false;
    }
    if (!this.#current && !this.#closed && this.#queue.length === 0) {
      this.#socket?.hold(false);
      this.#deadline.arm(undefined);
    }
  }

  #start(): void {
    const dump = this.#current;
    if (!dump) return;
    try {
      this.#socket ??= this.#open();
      this.#sequence = this.#sequence >= 0xffffffff ? 1 : this.#sequence + 1;
      host.writeU32(dump.message, this.#sequence, 8);
      dump.interrupted = false;
      this.#socket.hold(true);
      this.#lastHeard = now();
      this.#deadline.arm(this.#lastHeard + dump.options.timeout);
      // One message at a time never fills the send buffer; should it, the timeout tells.
      this.#socket.send(dump.message);
      this.#socket.receive();
    } catch (error) {
      this.#abandon(error);
    }
  }

  #open(): NetlinkSocket {
    return new NetlinkSocket(
      this.#protocol,
      {
        message: (view) => this.#receive(view),
        overrun: (error) => this.#abandon(error),
        failed: (error) => this.#abandon(error),
      },
      { slots: 8, ...this.#options },
    );
  }

  #receive(view: MessageView): void {
    const dump = this.#current;
    if (!dump || view.sequence !== this.#sequence || view.type === NLMSG_NOOP) return;
    this.#lastHeard = now();
    if (view.flags & NLM_F_DUMP_INTR) dump.interrupted = true;
    if (view.type === NLMSG_ERROR || view.type === NLMSG_DONE) this.#finish(dump, readAck(view));
    else if (view.type === NLMSG_OVERRUN) this.#abandon(new MalformedError('the kernel reports NLMSG_OVERRUN'));
    else if (dump.failure === undefined) this.#decode(dump, view);
  }

  #decode(dump: Dump, view: MessageView): void {
    try {
      dump.decode(view);
    } catch (error) {
      dump.failure = error;
    }
  }

  #finish(dump: Dump, error: NetlinkError | undefined): void {
    if (dump.interrupted && !error) {
      if (dump.attempt < DUMP_ATTEMPTS) {
        dump.attempt++;
        dump.failure = undefined;
        dump.reset();
        // The rest of this datagram is still to be read.
        queueMicrotask(() => {
          if (this.#current === dump) this.#start();
        });
        return;
      }
      dump.failure = new NetlinkDumpInterruptedError(dump.attempt);
    }
    this.#current = undefined;
    const failure = error ?? dump.failure;
    if (failure === undefined) dump.resolve();
    else dump.reject(failure);
    // Not from here: the socket is still being read.
    queueMicrotask(() => this.#startNext());
  }

  /** The kernel may go on with a dump that we gave up, and would refuse the next: a new socket is the way out. */
  #abandon(error: unknown): void {
    this.#socket?.close();
    this.#socket = undefined;
    const dump = this.#current;
    this.#current = undefined;
    dump?.reject(error);
    queueMicrotask(() => this.#startNext());
  }

  #expired(): void {
    const dump = this.#current;
    if (!dump) return;
    this.#socket?.receive();
    if (this.#current !== dump) return;
    const due = this.#lastHeard + dump.options.timeout;
    if (due > now()) this.#deadline.arm(due);
    else this.#abandon(new NetlinkTimeoutError(dump.options.timeout));
  }
}
