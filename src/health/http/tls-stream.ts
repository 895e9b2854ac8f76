// SPDX-License-Identifier: MIT
/**
 * The bytes of a TLS connection on their way to OpenSSL, which would process any number of them: measures what they cost,
 * and refuses more than a handshake and an answer need.
 */
import type { Socket } from 'node:net';
import { Duplex } from 'node:stream';
import { MOST_CHUNKS } from './response.ts';

/**
 * Bytes of a handshake. A chain of certificates has 2 to 10 KiB, a list of authorities for client certificates up to 16.
 */
export const LONGEST_HANDSHAKE = 32 << 10;
/** Records of a connection: one byte in each costs as much as a chunk of one byte. */
export const MOST_RECORDS = MOST_CHUNKS;

const HEADER = 5;

export class TlsStream extends Duplex {
  /** Milliseconds of CPU time that received bytes have cost. */
  spent = 0;
  /** The handshake is complete. */
  secure = false;
  readonly #socket: Socket;
  readonly #refused: (reason: string) => void;
  #handshake = 0;
  #records = 0;
  /** Bytes of the present record's header, and of its content that are still to come. */
  #header = 0;
  #length = 0;
  #left = 0;

  /** `refused` is called once; nothing is passed on after that. */
  constructor(socket: Socket, refused: (reason: string) => void) {
    super();
    this.#socket = socket;
    this.#refused = refused;
    socket.on('data', (bytes: Buffer) => this.#receive(bytes));
    socket.on('end', () => this.push(null));
    socket.on('error', (error) => this.destroy(error));
    socket.on('close', () => this.destroy());
  }

  override _read(): void {
    this.#socket.resume();
  }

  override _write(bytes: Buffer, _encoding: BufferEncoding, done: (error?: Error | null) => void): void {
    this.#socket.write(bytes, done);
  }

  override _final(done: () => void): void {
    this.#socket.end(done);
  }

  override _destroy(error: Error | null, done: (error: Error | null) => void): void {
    this.#socket.destroy();
    done(error);
  }

  #receive(bytes: Buffer): void {
    const fault = this.#fault(bytes);
    if (fault !== undefined) {
      this.#socket.removeAllListeners('data');
      this.#refused(fault);
      return;
    }
    const before = { wall: performance.now(), cpu: process.cpuUsage() };
    // OpenSSL works, and handlers of its results run, before this returns.
    if (!this.push(bytes)) this.#socket.pause();
    const { user, system } = process.cpuUsage(before.cpu);
    // Other threads of the process work at the same time; other processes work meanwhile.
    this.spent += Math.min(performance.now() - before.wall, (user + system) / 1000);
  }

  #fault(bytes: Buffer): string | undefined {
    if (!this.secure) {
      this.#handshake += bytes.length;
      if (this.#handshake > LONGEST_HANDSHAKE) return `TLS handshake of more than ${LONGEST_HANDSHAKE >> 10} KiB`;
    }
    this.#count(bytes);
    return this.#records > MOST_RECORDS ? `more than ${MOST_RECORDS} TLS records` : undefined;
  }

  /** Counts the records that begin: type, version and length precede each (RFC 8446, section 5.1). */
  #count(bytes: Buffer): void {
    let at = 0;
    while (at < bytes.length) {
      if (this.#left > 0) {
        const skipped = Math.min(this.#left, bytes.length - at);
        this.#left -= skipped;
        at += skipped;
        continue;
      }
      this.#length = (this.#length << 8) | (bytes[at] ?? 0);
      at += 1;
      this.#header += 1;
      if (this.#header < HEADER) continue;
      this.#records += 1;
      this.#left = this.#length & 0xffff;
      this.#header = 0;
      this.#length = 0;
    }
  }
}
