// SPDX-License-Identifier: MIT
/**
 * VRRP messages as bytes, without their IP header: version 2 (RFC 3768 section 5) over IPv4, version 3 (RFC 9568
 * section 5) over IPv4 and IPv6.
 */
import { AF_INET, type Family, parseAddress } from '../base/addresses.ts';
import { addWords, fold, pseudoHeader } from './checksum.ts';
import { SECOND, type Version } from './timing.ts';

export const IPPROTO_VRRP = 112;
export const HEADER_LENGTH = 8;
/** Version 2 ends with 8 bytes of authentication data, also without authentication. */
export const PASSWORD_LENGTH = 8;
export const ADVERTISEMENT = 1;

/** Values of version 2's Auth Type. */
export const NO_AUTHENTICATION = 0;
export const SIMPLE_PASSWORD = 1;

const CENTISECOND = SECOND / 100;
const MAX_CENTISECONDS = 0xfff;

/** RFC 9568 section 5.1.1.2. */
export const GROUP_IPV4 = groupAddress('224.0.0.18');
/** RFC 9568 section 5.1.2.2. */
export const GROUP_IPV6 = groupAddress('ff02::12');

/** The contents of an advertisement. */
export interface Advertisement {
  version: Version;
  family: Family;
  virtualRouterId: number;
  priority: number;
  /** Microseconds: whole seconds in version 2, whole centiseconds up to 40.95 s in version 3. */
  interval: number;
  addresses: readonly Uint8Array[];
  /** Version 2 only: the 8 bytes of a simple password. */
  password: Uint8Array | undefined;
}

/** Addresses of the IP header, which the checksum of version 3 covers. */
export interface Endpoints {
  source: Uint8Array;
  destination: Uint8Array;
}

/** The fixed part of a message; `type` and everything behind it are unchecked. */
export interface Header {
  version: number;
  type: number;
  virtualRouterId: number;
  priority: number;
  count: number;
  /** Version 2: Auth Type and Adver Int; version 3: reserved bits and Max Advertise Interval. */
  word: number;
}

/**
 * Encodes an advertisement with its checksum. Throws RangeError for what does not fit its fields, which the
 * configuration has excluded.
 */
export function encodeAdvertisement(advert: Advertisement, endpoints: Endpoints): Buffer {
  const { version, family, addresses, password } = advert;
  const size = addressLength(family);
  const end = HEADER_LENGTH + size * addresses.length;
  const message = Buffer.alloc(end + (version === 2 ? PASSWORD_LENGTH : 0));
  message[0] = (version << 4) | ADVERTISEMENT;
  message.writeUInt8(advert.virtualRouterId, 1);
  message.writeUInt8(advert.priority, 2);
  message.writeUInt8(addresses.length, 3);
  if (version === 2) {
    message.writeUInt8(password === undefined ? NO_AUTHENTICATION : SIMPLE_PASSWORD, 4);
    message.writeUInt8(advert.interval / SECOND, 5);
  } else {
    const centiseconds = Math.round(advert.interval / CENTISECOND);
    if (centiseconds > MAX_CENTISECONDS) throw new RangeError(`interval of ${advert.interval} us`);
    message.writeUInt16BE(centiseconds, 4);
  }
  addresses.forEach((address, index) => {
    if (address.length !== size) throw new RangeError(`address of ${address.length} bytes`);
    message.set(address, HEADER_LENGTH + size * index);
  });
  if (password !== undefined) message.set(password.subarray(0, PASSWORD_LENGTH), end);
  message.writeUInt16BE(fold(checksumSum(message, version, endpoints)), 6);
  return message;
}

/** The fixed part of a message of at least HEADER_LENGTH bytes. */
export function readHeader(message: Uint8Array): Header {
  const [first = 0, virtualRouterId = 0, priority = 0, count = 0, high = 0, low = 0] = message;
  return { version: first >> 4, type: first & 15, virtualRouterId, priority, count, word: (high << 8) | low };
}

/** The advertisement interval of a header in microseconds; the reserved bits of version 3 are ignored. */
export function intervalOf(version: Version, word: number): number {
  return version === 2 ? (word & 0xff) * SECOND : (word & MAX_CENTISECONDS) * CENTISECOND;
}

/** The addresses of a message whose length was checked; they share its memory. */
export function addressesOf(message: Uint8Array, family: Family, count: number): Uint8Array[] {
  const size = addressLength(family);
  return Array.from({ length: count }, (_, index) => {
    const at = HEADER_LENGTH + size * index;
    return message.subarray(at, at + size);
  });
}

/** Whether the checksum in a message is right; version 3 covers a pseudo header, version 2 does not. */
export function checksumHolds(message: Uint8Array, version: Version, endpoints: Endpoints): boolean {
  return fold(checksumSum(message, version, endpoints)) === 0;
}

/** The exact length of a message with `count` addresses. */
export function messageLength(version: Version, family: Family, count: number): number {
  return HEADER_LENGTH + addressLength(family) * count + (version === 2 ? PASSWORD_LENGTH : 0);
}

function checksumSum(message: Uint8Array, version: Version, { source, destination }: Endpoints): number {
  const start = version === 2 ? 0 : pseudoHeader(source, destination, IPPROTO_VRRP, message.length);
  return addWords(start, message);
}

function addressLength(family: Family): number {
  return family === AF_INET ? 4 : 16;
}

function groupAddress(text: string): Uint8Array {
  const parsed = parseAddress(text);
  if (parsed === undefined) throw new TypeError(text);
  return parsed.bytes;
}
