// SPDX-License-Identifier: MIT
/**
 * ipvsadm's order of services and destinations. It subtracts unsigned numbers into an int, so that 192.0.2.1 comes before
 * 10.0.0.1 and the order is not transitive. The result then depends on the algorithm, which has to be that of glibc's
 * qsort(3), a merge sort.
 */
import { AF_INET6, type Family } from '../../base/addresses.ts';
import type { DestinationKey, ServiceKey } from '../../ipvs/index.ts';

/** The sort key of a service or destination. */
interface Sortable {
  /** 0 for a destination. */
  readonly fwmark: number;
  /** Family and protocol; 0 for a destination. */
  readonly order: number;
  readonly family: Family;
  /** The first four bytes of the address, as a number. */
  readonly number: number;
  readonly bytes: Uint8Array;
  readonly port: number;
}

interface Prepared<T> extends Sortable {
  readonly item: T;
}

function prepare<T extends DestinationKey>(item: T, fwmark: number, order: number): Prepared<T> {
  const bytes = item.address;
  const number =
    (((bytes[0] as number) << 24) |
      ((bytes[1] as number) << 16) |
      ((bytes[2] as number) << 8) |
      (bytes[3] as number)) >>>
    0;
  return { item, fwmark, order, family: item.family, number, bytes, port: item.port };
}

function compare(a: Sortable, b: Sortable): number {
  return (
    // `| 0` truncates the difference to an int.
    (a.fwmark - b.fwmark) | 0 ||
    a.order - b.order ||
    (a.family === AF_INET6 ? Buffer.compare(padded(a.bytes), padded(b.bytes)) : (a.number - b.number) | 0) ||
    a.port - b.port
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
function mergeSort(items: Sortable[]): void {
  sortPart(items, 0, items.length, []);
}

/** `left` is scratch space for the left half. */
function sortPart(items: Sortable[], from: number, to: number, left: Sortable[]): void {
  if (to - from < 2) return;
  const middle = from + ((to - from) >> 1);
  sortPart(items, from, middle, left);
  sortPart(items, middle, to, left);
  const count = middle - from;
  for (let i = 0; i < count; i++) left[i] = items[from + i] as Sortable;
  let i = 0;
  let j = middle;
  let at = from;
  while (i < count && j < to) {
    const a = left[i] as Sortable;
    const b = items[j] as Sortable;
    if (compare(a, b) <= 0) {
      items[at++] = a;
      i++;
    } else {
      items[at++] = b;
      j++;
    }
  }
  // The rest of the right half is already in place.
  while (i < count) items[at++] = left[i++] as Sortable;
}

function putBack<T>(items: T[], prepared: readonly Prepared<T>[]): T[] {
  for (let i = 0; i < items.length; i++) items[i] = (prepared[i] as Prepared<T>).item;
  return items;
}

/** Sorts in place. */
export function sortServices<T extends ServiceKey>(services: T[]): T[] {
  const prepared = services.map((one) => prepare(one, one.fwmark, 65536 * one.family + one.protocol));
  mergeSort(prepared);
  return putBack(services, prepared);
}

/** Sorts in place. */
export function sortDestinations<T extends DestinationKey>(destinations: T[]): T[] {
  const prepared = destinations.map((one) => prepare(one, 0, 0));
  mergeSort(prepared);
  return putBack(destinations, prepared);
}
