// SPDX-License-Identifier: MIT
/** Numbers in host byte order, as netlink uses them. The order is determined once, when the module loads. */

export interface HostOrder {
  readU16(buffer: Uint8Array, at: number): number;
  readU32(buffer: Uint8Array, at: number): number;
  readI32(buffer: Uint8Array, at: number): number;
  readU64(buffer: Buffer, at: number): bigint;
  writeU16(buffer: Buffer, value: number, at: number): void;
  writeU32(buffer: Buffer, value: number, at: number): void;
  writeU64(buffer: Buffer, value: bigint, at: number): void;
  /** Two 16-bit numbers as the element of an Int32Array that they fill. */
  word(first: number, second: number): number;
}

/**
 * Byte by byte: Buffer's methods repeat bounds checks that the readers have made, and dumps are long. Writers reserve
 * the space beforehand; numbers are truncated to their size.
 */
const little: HostOrder = {
  readU16: (buffer, at) => (buffer[at] as number) | ((buffer[at + 1] as number) << 8),
  readU32: (buffer, at) =>
    ((buffer[at] as number) |
      ((buffer[at + 1] as number) << 8) |
      ((buffer[at + 2] as number) << 16) |
      ((buffer[at + 3] as number) << 24)) >>>
    0,
  readI32: (buffer, at) => little.readU32(buffer, at) | 0,
  readU64: (buffer, at) => buffer.readBigUInt64LE(at),
  writeU16: (buffer, value, at) => {
    buffer[at] = value;
    buffer[at + 1] = value >>> 8;
  },
  writeU32: (buffer, value, at) => {
    buffer[at] = value;
    buffer[at + 1] = value >>> 8;
    buffer[at + 2] = value >>> 16;
    buffer[at + 3] = value >>> 24;
  },
  writeU64: (buffer, value, at) => buffer.writeBigUInt64LE(value, at),
  word: (first, second) => first | (second << 16),
};

const big: HostOrder = {
  readU16: (buffer, at) => ((buffer[at] as number) << 8) | (buffer[at + 1] as number),
  readU32: (buffer, at) =>
    (((buffer[at] as number) << 24) |
      ((buffer[at + 1] as number) << 16) |
      ((buffer[at + 2] as number) << 8) |
      (buffer[at + 3] as number)) >>>
    0,
  readI32: (buffer, at) => big.readU32(buffer, at) | 0,
  readU64: (buffer, at) => buffer.readBigUInt64BE(at),
  writeU16: (buffer, value, at) => {
    buffer[at] = value >>> 8;
    buffer[at + 1] = value;
  },
  writeU32: (buffer, value, at) => {
    buffer[at] = value >>> 24;
    buffer[at + 1] = value >>> 16;
    buffer[at + 2] = value >>> 8;
    buffer[at + 3] = value;
  },
  writeU64: (buffer, value, at) => buffer.writeBigUInt64BE(value, at),
  word: (first, second) => (first << 16) | second,
};

export const host: HostOrder = new Uint8Array(new Uint16Array([1]).buffer)[0] === 1 ? little : big;
