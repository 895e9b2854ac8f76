// SPDX-License-Identifier: MIT
/**
 * ipvsadm's order. It subtracts unsigned numbers into an int, so 192.0.2.1 comes before 10.0.0.1 and the order is not
 * even transitive; to print what it prints, the way of sorting has to be glibc's as well (qsort(3), a merge sort).
 */
import { AF_INET6, type Family } from '../base/addresses.ts';
import type { DestinationKey, ServiceKey } from '../ipvs/index.ts';

/** A difference as an int holds it. */
const wrapped = (a: number, b: number): number => (a - b) | 0;

function compareAddresses(family: Family, a: Uint8Array, b: Uint8Array): number {
  // union nf_inet_addr is zero after an IPv4 address.
  if (family === AF_INET6) return Buffer.compare(padded(a), padded(b));
  return wrapped(Buffer.from(a).readUInt32BE(0), Buffer.from(b).readUInt32BE(0));
}

function padded(address: Uint8Array): Uint8Array {
  if (address.length === 16) return address;
  const bytes = new Uint8Array(16);
  bytes.set(address);
  return bytes;
}

function compareServices(a: ServiceKey, b: ServiceKey): number {
  return (
    wrapped(a.fwmark, b.fwmark) ||
    a.family - b.family ||
    a.protocol - b.protocol ||
    compareAddresses(a.family, a.address, b.address) ||
    a.port - b.port
  );
}

function compareDestinations(a: DestinationKey, b: DestinationKey): number {
  return compareAddresses(a.family, a.address, b.address) || a.port - b.port;
}

/** Sorts in place: halves first, then merged, the left one first where they are equal. */
function mergeSort<T>(items: T[], compare: (a: T, b: T) => number, from = 0, to = items.length): void {
  if (to - from < 2) return;
  const middle = from + Math.floor((to - from) / 2);
  mergeSort(items, compare, from, middle);
  mergeSort(items, compare, middle, to);
  const [left, right] = [items.slice(from, middle), items.slice(middle, to)];
  let [i, j] = [0, 0];
  for (let at = from; at < to; at++) {
    const [a, b] = [left[i] as T, right[j] as T];
    if (j === right.length || (i < left.length && compare(a, b) <= 0)) {
      items[at] = a;
      i++;
    } else {
      items[at] = b;
      j++;
    }
  }
}

export function sortServices<T extends ServiceKey>(services: T[]): T[] {
  mergeSort(services, compareServices);
  return services;
}

export function sortDestinations<T extends DestinationKey>(destinations: T[]): T[] {
  mergeSort(destinations, compareDestinations);
  return destinations;
}
