// SPDX-License-Identifier: MIT
/** Parses values as ipvsadm does: numbers, addresses, services. */
import { AF_INET, AF_INET6, type Family, parseIpv4, parseIpv6 } from '../../base/addresses.ts';
import type { Lookup } from '../lookup.ts';

/** strtol(3) of the whole text, base 10; undefined if it is no number or out of bounds. */
export function parseNumber(text: string, min: number, max: number): number | undefined {
  if (!/^[ \t\n\v\f\r]*[+-]?\d+$/.test(text)) return undefined;
  const value = Number(text);
  return value >= min && value <= max ? value : undefined;
}

/** Parses one part of an address, in C notation. */
function parsePart(text: string): number | undefined {
  if (!/^(0[xX][0-9a-fA-F]+|0[0-7]*|[1-9]\d*)$/.test(text)) return undefined;
  return /^0\d/.test(text) ? Number.parseInt(text, 8) : Number(text);
}

/**
 * inet_aton(3): one to four parts, each decimal, octal or hexadecimal; the last part fills the remaining bytes. Text after
 * white space is ignored.
 */
export function parseInetAton(text: string): Uint8Array | undefined {
  const plain = parseIpv4(text);
  if (plain) return plain;
  const parts = text.replace(/[ \t\n\v\f\r].*$/s, '').split('.');
  if (parts.length > 4) return undefined;
  const bytes = new Uint8Array(4);
  for (const [index, part] of parts.entries()) {
    const value = parsePart(part);
    if (value === undefined) return undefined;
    const room = index === parts.length - 1 ? 4 - index : 1;
    if (value >= 2 ** (8 * room)) return undefined;
    for (let i = 0; i < room; i++) bytes[index + i] = Math.floor(value / 2 ** (8 * (room - 1 - i))) & 255;
  }
  return bytes;
}

export interface Endpoint {
  family: Family;
  address: Uint8Array;
  /** Undefined if the text has none. */
  port: number | undefined;
}

/**
 * Parses `host`, `host:port`, `[v6]:port` or a bare IPv6 address; undefined for anything else. A number alone is not a
 * host, and brackets require a port.
 */
export function parseEndpoint(text: string, protocol: number, lookup: Lookup): Endpoint | undefined {
  if (/^\d*$/.test(text)) return undefined;
  let host = text;
  let port: string | undefined;
  if (text.startsWith('[')) {
    const close = text.indexOf(']');
    if (close < 0 || text.charAt(close + 1) !== ':') return undefined;
    host = text.slice(1, close);
    port = text.slice(close + 2);
  }
  const ipv6 = parseIpv6(host);
  if (ipv6) return withPort({ family: AF_INET6, address: ipv6, port: undefined }, port, protocol, lookup);
  // As in ipvsadm, a host in brackets that is not an IPv6 address loses its port.
  const colon = host.lastIndexOf(':');
  port = colon < 0 ? undefined : host.slice(colon + 1);
  host = colon < 0 ? host : host.slice(0, colon);
  const address = parseInetAton(host) ?? lookup.host(host);
  return address && withPort({ family: AF_INET, address, port: undefined }, port, protocol, lookup);
}

function withPort(
  endpoint: Endpoint,
  port: string | undefined,
  protocol: number,
  lookup: Lookup,
): Endpoint | undefined {
  if (port === undefined) return endpoint;
  const number = parseNumber(port, 0, 65535) ?? lookup.servicePort(port, protocol);
  return number === undefined ? undefined : { ...endpoint, port: number };
}

/** Parses a dotted mask into a number. */
export function parseNetmask(text: string, lookup: Lookup): number | undefined {
  const bytes = parseInetAton(text) ?? lookup.host(text);
  return bytes && Buffer.from(bytes).readUInt32BE(0);
}
