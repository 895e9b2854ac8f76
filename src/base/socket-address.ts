// SPDX-License-Identifier: MIT
/** struct sockaddr_in and sockaddr_in6 (ip(7), ipv6(7)). */
import { endianness } from 'node:os';
import { AF_INET, type Family, parseAddress } from './addresses.ts';

/** Converts address and port to the kernel's bytes; undefined if the text is not an address. */
export function socketAddress(address: string, port: number): { family: Family; bytes: Uint8Array } | undefined {
  const parsed = parseAddress(address);
  return parsed && { family: parsed.family, bytes: socketAddressOf(parsed.family, parsed.bytes, port) };
}

/** The structure for an address of 4 or 16 bytes; `scope` is the interface of an IPv6 link-local address. */
export function socketAddressOf(family: Family, address: Uint8Array, port: number, scope = 0): Buffer {
  const little = endianness() === 'LE';
  const bytes = Buffer.alloc(family === AF_INET ? 16 : 28);
  if (little) bytes.writeUInt16LE(family);
  else bytes.writeUInt16BE(family);
  bytes.writeUInt16BE(port, 2);
  bytes.set(address, family === AF_INET ? 4 : 8);
  if (family === AF_INET) return bytes;
  if (little) bytes.writeUInt32LE(scope, 24);
  else bytes.writeUInt32BE(scope, 24);
  return bytes;
}
