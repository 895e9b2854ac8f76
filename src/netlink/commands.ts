// SPDX-License-Identifier: MIT
/**
 * Requests that are answered by an ack. They are sent in order, many per system call, with at most WINDOW unanswered:
 * with more, the acks overrun any receive buffer. Only the last request of a system call has NLM_F_ACK: the kernel
 * answers in order and reports errors unasked, so one ack confirms all requests before it.
 */
import { type LvsdError, NetlinkClosedError, NetlinkError, NetlinkTimeoutError } from '../base/errors.ts';
import { readAck } from './ack.ts';
import { now, soon } from './clock.ts';
import { NLM_F_ACK, NLMSG_DONE, NLMSG_ERROR, NLMSG_NOOP } from './constants.ts';
import { Deadline } from './deadline.ts';
import { host } from './endian.ts';
import type { MessageView } from './reader.ts';
import { NetlinkSocket, type NetlinkSocketOptions } from './socket.ts';

export const WINDOW = 128;
/** Bytes per sendmsg, well below the default send buffer. */
const BATCH_BYTES = 64 << 10;

export interface CommandOptions {
  /** Milliseconds from the time of sending. */
  timeout: number;
  /** Called for each answer before the ack; an exception rejects the request. */
  onReply?: ((view: MessageView) => void) | undefined;
}

interface Pending {
  readonly message: Buffer;
  readonly options: CommandOptions;
  readonly resolve: () => void;
  readonly reject: (error: unknown) => void;
  deadline: number;
  failure: unknown;
  /** Sent without NLM_F_ACK: a later ack confirms it. */
  quiet: boolean;
  /** Set for the messages of a `sendAll`. */
  batch: Batch | undefined;
}

interface Batch {
  count: number;
  /** Sequence number of the first message, once sent. */
  first: number;
  /** By message index. */
  refused: Map<number, NetlinkError>;
}

export class CommandChannel {
  readonly #socket: NetlinkSocket;
  readonly #inFlight = new Map<number, Pending>();
  readonly #batch = Buffer.allocUnsafeSlow(BATCH_BYTES);
  readonly #deadline = new Deadline(() => this.#expire());
  #queue: Pending[] = [];
  #head = 0;
  #sequence = 1;
  #scheduled = false;
  #flushing = false;
  /** Bytes of a sendmsg that would block; their requests count as in flight, and they are sent again later. */
  #unsent: Buffer | undefined;
  #closed: LvsdError | Error | undefined;

  constructor(protocol: number, options: NetlinkSocketOptions = {}) {
    this.#socket = new NetlinkSocket(
      protocol,
      {
        message: (view) => this.#receive(view),
        overrun: (error) => this.#failInFlight(error),
        failed: (error) => this.close(error),
      },
      { slots: 16, ...options },
    );
  }

  get portId(): number {
    return this.#socket.portId;
  }

  /** `message` must have NLM_F_ACK set; rejects with the kernel's error. */
  request(message: Buffer, options: CommandOptions): Promise<void> {
    if (this.#closed) return Promise.reject(this.#closed);
    return new Promise((resolve, reject) => {
      this.#queue.push({
        message,
        options,
        resolve,
        reject,
        deadline: 0,
        failure: undefined,
        quiet: false,
        batch: undefined,
      });
      this.#schedule();
    });
  }

  /**
   * Queues encoded messages, which are sent in one system call. Only the last may have NLM_F_ACK set; sequence numbers
   * are written into them. Resolves with errors by message index.
   */
  sendAll(messages: Buffer, timeout: number): Promise<ReadonlyMap<number, NetlinkError>> {
    if (this.#closed) return Promise.reject(this.#closed);
    const batch: Batch = { count: 0, first: 0, refused: new Map() };
    for (let at = 0; at < messages.length; at += (host.readU32(messages, at) + 3) & ~3) batch.count++;
    return new Promise((resolve, reject) => {
      this.#queue.push({
        message: messages,
        options: { timeout },
        resolve: () => resolve(batch.refused),
        reject: (error) => {
          if (!(error instanceof NetlinkError)) return reject(error);
          batch.refused.set(batch.count - 1, error);
          resolve(batch.refused);
        },
        deadline: 0,
        failure: undefined,
        quiet: false,
        batch,
      });
      this.#schedule();
    });
  }

  /** Records the error of a message of `sendAll` other than the last. */
  #refuse(view: MessageView): void {
    if (view.type !== NLMSG_ERROR) return;
    for (const { batch } of this.#inFlight.values()) {
      const place = batch ? view.sequence - batch.first : -1;
      if (!batch || place < 0 || place >= batch.count) continue;
      const error = readAck(view);
      if (error) batch.refused.set(place, error);
      return;
    }
  }

  close(reason: Error = new NetlinkClosedError()): void {
    if (this.#closed) return;
    this.#closed = reason;
    this.#socket.close();
    const queued = this.#queue.slice(this.#head);
    this.#queue = [];
    this.#head = 0;
    this.#failInFlight(reason);
    for (const pending of queued) pending.reject(reason);
  }

  /** Requests of one turn of the event loop are sent together. */
  #schedule(): void {
    if (this.#scheduled || this.#flushing) return;
    this.#scheduled = true;
    soon(() => {
      this.#scheduled = false;
      if (!this.#closed) this.#flush();
    });
  }

  #flush(): void {
    this.#socket.hold(true);
    this.#flushing = true;
    try {
      if (this.#unsent) this.#transmit(this.#unsent);
      if (!this.#unsent) this.#sendWindow();
      this.#socket.receive();
    } catch (error) {
      this.close(error instanceof Error ? error : new Error(String(error)));
    } finally {
      this.#flushing = false;
    }
    if (this.#closed) return;
    this.#deadline.arm(this.#nextDeadline());
    if (this.#inFlight.size === 0 && this.#head === this.#queue.length) this.#socket.hold(false);
    // The next window waits for a turn of the event loop, so that a long queue does not block it.
    else if (this.#unsent || (this.#head < this.#queue.length && this.#inFlight.size < WINDOW))
      setImmediate(() => {
        if (!this.#closed) this.#flush();
      });
  }

  #sendWindow(): void {
    let length = 0;
    let last: { at: number; pending: Pending } | undefined;
    const time = now();
    while (this.#head < this.#queue.length && this.#inFlight.size < WINDOW) {
      const pending = this.#queue[this.#head] as Pending;
      if (pending.batch) {
        // It gets a separate system call, after that of the requests before it.
        if (length === 0) {
          this.#head++;
          this.#sendBatch(pending, pending.batch, time);
        }
        break;
      }
      const padded = (pending.message.length + 3) & ~3;
      if (length > 0 && length + padded > BATCH_BYTES) break;
      this.#head++;
      const sequence = this.#nextSequence();
      host.writeU32(pending.message, sequence, 8);
      pending.deadline = time + pending.options.timeout;
      this.#inFlight.set(sequence, pending);
      if (padded > BATCH_BYTES) {
        this.#transmit(pending.message);
        break;
      }
      this.#batch.set(pending.message, length);
      pending.quiet = !pending.options.onReply;
      if (pending.quiet) this.#setAckFlag(length, false);
      last = { at: length, pending };
      if (padded > pending.message.length) this.#batch.fill(0, length + pending.message.length, length + padded);
      length += padded;
    }
    if (this.#head === this.#queue.length) {
      this.#queue = [];
      this.#head = 0;
    }
    if (last?.pending.quiet) {
      last.pending.quiet = false;
      this.#setAckFlag(last.at, true);
    }
    if (length > 0) this.#transmit(this.#batch.subarray(0, length));
  }

  #sendBatch(pending: Pending, batch: Batch, time: number): void {
    const { message: messages, options } = pending;
    // No wrap-around within a batch: an index is the distance to the first sequence number.
    if (this.#sequence > 0xffffffff - batch.count) this.#sequence = 0;
    batch.first = this.#sequence + 1;
    for (let at = 0; at < messages.length; at += (host.readU32(messages, at) + 3) & ~3)
      host.writeU32(messages, this.#nextSequence(), at + 8);
    pending.deadline = time + options.timeout;
    this.#inFlight.set(this.#sequence, pending);
    this.#transmit(messages);
  }

  /** Sets or clears NLM_F_ACK of the message at that offset in the batch. */
  #setAckFlag(at: number, wanted: boolean): void {
    const flags = host.readU16(this.#batch, at + 6);
    host.writeU16(this.#batch, wanted ? flags | NLM_F_ACK : flags & ~NLM_F_ACK, at + 6);
  }

  #transmit(bytes: Buffer): void {
    this.#unsent = this.#socket.send(bytes) ? undefined : bytes;
  }

  #nextSequence(): number {
    // Never 0, the sequence number of unsolicited messages.
    this.#sequence = this.#sequence >= 0xffffffff ? 1 : this.#sequence + 1;
    return this.#sequence;
  }

  #receive(view: MessageView): void {
    const pending = this.#inFlight.get(view.sequence);
    if (!pending) {
      // If it belongs to no batch either, its request has timed out.
      this.#refuse(view);
      return;
    }
    if (view.type === NLMSG_NOOP) return;
    if (view.type === NLMSG_ERROR || view.type === NLMSG_DONE) {
      this.#resolveBefore(view.sequence);
      this.#inFlight.delete(view.sequence);
      this.#finish(pending, readAck(view));
      if (this.#head < this.#queue.length || this.#inFlight.size === 0) this.#schedule();
      return;
    }
    try {
      pending.options.onReply?.(view);
    } catch (error) {
      pending.failure ??= error;
    }
  }

  /** Requests sent earlier without an answer so far have succeeded. */
  #resolveBefore(answered: number): void {
    for (const [sequence, pending] of this.#inFlight) {
      if (sequence === answered) return;
      if (!pending.quiet) continue;
      this.#inFlight.delete(sequence);
      this.#finish(pending, undefined);
    }
  }

  #finish(pending: Pending, error: unknown): void {
    const failure = error ?? pending.failure;
    if (failure === undefined) pending.resolve();
    else pending.reject(failure);
  }

  #failInFlight(error: Error): void {
    const failed = [...this.#inFlight.values()];
    this.#inFlight.clear();
    this.#unsent = undefined;
    for (const pending of failed) pending.reject(error);
    if (!this.#closed) this.#schedule();
  }

  #nextDeadline(): number | undefined {
    let next: number | undefined;
    for (const { deadline } of this.#inFlight.values()) if (next === undefined || deadline < next) next = deadline;
    return next;
  }

  #expire(): void {
    // Answers may have arrived that are not read yet.
    this.#socket.receive();
    const time = now();
    for (const [sequence, pending] of this.#inFlight) {
      if (pending.deadline > time) continue;
      this.#inFlight.delete(sequence);
      // The caller may reuse the bytes of a batch from now on.
      if (this.#unsent === pending.message) this.#unsent = undefined;
      pending.reject(new NetlinkTimeoutError(pending.options.timeout));
    }
    if (!this.#closed) this.#schedule();
  }
}
