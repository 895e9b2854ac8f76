// SPDX-License-Identifier: MIT
/**
 * ipvsadm's order. It subtracts unsigned numbers into an int, so 192.0.2.1 comes before 10.0.0.1 and the order is not
 * even transitive; to print what it prints, the way of sorting has to be glibc's as well (qsort(3), a merge sort).
 */
import { AF_INET6, type Family } from '../base/addresses.ts';
import type { DestinationKey, ServiceKey } from '../ipvs/index.ts';

/** A difference as an int holds it. */
const wrapped = (a: number, b: number): number => (a - b) | 0;

/** An item with its address prepared: as a number, and for IPv6 as 16 bytes. */
interface Prepared<T> {
  readonly item: T;
  readonly number: number;
  readonly bytes: Uint8Array;
}

function prepare<T extends DestinationKey>(item: T): Prepared<T> {
  const { address } = item;
  const [a = 0, b = 0, c = 0, d = 0] = address;
  return { item, number: ((a << 24) | (b << 16) | (c << 8) | d) >>> 0, bytes: address };
}

function compareAddresses(family: Family, a: Prepared<unknown>, b: Prepared<unknown>): number {
  return family === AF_INET6 ? Buffer.compare(padded(a.bytes), padded(b.bytes)) : wrapped(a.number, b.number);
}

/** union nf_inet_addr is zero after an IPv4 address. */
function padded(address: Uint8Array): Uint8Array {
  if (address.length === 16) return address;
  const bytes = new Uint8Array(16);
  bytes.set(address);
  return bytes;
}

function compareServices(a: Prepared<ServiceKey>, b: Prepared<ServiceKey>): number {
  return (
    wrapped(a.item.fwmark, b.item.fwmark) ||
    a.item.family - b.item.family ||
    a.item.protocol - b.item.protocol ||
    compareAddresses(a.item.family, a, b) ||
    a.item.port - b.item.port
  );
}

function compareDestinations(a: Prepared<DestinationKey>, b: Prepared<DestinationKey>): number {
  return compareAddresses(a.item.family, a, b) || a.item.port - b.item.port;
}

/** Sorts in place: halves first, then merged, the left one first where they are equal. */
export function mergeSort<T>(items: T[], compare: (a: T, b: T) => number): void {
  sortPart(items, compare, 0, items.length, []);
}

/** `left` has room for the first half of a part. */
function sortPart<T>(items: T[], compare: (a: T, b: T) => number, from: number, to: number, left: T[]): void {
  if (to - from < 2) return;
  const middle = from + ((to - from) >> 1);
  sortPart(items, compare, from, middle, left);
  sortPart(items, compare, middle, to, left);
  const count = middle - from;
  for (let i = 0; i < count; i++) left[i] = items[from + i] as T;
  let i = 0;
  let j = middle;
  let at = from;
  while (i < count && j < to) {
    const a = left[i] as T;
    const b = items[j] as T;
    if (compare(a, b) <= 0) {
      items[at++] = a;
      i++;
    } else {
      items[at++] = b;
      j++;
    }
  }
  // What is left of the right half is where it belongs.
  while (i < count) items[at++] = left[i++] as T;
}

function sortBy<T extends DestinationKey>(items: T[], compare: (a: Prepared<T>, b: Prepared<T>) => number): T[] {
  const prepared = items.map(prepare);
  mergeSort(prepared, compare);
  for (const [index, { item }] of prepared.entries()) items[index] = item;
  return items;
}

/** Sorts in place. */
export function sortServices<T extends ServiceKey>(services: T[]): T[] {
  return sortBy(services, compareServices);
}

/** Sorts in place. */
export function sortDestinations<T extends DestinationKey>(destinations: T[]): T[] {
  return sortBy(destinations, compareDestinations);
}
