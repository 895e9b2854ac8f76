// SPDX-License-Identifier: MIT
/**
 * Dumps, one at a time: the kernel runs one per socket and answers a second with EBUSY. If the table changed during a
 * dump (NLM_F_DUMP_INTR), it is read again. An errno in NLMSG_DONE is an error like any other.
 */
import {
  MalformedError,
  NetlinkClosedError,
  NetlinkDumpInterruptedError,
  type NetlinkError,
  NetlinkTimeoutError,
} from '../base/errors.ts';
import { readAck } from './ack.ts';
import { now, soon } from './clock.ts';
import { NLM_F_DUMP_INTR, NLMSG_DONE, NLMSG_ERROR, NLMSG_NOOP, NLMSG_OVERRUN } from './constants.ts';
import { netlinkCounts } from './counts.ts';
import { Deadline } from './deadline.ts';
import { host } from './endian.ts';
import type { MessageView } from './reader.ts';
import { NetlinkSocket, type NetlinkSocketOptions } from './socket.ts';

/** Attempts to read a changing table before giving up. */
export const DUMP_ATTEMPTS = 8;

/** Small dumps are answered synchronously; after this many the event loop gets a turn. */
const DUMPS_A_TURN = 64;

export interface DumpOptions {
  /** Milliseconds without a message of the dump; detected within twice that time. */
  timeout: number;
}

interface Dump {
  readonly message: Buffer;
  readonly options: DumpOptions;
  readonly decode: (view: MessageView) => void;
  /** Discards the items of an interrupted attempt. */
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
  /** Deadline of the current dump unless a message of it arrives. */
  #due = 0;
  #heard = false;
  #starting = false;
  #sinceTurn = 0;
  #closed: Error | undefined;

  constructor(protocol: number, options: NetlinkSocketOptions = {}) {
    this.#protocol = protocol;
    this.#options = options;
  }

  /** Decodes each message of the dump, except those for which `decode` returns undefined. */
  dump<T>(message: Buffer, decode: (view: MessageView) => T | undefined, options: DumpOptions): Promise<T[]> {
    if (this.#closed) return Promise.reject(this.#closed);
    const items: T[] = [];
    return new Promise((resolve, reject) => {
      this.#queue.push({
        message,
        options,
        decode: (view) => {
          const item = decode(view);
          if (item !== undefined) items.push(item);
        },
        reset: () => {
          items.length = 0;
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
    // Dumps are answered synchronously; the loop avoids recursion for a long queue.
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
      // A single message does not fill the send buffer; if it did, the dump would time out.
      this.#socket.send(dump.message);
      this.#socket.receive();
      // Usually it has finished by now and needs no timer.
      if (this.#current === dump) this.#await(dump);
    } catch (error) {
      this.#abandon(error);
    }
  }

  #await({ options }: Dump): void {
    this.#heard = false;
    this.#due = now() + options.timeout;
    this.#deadline.arm(this.#due);
  }

  #open(): NetlinkSocket {
    return new NetlinkSocket(
      this.#protocol,
      {
        message: (view) => this.#receive(view),
        overrun: (error) => this.#abandon(error),
        failed: (error) => this.#abandon(error),
      },
      // A small dump is read whole; a long one by 512 KB a turn, so that it does not block the event loop.
      { slots: 8, rounds: 2, ...this.#options },
    );
  }

  #receive(view: MessageView): void {
    const dump = this.#current;
    if (!dump || view.sequence !== this.#sequence || view.type === NLMSG_NOOP) return;
    this.#heard = true;
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
        netlinkCounts.dumpRetries++;
        dump.failure = undefined;
        dump.reset();
        // Later, because the rest of this datagram is still being read.
        soon(() => {
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
    // Later, because the socket is still being read.
    soon(() => this.#startNext());
  }

  /** Opens a new socket: on the old one the kernel may continue the abandoned dump and reject the next. */
  #abandon(error: unknown): void {
    this.#socket?.close();
    this.#socket = undefined;
    const dump = this.#current;
    this.#current = undefined;
    dump?.reject(error);
    soon(() => this.#startNext());
  }

  #expired(): void {
    const dump = this.#current;
    if (!dump) return;
    this.#socket?.receive();
    if (this.#current !== dump) return;
    if (this.#heard) this.#await(dump);
    // The timer may be that of the previous dump.
    else if (this.#due > now()) this.#deadline.arm(this.#due);
    else this.#abandon(new NetlinkTimeoutError(dump.options.timeout));
  }
}
