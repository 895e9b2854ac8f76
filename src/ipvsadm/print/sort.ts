// SPDX-License-Identifier: MIT
/**
 * ipvsadm's order of services and destinations. It subtracts unsigned numbers into an int, so that 192.0.2.1 comes before
 * 10.0.0.1 and the order is not transitive. The result then depends on the algorithm, which has to be that of glibc's
 * qsort(3), a merge sort.
 */
import { AF_INET6 } from '../../base/addresses.ts';
import type { DestinationKey, ServiceKey } from '../../ipvs/index.ts';

/** Sorts in place. */
export function sortServices<T extends ServiceKey>(services: T[]): T[] {
  return mergeSort(services, compareServices);
}

/** Sorts in place. */
export function sortDestinations<T extends DestinationKey>(destinations: T[]): T[] {
  return mergeSort(destinations, compareDestinations);
}

type Compare<T> = (a: T, b: T) => number;

// `| 0` truncates a difference to an int.

function compareServices(a: ServiceKey, b: ServiceKey): number {
  return (
    (a.fwmark - b.fwmark) | 0 || 65536 * (a.family - b.family) + a.protocol - b.protocol || compareDestinations(a, b)
  );
}

function compareDestinations(a: DestinationKey, b: DestinationKey): number {
  const order =
    a.family === AF_INET6
      ? Buffer.compare(padded(a.address), padded(b.address))
      : (firstWord(a.address) - firstWord(b.address)) | 0;
  return order || a.port - b.port;
}

function firstWord(bytes: Uint8Array): number {
  return (
    (((bytes[0] as number) << 24) |
      ((bytes[1] as number) << 16) |
      ((bytes[2] as number) << 8) |
      (bytes[3] as number)) >>>
    0
  );
}

/** union nf_inet_addr is zero after an IPv4 address. */
function padded(address: Uint8Array): Uint8Array {
  if (address.length === 16) return address;
  const bytes = new Uint8Array(16);
  bytes.set(address);
  return bytes;
}

/** Sorts in place and stably. */
function mergeSort<T>(items: T[], compare: Compare<T>): T[] {
  sortPart(items, 0, items.length, [], compare);
  return items;
}

/** `left` is scratch space for the left half. */
function sortPart<T>(items: T[], from: number, to: number, left: T[], compare: Compare<T>): void {
  if (to - from < 2) return;
  const middle = from + ((to - from) >> 1);
  sortPart(items, from, middle, left, compare);
  sortPart(items, middle, to, left, compare);
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
  // The rest of the right half is already in place.
  while (i < count) items[at++] = left[i++] as T;
}
