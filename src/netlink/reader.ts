// SPDX-License-Identifier: MIT
/** Reads messages and attributes in place. One cursor walks a whole dump; values are copied only on request. */
import { MalformedError } from '../base/errors.ts';
import { NLA_HDRLEN, NLA_TYPE_MASK, NLMSG_HDRLEN } from './constants.ts';
import { host } from './endian.ts';

const SHORT = 32;

/** A cursor over the attributes between two offsets: `while (reader.next()) switch (reader.type) ...`. */
export class AttributeReader {
  /** The current attribute: type without flags, offset and length of its payload. */
  type = 0;
  start = 0;
  length = 0;
  /** The receive buffer, which is reused for later messages. */
  readonly buffer: Buffer;
  /** Offset of the next attribute, and the end of the last one. */
  position: number;
  readonly end: number;

  constructor(buffer: Buffer, start: number, end: number) {
    this.buffer = buffer;
    this.position = start;
    this.end = end;
  }

  /** Advances to the next attribute; false at the end. Throws MalformedError if an attribute does not fit. */
  next(): boolean {
    const at = this.position;
    if (at + NLA_HDRLEN > this.end) return false;
    const size = host.readU16(this.buffer, at);
    if (size < NLA_HDRLEN || at + size > this.end)
      throw new MalformedError(`malformed netlink message: attribute of ${size} bytes where ${this.end - at} are left`);
    this.type = host.readU16(this.buffer, at + 2) & NLA_TYPE_MASK;
    this.start = at + NLA_HDRLEN;
    this.length = size - NLA_HDRLEN;
    this.position = at + ((size + 3) & ~3);
    return true;
  }

  u8(): number {
    this.#expect(1);
    return this.buffer[this.start] ?? 0;
  }

  u16(): number {
    this.#expect(2);
    return host.readU16(this.buffer, this.start);
  }

  u32(): number {
    this.#expect(4);
    return host.readU32(this.buffer, this.start);
  }

  u64(): bigint {
    this.#expect(8);
    return host.readU64(this.buffer, this.start);
  }

  be16(): number {
    this.#expect(2);
    return this.buffer.readUInt16BE(this.start);
  }

  be32(): number {
    this.#expect(4);
    return this.buffer.readUInt32BE(this.start);
  }

  /** Up to the first NUL, if there is one. */
  string(): string {
    const end = this.start + this.length;
    // Fast path for short ASCII names; Buffer decodes the rest.
    let text = '';
    for (let at = this.start; at < end; at++) {
      const byte = this.buffer[at] as number;
      if (byte === 0) return text;
      if (byte > 127 || text.length === SHORT) return this.#text();
      text += String.fromCharCode(byte);
    }
    return text;
  }

  #text(): string {
    const payload = this.buffer.subarray(this.start, this.start + this.length);
    const nul = payload.indexOf(0);
    return payload.toString('utf8', 0, nul < 0 ? payload.length : nul);
  }

  /** A copy, because the buffer is reused for later messages. */
  bytes(): Uint8Array {
    // For few bytes, a loop is cheaper than creating a view.
    const copy = new Uint8Array(this.length);
    for (let i = 0; i < this.length; i++) copy[i] = this.buffer[this.start + i] ?? 0;
    return copy;
  }

  /** All 16 bytes of the union: the family is in another attribute. */
  inet(): Uint8Array {
    return this.bytes();
  }

  nested(): AttributeReader {
    return new AttributeReader(this.buffer, this.start, this.start + this.length);
  }

  #expect(length: number): void {
    if (this.length < length)
      throw new MalformedError(
        `malformed netlink message: attribute ${this.type} has ${this.length} bytes instead of ${length}`,
      );
  }
}

/** One message in a receive buffer. The object is reused for every message: do not keep it. */
export class MessageView {
  type = 0;
  flags = 0;
  sequence = 0;
  portId = 0;
  /** The payload. */
  start = 0;
  end = 0;
  buffer: Buffer;
  #next: number;
  readonly #limit: number;

  constructor(buffer: Buffer, start: number, end: number) {
    this.buffer = buffer;
    this.#next = start;
    this.#limit = end;
  }

  /** Advances to the next message of the datagram; false at the end. Throws MalformedError if one does not fit. */
  next(): boolean {
    const at = this.#next;
    const left = this.#limit - at;
    if (left < NLMSG_HDRLEN) return false;
    const length = host.readU32(this.buffer, at);
    if (length < NLMSG_HDRLEN || length > left)
      throw new MalformedError(`malformed netlink message: ${length} bytes where ${left} are left`);
    this.type = host.readU16(this.buffer, at + 4);
    this.flags = host.readU16(this.buffer, at + 6);
    this.sequence = host.readU32(this.buffer, at + 8);
    this.portId = host.readU32(this.buffer, at + 12);
    this.start = at + NLMSG_HDRLEN;
    this.end = at + length;
    this.#next = at + ((length + 3) & ~3);
    return true;
  }

  /** The attributes after a fixed header of that many bytes. */
  attributes(headerLength: number): AttributeReader {
    const start = this.start + ((headerLength + 3) & ~3);
    if (start > this.end)
      throw new MalformedError(`malformed netlink message: type ${this.type} is shorter than its header`);
    return new AttributeReader(this.buffer, start, this.end);
  }
}
