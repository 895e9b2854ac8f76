// SPDX-License-Identifier: MIT
/** Parses texts of the file. For an invalid text returns a sentence: "found ...; allowed: ...". */
import { AF_INET, AF_INET6, type Family, formatAddress, parseIpv4, parseIpv6 } from '../../base/addresses.ts';
import { formatDuration, parseDuration } from '../../base/durations.ts';
import { describe } from '../describe.ts';

const MULTICAST_IPV4 = 224;
const MULTICAST_IPV6 = 0xff;
const LOOPBACK_IPV4 = 127;

export interface Address {
  family: Family;
  bytes: Uint8Array;
}

export interface Endpoint extends Address {
  /** 0 for none. */
  port: number;
  /** 10.31.4.2:8443, [2001:db8::2]:80 or 10.31.4.2. */
  text: string;
}

/** IPv4 or IPv6 address, without brackets, zone or prefix length. */
export function addressOf(text: string): Address | string {
  const ipv4 = parseIpv4(text);
  if (ipv4) return { family: AF_INET, bytes: ipv4 };
  const ipv6 = parseIpv6(text);
  if (ipv6) return { family: AF_INET6, bytes: ipv6 };
  return `found ${describe(text)}; allowed: an IPv4 or IPv6 address${addressHint(text)}`;
}

function addressHint(text: string): string {
  const [plain = ''] = text.split('/');
  if (plain !== text && typeof addressOf(plain) !== 'string') return ', without a prefix length';
  if (/^[0-9.]+:[0-9]+$/.test(text)) return '; the port has its own key';
  if (/^\[.*\]$/.test(text)) return ', without brackets';
  if (/^[0-9]+(\.[0-9]+){3}$/.test(text)) {
    const octal = /(^|\.)0[0-9]/.test(text);
    return octal ? '; some programs read a part with a leading zero as octal' : '; each part is a number from 0 to 255';
  }
  if (text.includes('%')) return ', without a zone';
  return /[g-zG-Z]/.test(text) ? ' (names are not looked up)' : '';
}

/** ADDRESS, ADDRESS:PORT or [IPV6]:PORT. */
export function endpointOf(text: string): Endpoint | string {
  const colon = text.indexOf(':');
  if (colon < 0) {
    const bytes = parseIpv4(text);
    return bytes ? { family: AF_INET, bytes, port: 0, text } : endpointHint(text);
  }
  if (text.charCodeAt(0) !== 91 /* '[' */ && text.indexOf(':', colon + 1) < 0) {
    const bytes = parseIpv4(text.slice(0, colon));
    const port = portOf(text.slice(colon + 1));
    return bytes && port > 0 ? { family: AF_INET, bytes, port, text } : endpointHint(text);
  }
  const bracketed = /^\[([0-9a-fA-F:.]+)\]:([0-9]+)$/.exec(text);
  const bytes = parseIpv6(bracketed?.[1] ?? text);
  const port = bracketed ? portOf(bracketed[2] ?? '') : 0;
  if (!bytes || port < 0 || (bracketed && port === 0)) return endpointHint(text);
  return { family: AF_INET6, bytes, port, text: endpointText(AF_INET6, bytes, port) };
}

/** 10.31.4.2:8443, [2001:db8::2]:80; without the port if that is 0. */
export function endpointText(family: Family, bytes: Uint8Array, port: number): string {
  const address = formatAddress(family, bytes);
  if (port === 0) return address;
  return family === AF_INET ? `${address}:${port}` : `[${address}]:${port}`;
}

function endpointHint(text: string): string {
  const colon = text.lastIndexOf(':');
  const port = text.slice(colon + 1);
  const address = text.slice(0, Math.max(colon, 0)).replace(/^\[(.*)\]$/, '$1');
  const wrongPort = colon > 0 && typeof addressOf(address) !== 'string' && portOf(port) < 1;
  const hint = wrongPort ? '; a port is a number from 1 to 65535' : addressHint(colon > 0 ? address : text);
  return `found ${describe(text)}; allowed: ADDRESS, ADDRESS:PORT or "[IPV6]:PORT"${hint}`;
}

/** '8443' -> 8443; -1 for anything but decimal digits of 0 to 65535. */
function portOf(text: string): number {
  if (text.length === 0 || text.length > 5) return -1;
  let port = 0;
  for (let i = 0; i < text.length; i++) {
    const digit = text.charCodeAt(i) - 48;
    if (digit < 0 || digit > 9 || (port === 0 && i > 0)) return -1;
    port = 10 * port + digit;
  }
  return port <= 65535 ? port : -1;
}

/** '8000-8009' -> { min: 8000, max: 8009 }. */
export function portRange(text: string, lowest: number): { min: number; max: number } | string {
  const [min = 0, max = 0] = text.split('-').map(Number);
  const allowed = `FIRST-LAST, from ${lowest} to 65535`;
  if (max > 65535 || min < lowest) return `found ${describe(text)}; allowed: ${allowed}`;
  if (min > max) return `found ${describe(text)}, which is descending; allowed: ${allowed}, or "${max}-${min}"`;
  return { min, max };
}

/** Milliseconds. The schema has checked the format. */
export function durationOf(text: string, least: number, most: number): number | string {
  const milliseconds = parseDuration(text);
  if (milliseconds !== undefined && milliseconds >= least && milliseconds <= most) return milliseconds;
  return `found ${describe(text)}; allowed: ${formatDuration(least)} to ${formatDuration(most)}`;
}

/** Whole seconds. */
export function secondsOf(text: string, least: number, most: number): number | string {
  const milliseconds = durationOf(text, least * 1000, most * 1000);
  if (typeof milliseconds === 'string' || milliseconds % 1000 === 0)
    return typeof milliseconds === 'string' ? milliseconds : milliseconds / 1000;
  return `found ${describe(text)}; allowed: whole seconds, the unit of the kernel`;
}

/** The reason why a host cannot have this address; undefined if it can. */
export function notUnicast({ family, bytes }: Address): string | undefined {
  const first = bytes[0] ?? 0;
  if (first > 0 && first < MULTICAST_IPV4) return undefined;
  if (bytes.every((byte) => byte === 0)) return 'the unspecified address';
  if (family === AF_INET6) {
    const mapped = mappedIpv4(bytes);
    if (mapped !== undefined) return `an IPv4-mapped address (write ${mapped})`;
    return first === MULTICAST_IPV6 ? 'a multicast address' : undefined;
  }
  if (bytes.every((byte) => byte === 255)) return 'the broadcast address';
  return first >= MULTICAST_IPV4 ? 'a multicast or reserved address' : undefined;
}

/** ::ffff:10.0.0.1 -> '10.0.0.1'. */
function mappedIpv4(bytes: Uint8Array): string | undefined {
  const isMapped = bytes.subarray(0, 12).every((byte, index) => byte === (index < 10 ? 0 : 0xff));
  return isMapped ? formatAddress(AF_INET, bytes.subarray(12)) : undefined;
}

export function isLoopback({ family, bytes }: Address): boolean {
  if (family === AF_INET) return bytes[0] === LOOPBACK_IPV4;
  return bytes.every((byte, index) => byte === (index === 15 ? 1 : 0));
}

/** A cheap map key for an address: a number for IPv4, a string for IPv6. */
export function addressId(bytes: Uint8Array): number | string {
  if (bytes.length === 4)
    return ((bytes[0] ?? 0) << 24) | ((bytes[1] ?? 0) << 16) | ((bytes[2] ?? 0) << 8) | (bytes[3] ?? 0);
  return String.fromCharCode(...bytes);
}
