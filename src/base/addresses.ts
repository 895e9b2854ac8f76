// SPDX-License-Identifier: MIT
/** IP addresses as bytes and as text. Bytes are in network order, 4 or 16 of them. */

/** Address families, numbered as on Linux (sys/socket.h). */
export const AF_INET = 2;
export const AF_INET6 = 10;

export type Family = typeof AF_INET | typeof AF_INET6;

const DOT = 46;
const ZERO = 48;

/** '0.0.0.0' */
const SHORTEST_IPV4 = 7;
const POOL = 1 << 12;
let pool = new ArrayBuffer(POOL);
let used = 0;

/** Four bytes of a shared buffer: one of its own would double what a typed array takes, tens of thousands of times. */
function fourBytes(): Uint8Array {
  if (used === POOL) {
    pool = new ArrayBuffer(POOL);
    used = 0;
  }
  used += 4;
  return new Uint8Array(pool, used - 4, 4);
}

/** '10.0.0.1' -> its 4 bytes; undefined for anything else. As strict as inet_pton(3). */
export function parseIpv4(text: string): Uint8Array | undefined {
  // Hand-written because a restore parses tens of thousands of addresses.
  if (text.length < SHORTEST_IPV4) return undefined;
  const bytes = fourBytes();
  let part = 0;
  let value = -1;
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i);
    if (code === DOT) {
      if (value < 0 || part === 3) return undefined;
      bytes[part++] = value;
      value = -1;
    } else {
      const digit = code - ZERO;
      // Reject leading zeros, which some parsers read as octal.
      if (digit < 0 || digit > 9 || value === 0) return undefined;
      value = value < 0 ? digit : 10 * value + digit;
      if (value > 255) return undefined;
    }
  }
  if (value < 0 || part !== 3) return undefined;
  bytes[3] = value;
  return bytes;
}

/** '2001:db8::1' -> its 16 bytes; undefined for anything else. As strict as inet_pton(3): no brackets, no zone. */
export function parseIpv6(text: string): Uint8Array | undefined {
  const colon = text.indexOf(':');
  if (colon < 0 || text.indexOf(':', colon + 1) < 0) return undefined;
  const halves = text.split('::');
  if (halves.length > 2) return undefined;
  const head = groups(halves[0] ?? '', halves.length === 1);
  const tail = halves.length === 2 ? groups(halves[1] ?? '', true) : [];
  if (!head || !tail) return undefined;
  const missing = 8 - head.length - tail.length;
  if (halves.length === 1 ? missing !== 0 : missing < 1) return undefined;
  const bytes = new Uint8Array(16);
  for (const [index, group] of [...head, ...Array<number>(missing).fill(0), ...tail].entries()) {
    bytes[2 * index] = group >> 8;
    bytes[2 * index + 1] = group & 255;
  }
  return bytes;
}

function groups(text: string, last: boolean): number[] | undefined {
  if (text === '') return [];
  const parts = text.split(':');
  const result: number[] = [];
  for (const [index, part] of parts.entries()) {
    if (part.includes('.')) {
      const ipv4 = last && index === parts.length - 1 ? parseIpv4(part) : undefined;
      if (!ipv4) return undefined;
      const [a = 0, b = 0, c = 0, d = 0] = ipv4;
      result.push((a << 8) | b, (c << 8) | d);
    } else if (/^[0-9a-fA-F]{1,4}$/.test(part)) {
      result.push(Number.parseInt(part, 16));
    } else {
      return undefined;
    }
  }
  return result;
}

/** The text of an address, in the form of inet_ntop(3). Takes the first 4 or 16 bytes. */
export function formatAddress(family: Family, bytes: Uint8Array): string {
  return family === AF_INET ? formatIpv4(bytes) : formatIpv6(bytes);
}

/** formatAddress for IPv4. */
export function formatIpv4(bytes: Uint8Array): string {
  return `${bytes[0]}.${bytes[1]}.${bytes[2]}.${bytes[3]}`;
}

function formatIpv6(bytes: Uint8Array): string {
  const words = Array.from({ length: 8 }, (_, i) => ((bytes[2 * i] ?? 0) << 8) | (bytes[2 * i + 1] ?? 0));
  let start = -1;
  let length = 1; // a single zero group is not shortened
  for (let i = 0; i < 8; i++) {
    let run = 0;
    while (i + run < 8 && words[i + run] === 0) run++;
    if (run > length) [start, length] = [i, run];
  }
  const hex = (from: number, to: number) =>
    words
      .slice(from, to)
      .map((word) => word.toString(16))
      .join(':');
  // glibc writes ::a.b.c.d and ::ffff:a.b.c.d with a dotted tail.
  if (start === 0 && (length === 6 || (length === 5 && words[5] === 0xffff)))
    return `::${length === 5 ? 'ffff:' : ''}${formatIpv4(bytes.subarray(12))}`;
  return start < 0 ? hex(0, 8) : `${hex(0, start)}::${hex(start + length, 8)}`;
}

/** Text of either family -> family and bytes; undefined for anything else. */
export function parseAddress(text: string): { family: Family; bytes: Uint8Array } | undefined {
  const ipv4 = parseIpv4(text);
  if (ipv4) return { family: AF_INET, bytes: ipv4 };
  const ipv6 = parseIpv6(text);
  return ipv6 && { family: AF_INET6, bytes: ipv6 };
}

/** Orders addresses by family, then by value. */
export function compareBytes(a: Uint8Array, b: Uint8Array): number {
  return a.length - b.length || Buffer.compare(a, b);
}
