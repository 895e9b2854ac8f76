// SPDX-License-Identifier: MIT
/** The Internet checksum (RFC 1071) of VRRP and ICMPv6 messages. */

/** Adds the 16-bit words of `bytes` to a sum; an odd last byte counts as the upper half of a word. */
export function addWords(sum: number, bytes: Uint8Array): number {
  let total = sum;
  for (let at = 0; at < bytes.length; at += 2) total += ((bytes[at] ?? 0) << 8) | (bytes[at + 1] ?? 0);
  return total;
}

/** Folds a sum into 16 bits and complements it; 0 means that a message with its checksum in place is intact. */
export function fold(sum: number): number {
  let folded = sum;
  while (folded > 0xffff) folded = (folded & 0xffff) + Math.floor(folded / 0x10000);
  return ~folded & 0xffff;
}

/** The sum of the pseudo header of IPv4 (RFC 768) or IPv6 (RFC 8200 section 8.1): they add up to the same words. */
export function pseudoHeader(source: Uint8Array, destination: Uint8Array, protocol: number, length: number): number {
  return addWords(addWords(protocol + length, source), destination);
}
