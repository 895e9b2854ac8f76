// SPDX-License-Identifier: MIT
/**
 * ipvsadm's order of services and destinations. It subtracts unsigned numbers into an int, so that 192.0.2.1 comes before
 * 10.0.0.1 and the order is not transitive. The result then depends on the algorithm, which has to be that of glibc's
 * qsort(3), a merge sort.
 */
import { AF_INET6 } from '../../base/addresses.ts';
import type { DestinationKey, ServiceKey } from '../../ipvs/index.ts';

/** An item, and what its place depends on: one shape for all, because a long listing compares 130,000 times. */
export interface Place<T> {
  readonly fwmark: number;
  /** Of a service: family and protocol. */
  readonly kind: number;
  /** The first four bytes of the address, as a signed number. */
  readonly word: number;
  /** An IPv6 address. */
  readonly ipv6: Uint8Array | undefined;
  readonly port: number;
  readonly item: T;
}

/** Returns a sorted copy. */
export function sortServices<T extends ServiceKey>(services: readonly T[]): T[] {
  return sortPlaces(services.map(servicePlace)).map(({ item }) => item);
}

/** Returns a sorted copy. */
export function sortDestinations<T extends DestinationKey>(destinations: readonly T[]): T[] {
  return sortPlaces(destinations.map(destinationPlace)).map(({ item }) => item);
}

function servicePlace<T extends ServiceKey>(item: T): Place<T> {
  const { family, protocol, address, port, fwmark } = item;
  const ipv6 = family === AF_INET6 ? address : undefined;
  return { fwmark, kind: 65536 * family + protocol, word: firstWord(address), ipv6, port, item };
}

function destinationPlace<T extends DestinationKey>(item: T): Place<T> {
  const { family, address, port } = item;
  return { fwmark: 0, kind: 0, word: firstWord(address), ipv6: family === AF_INET6 ? address : undefined, port, item };
}

/** Sorts in place and stably. */
export function sortPlaces<T>(places: Place<T>[]): Place<T>[] {
  sortPart(places, 0, places.length, []);
  return places;
}

/** `| 0` truncates a difference to an int. */
function compare(a: Place<unknown>, b: Place<unknown>): number {
  return (
    (a.fwmark - b.fwmark) | 0 ||
    a.kind - b.kind ||
    (a.ipv6 ? Buffer.compare(a.ipv6, b.ipv6 ?? padded(b.word)) : (a.word - b.word) | 0) ||
    a.port - b.port
  );
}

/** The first four bytes as a signed number. */
export function firstWord(bytes: Uint8Array): number {
  return (
    ((bytes[0] as number) << 24) | ((bytes[1] as number) << 16) | ((bytes[2] as number) << 8) | (bytes[3] as number)
  );
}

/** union nf_inet_addr is zero after an IPv4 address. */
function padded(word: number): Uint8Array {
  const bytes = Buffer.alloc(16);
  bytes.writeInt32BE(word);
  return bytes;
}

/** `left` is scratch space for the left half. */
function sortPart<T>(items: Place<T>[], from: number, to: number, left: Place<T>[]): void {
  if (to - from < 2) return;
  const middle = from + ((to - from) >> 1);
  sortPart(items, from, middle, left);
  sortPart(items, middle, to, left);
  const count = middle - from;
  for (let i = 0; i < count; i++) left[i] = items[from + i] as Place<T>;
  let i = 0;
  let j = middle;
  let at = from;
  while (i < count && j < to) {
    const a = left[i] as Place<T>;
    const b = items[j] as Place<T>;
    if (compare(a, b) <= 0) {
      items[at++] = a;
      i++;
    } else {
      items[at++] = b;
      j++;
    }
  }
  // The rest of the right half is already in place.
  while (i < count) items[at++] = left[i++] as Place<T>;
}
