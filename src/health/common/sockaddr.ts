// SPDX-License-Identifier: MIT
/** struct sockaddr_in and sockaddr_in6 (ip(7), ipv6(7)). */
import { endianness } from 'node:os';
import { AF_INET, type Family, parseAddress } from '../../base/addresses.ts';

/** Converts address and port to the kernel's bytes; undefined if the text is not an address. */
export function socketAddress(address: string, port: number): { family: Family; bytes: Uint8Array } | undefined {
  const parsed = parseAddress(address);
  if (!parsed) return undefined;
  const bytes = Buffer.alloc(parsed.family === AF_INET ? 16 : 28);
  if (endianness() === 'LE') bytes.writeUInt16LE(parsed.family);
  else bytes.writeUInt16BE(parsed.family);
  bytes.writeUInt16BE(port, 2);
  bytes.set(parsed.bytes, parsed.family === AF_INET ? 4 : 8);
  return { family: parsed.family, bytes };
}
