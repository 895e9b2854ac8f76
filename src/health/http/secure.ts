// SPDX-License-Identifier: MIT
/** The connection of an https check: a request and its answer over TLS. */
import { Socket } from 'node:net';
import { connect, type SecureContext, type TLSSocket } from 'node:tls';
import type { NativeSocket } from '../../base/native.ts';
import { type Connection, type ConnectionEvents, LEFTOVER_BYTES, LEFTOVER_TIME } from '../common/connections.ts';
import { closeByFin, dial, type Endpoint, negotiatedOf } from '../common/dial.ts';
import { failure, inconclusive } from '../verdict.ts';
import { tlsVerdict } from './tls-errors.ts';
import { TlsStream } from './tls-stream.ts';
import { tlsTurns } from './tls-turns.ts';

export interface SecureOptions {
  /** Whose connections cost what they cost. */
  target: object;
  /** Throws if the check's authorities cannot be read. */
  context: () => SecureContext;
  verify: boolean;
  /** Sent as SNI; undefined: none. */
  serverName: string | undefined;
  /** The expected subject of the certificate without a server name. */
  address: string;
}

export interface SecureConnection extends Connection {
  /** Whether the handshake is complete. */
  readonly secure: boolean;
  /** It had to wait: earlier connections to the target were costly. */
  readonly delayed: boolean;
  /** By performance.now(); undefined while it waits. */
  readonly startedAt: number | undefined;
}

/** Connects, completes the TLS handshake and sends the request. Events may occur before this returns. */
export function secureConnection(
  to: Endpoint,
  options: SecureOptions,
  request: Uint8Array,
  events: ConnectionEvents,
): SecureConnection {
  let exchange: SecureExchange | undefined;
  let negotiated = 0;
  let startedAt: number | undefined;
  let stop = (): void => {};
  const waiting = tlsTurns.take(options.target, () => {
    startedAt = performance.now();
    stop = dial(to, (result) => {
      if ('outcome' in result) return events.end(result);
      try {
        negotiated = negotiatedOf(result);
        exchange = new SecureExchange(result, options, request, events);
      } catch (error) {
        result.close();
        events.end(inconclusive(error instanceof Error ? error.message : String(error)));
      }
    });
  });
  return {
    delayed: waiting !== undefined,
    get startedAt() {
      return startedAt;
    },
    get established() {
      return exchange !== undefined;
    },
    get negotiated() {
      return negotiated;
    },
    get secure() {
      return exchange?.secure ?? false;
    },
    cancel() {
      if (waiting) tlsTurns.cancel(waiting);
      if (exchange) exchange.reset();
      else stop();
    },
    leave() {
      exchange?.leave();
    },
  };
}

class SecureExchange {
  secure = false;
  #events: ConnectionEvents | undefined;
  readonly #raw: Socket;
  readonly #stream: TlsStream;
  readonly #tls: TLSSocket;
  /** Bytes read and discarded after the verdict. */
  #left = LEFTOVER_BYTES;

  constructor(
    socket: NativeSocket,
    { target, context, verify, serverName, address }: SecureOptions,
    request: Uint8Array,
    events: ConnectionEvents,
  ) {
    const secureContext = context();
    this.#events = events;
    closeByFin(socket);
    this.#raw = new Socket({ fd: socket.takeFd(), readable: true, writable: true });
    this.#stream = new TlsStream(this.#raw, (reason) => {
      this.#end(failure('too_long', reason));
      this.reset();
    });
    // Discards errors that occur before the TLS socket has its own listener.
    this.#stream.on('error', () => {});
    this.#stream.on('close', () => tlsTurns.spent(target, this.#stream.spent));
    this.#tls = connect({
      socket: this.#stream,
      host: address,
      // Empty: no SNI. An address must not be sent as a name (RFC 6066, section 3).
      servername: serverName ?? '',
      secureContext,
      rejectUnauthorized: verify,
    });
    const ended = (): void => this.#end(this.secure ? undefined : failure('closed', 'closed during the TLS handshake'));
    this.#tls.once('secureConnect', () => {
      this.secure = true;
      this.#stream.secure = true;
      this.#tls.write(request);
    });
    this.#tls.on('data', (bytes: Buffer) => this.#data(bytes));
    this.#tls.on('end', ended);
    this.#tls.on('error', (error) => {
      this.#end(tlsVerdict(error, serverName ?? address, this.secure));
      // After the alert that says why.
      this.#raw.destroySoon();
    });
    this.#tls.on('close', () => {
      ended();
      this.#stream.destroy();
    });
  }

  #data(bytes: Buffer): void {
    if (this.#events) {
      this.#events.data?.(bytes);
      return;
    }
    this.#left -= bytes.length;
    if (this.#left < 0) this.reset();
  }

  #end(trouble: Parameters<ConnectionEvents['end']>[0]): void {
    const events = this.#events;
    this.#events = undefined;
    events?.end(trouble);
  }

  /** Closes at once and leaves no TIME_WAIT. */
  reset(): void {
    this.#events = undefined;
    this.#raw.resetAndDestroy();
    this.#tls.destroy();
    this.#stream.destroy();
  }

  leave(): void {
    this.#events = undefined;
    const timer = setTimeout(() => this.reset(), LEFTOVER_TIME).unref();
    this.#tls.on('close', () => clearTimeout(timer));
  }
}
