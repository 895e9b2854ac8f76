// SPDX-License-Identifier: MIT
/** Builds one netlink message at a time in a buffer that is reused and grows on demand. */
import { GENL_HDRLEN, NLA_F_NESTED, NLA_HDRLEN, NLMSG_HDRLEN } from './constants.ts';
import { host } from './endian.ts';

const INITIAL_SIZE = 1024;
const INET_SIZE = 16;
const SHORT = 32;

/** Throws RangeError. */
function expect16(value: number): number {
  if (value >>> 16 !== 0) throw new RangeError(`${value} does not fit into 16 bits`);
  return value;
}

function isAscii(text: string): boolean {
  for (let i = 0; i < text.length; i++) if (text.charCodeAt(i) > 127) return false;
  return true;
}

export class MessageWriter {
  #buffer = Buffer.allocUnsafeSlow(INITIAL_SIZE);
  #position = 0;

  /** Starts a message. The sequence number is written at sending. */
  begin(type: number, flags: number): this {
    this.#position = 0;
    this.#reserve(NLMSG_HDRLEN);
    host.writeU16(this.#buffer, type, 4);
    host.writeU16(this.#buffer, flags, 6);
    host.writeU32(this.#buffer, 0, 8);
    host.writeU32(this.#buffer, 0, 12);
    this.#position = NLMSG_HDRLEN;
    return this;
  }

  /** struct genlmsghdr. */
  genericHeader(command: number, version: number): this {
    this.#reserve(GENL_HDRLEN);
    this.#buffer[this.#position] = command;
    this.#buffer[this.#position + 1] = version;
    host.writeU16(this.#buffer, 0, this.#position + 2);
    this.#position += GENL_HDRLEN;
    return this;
  }

  /** Bytes outside attributes: the fixed header of a family, such as struct ifaddrmsg. */
  raw(bytes: Uint8Array): this {
    const padded = (bytes.length + 3) & ~3;
    this.#reserve(padded);
    this.#buffer.set(bytes, this.#position);
    this.#buffer.fill(0, this.#position + bytes.length, this.#position + padded);
    this.#position += padded;
    return this;
  }

  u8(type: number, value: number): this {
    this.#buffer[this.#attribute(type, 1)] = value;
    return this;
  }

  u16(type: number, value: number): this {
    const at = this.#attribute(type, 2);
    host.writeU16(this.#buffer, expect16(value), at);
    return this;
  }

  u32(type: number, value: number): this {
    const at = this.#attribute(type, 4);
    host.writeU32(this.#buffer, value >>> 0, at);
    return this;
  }

  u64(type: number, value: bigint): this {
    const at = this.#attribute(type, 8);
    host.writeU64(this.#buffer, value, at);
    return this;
  }

  /** A 16-bit number in network order, such as a port. */
  be16(type: number, value: number): this {
    const at = this.#attribute(type, 2);
    this.#buffer[at] = expect16(value) >>> 8;
    this.#buffer[at + 1] = value;
    return this;
  }

  be32(type: number, value: number): this {
    const at = this.#attribute(type, 4);
    this.#buffer.writeUInt32BE(value >>> 0, at);
    return this;
  }

  bytes(type: number, value: Uint8Array): this {
    const at = this.#attribute(type, value.length);
    this.#buffer.set(value, at);
    return this;
  }

  /** An address of 4 or 16 bytes, padded with zeros to 16. */
  inet(type: number, value: Uint8Array): this {
    const at = this.#attribute(type, INET_SIZE);
    for (let i = 0; i < INET_SIZE; i++) this.#buffer[at + i] = i < value.length ? (value[i] as number) : 0;
    return this;
  }

  /** With the terminating NUL that the kernel's NLA_STRING expects. */
  string(type: number, value: string): this {
    // Fast path for short ASCII strings; Buffer encodes the rest.
    const short = value.length <= SHORT && isAscii(value);
    const length = short ? value.length : Buffer.byteLength(value);
    const at = this.#attribute(type, length + 1);
    if (!short) this.#buffer.write(value, at);
    else for (let i = 0; i < length; i++) this.#buffer[at + i] = value.charCodeAt(i);
    this.#buffer[at + length] = 0;
    return this;
  }

  /** Opens a nest and returns the argument of `endNest`. */
  beginNest(type: number): number {
    return this.#attribute(type | NLA_F_NESTED, 0) - NLA_HDRLEN;
  }

  endNest(start: number): this {
    host.writeU16(this.#buffer, this.#position - start, start);
    return this;
  }

  /** The finished message, as a copy. */
  finish(): Buffer {
    host.writeU32(this.#buffer, this.#position, 0);
    const message = Buffer.allocUnsafeSlow(this.#position);
    message.set(this.#buffer.subarray(0, this.#position));
    return message;
  }

  #attribute(type: number, length: number): number {
    if (length > 0xffff - NLA_HDRLEN) throw new RangeError(`attribute ${type} is too long: ${length} bytes`);
    const padded = (length + 3) & ~3;
    this.#reserve(NLA_HDRLEN + padded);
    const at = this.#position;
    host.writeU16(this.#buffer, NLA_HDRLEN + length, at);
    host.writeU16(this.#buffer, type, at + 2);
    for (let i = at + NLA_HDRLEN + length; i < at + NLA_HDRLEN + padded; i++) this.#buffer[i] = 0;
    this.#position = at + NLA_HDRLEN + padded;
    return at + NLA_HDRLEN;
  }

  #reserve(more: number): void {
    if (this.#position + more <= this.#buffer.length) return;
    const larger = Buffer.allocUnsafeSlow(Math.max(this.#buffer.length * 2, this.#position + more));
    this.#buffer.copy(larger, 0, 0, this.#position);
    this.#buffer = larger;
  }
}
