// SPDX-License-Identifier: MIT
/** TCP connections of checks through the addon's Connector: a connect only, or a request and its answer. */
import { errnoName } from '../../base/errno.ts';
import { CONNECT_STEPS, type NativeConnector, native } from '../../base/native.ts';
import type { Verdict } from '../verdict.ts';
import { type Endpoint, stepVerdict } from './dial.ts';
import { errorVerdict } from './errors.ts';

/** Results per call of the addon. */
const RESULTS = 256;
/** Numbers per result: connection, kind, value. */
const WORDS = 3;
const DATA = 1;

/** Bytes that are read and dropped after a verdict, so that the peer can finish its answer. */
export const LEFTOVER_BYTES = 64 << 10;
/** Milliseconds that the peer has to close after a verdict. */
export const LEFTOVER_TIME = 1000;
/** Maximum of such connections; beyond it the oldest is reset. */
const LEFTOVER_MOST = 1024;

export interface ConnectionEvents {
  /** Bytes of the answer, valid during the call. */
  data?(bytes: Buffer): void;
  /** The connection has ended. Undefined: it was established or, after a request, closed by the peer. */
  end(trouble: Verdict | undefined): void;
}

export interface Connection {
  /** Whether the request has been sent and the answer is awaited. */
  readonly established: boolean;
  /** Result of its handshake as a number of src/health/negotiated.ts; 0: not known. Valid in events. */
  readonly negotiated: number;
  /** Resets the connection. No event follows. */
  cancel(): void;
  /** Lets the peer finish within limits, then closes. No event follows. */
  leave(): void;
}

const ENDED: Connection = { established: false, negotiated: 0, cancel() {}, leave() {} };

class OpenConnection implements Connection {
  readonly #connections: Connections;
  readonly #number: number;
  readonly #events: ConnectionEvents;

  constructor(connections: Connections, number: number, events: ConnectionEvents) {
    this.#connections = connections;
    this.#number = number;
    this.#events = events;
  }

  get established(): boolean {
    return this.#connections.established(this.#number);
  }

  get negotiated(): number {
    return this.#connections.negotiated(this.#number);
  }

  cancel(): void {
    this.#connections.cancel(this.#number, this.#events);
  }

  leave(): void {
    this.#connections.leave(this.#number, this.#events);
  }
}

export class Connections {
  readonly #connector: NativeConnector;
  readonly #results = new Int32Array(WORDS * RESULTS);
  /** Answer bytes of one call. */
  readonly #received = Buffer.alloc(256 << 10);
  /** By connection number. */
  readonly #events: (ConnectionEvents | undefined)[] = [];
  /** Deadlines of connections that already have a verdict, oldest first, by the monotonic clock. */
  readonly #leftover = new Map<number, number>();
  #sweep: NodeJS.Timeout | undefined;
  #count = 0;
  #scheduled = false;

  constructor() {
    this.#connector = new (native().Connector)();
    this.#connector.watch(() => this.#collect());
    this.#connector.unref();
  }

  /** Without a request, the connection is reset once it is established. Events may occur before this returns. */
  begin({ address, bind, mark }: Endpoint, request: Uint8Array | null, events: ConnectionEvents): Connection {
    const number = this.#connector.connect(address, bind?.bytes ?? null, mark | 0, request);
    if (number < 0) {
      const step = CONNECT_STEPS[-number >> 12] ?? 'socket';
      events.end(stepVerdict(step, errnoName(-number & 0xfff), mark));
      return ENDED;
    }
    this.#events[number] = events;
    if (this.#count++ === 0) this.#connector.ref();
    this.#collectSoon();
    return new OpenConnection(this, number, events);
  }

  established(number: number): boolean {
    return this.#connector.established(number);
  }

  negotiated(number: number): number {
    return this.#connector.negotiated(number);
  }

  /** No effect if the connection with these events has ended. */
  cancel(number: number, events: ConnectionEvents): void {
    if (this.#events[number] !== events) return;
    this.#forget(number);
    this.#connector.cancel(number);
  }

  /** No effect if the connection with these events has ended. */
  leave(number: number, events: ConnectionEvents): void {
    if (this.#events[number] === events) this.#leave(number);
  }

  /** On a fast network, all connections of a batch are established when the last is started: this saves a wake-up. */
  #collectSoon(): void {
    if (this.#scheduled) return;
    this.#scheduled = true;
    queueMicrotask(() => {
      this.#scheduled = false;
      this.#collect();
    });
  }

  #forget(number: number): void {
    this.#events[number] = undefined;
    if (--this.#count === 0) this.#connector.unref();
  }

  #leave(number: number): void {
    this.#forget(number);
    let left = LEFTOVER_BYTES;
    const reset = (): void => {
      this.#leftover.delete(number);
      this.#events[number] = undefined;
      this.#connector.cancel(number);
    };
    this.#events[number] = {
      data: ({ length }) => {
        left -= length;
        if (left < 0) reset();
      },
      end: () => this.#leftover.delete(number),
    };
    this.#leftover.set(number, performance.now() + LEFTOVER_TIME);
    if (this.#leftover.size > LEFTOVER_MOST) this.#resetOldest(Number.POSITIVE_INFINITY, 1);
    this.#sweep ??= setTimeout(() => this.#sweepLeftover(), LEFTOVER_TIME).unref();
  }

  #sweepLeftover(): void {
    this.#sweep = undefined;
    this.#resetOldest(performance.now(), this.#leftover.size);
    if (this.#leftover.size > 0) this.#sweep = setTimeout(() => this.#sweepLeftover(), LEFTOVER_TIME / 4).unref();
  }

  /** Resets up to `most` leftover connections whose deadline has passed. */
  #resetOldest(now: number, most: number): void {
    let count = 0;
    for (const [number, deadline] of this.#leftover) {
      if (deadline > now || count++ === most) break;
      this.#leftover.delete(number);
      this.#events[number] = undefined;
      this.#connector.cancel(number);
    }
  }

  #collect(): void {
    const results = this.#results;
    for (let count = RESULTS; count === RESULTS; ) {
      count = this.#connector.collect(results, this.#received);
      let at = 0;
      for (let i = 0; i < count; i++) {
        const number = results[WORDS * i] as number;
        const value = results[WORDS * i + 2] as number;
        // Undefined if the handler of an earlier event has cancelled it.
        const events = this.#events[number];
        if (results[WORDS * i + 1] === DATA) {
          events?.data?.(this.#received.subarray(at, at + value));
          at += value;
        } else if (events) {
          if (this.#leftover.has(number)) this.#events[number] = undefined;
          else this.#forget(number);
          events.end(value === 0 ? undefined : errorVerdict(errnoName(value)));
        }
      }
    }
  }
}

let shared: Connections | undefined;

/** Shared by all checks of the process. */
export function connections(): Connections {
  shared ??= new Connections();
  return shared;
}
