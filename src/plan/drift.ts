// SPDX-License-Identifier: MIT
/** Drift: what other programs changed in the kernel between two reads. Pure. */
import { serviceKeyText } from '../ipvs/index.ts';
import { localAddressText, timeoutChanges } from './describe.ts';
import { type Change, changes, DESTINATION_FIELDS, SERVICE_FIELDS } from './fields.ts';
import { addressKey, bytesKey, destinationKeyText } from './keys.ts';
import { sameDaemon } from './sync-difference.ts';
import { addressText, destinationText, endpointText, serviceText, syncText } from './texts.ts';
import type { Actual, ActualAddress, ActualService } from './types.ts';

export type DriftObject = 'service' | 'real_server' | 'local_address' | 'address' | 'timeouts' | 'sync';

/** One change. */
export interface Drift {
  /** What changed, by kind of object; several in a summary. */
  objects: Partial<Record<DriftObject, number>>;
  /** "weight of real server 10.31.4.2:80 of tcp 10.99.0.10:80 is 5, not 2". */
  text: string;
  /** `serviceKeyText`; undefined: not about a service. */
  service?: string | undefined;
  /** "tcp 10.99.0.10:80". */
  virtual?: string | undefined;
  /** Of a real server "10.31.4.2:80"; of another address "10.99.0.10/32 on lo". */
  address?: string | undefined;
}

/** Which changes are reported. Default: all services, and the addresses that lvsd added. */
export interface DriftFilter {
  /** By `serviceKeyText`. */
  service?: (key: string) => boolean;
  address?: (address: ActualAddress) => boolean;
  /** Whether changes of connection sync are reported; default: true. */
  sync?: boolean;
}

/** Changes that are listed; further ones are counted. Another program may have cleared a table of 10,000 services. */
const MAX_LISTED = 50;

/** The changes from `before` to `now` that the filter includes: at most MAX_LISTED, then their number. */
export function drift(before: Actual, now: Actual, filter: DriftFilter = {}): Drift[] {
  const { service = () => true, address = ({ ours }) => ours, sync = true } = filter;
  const found = [
    ...serviceDrift(before, now, service),
    ...addressDrift(before.addresses, now.addresses, address),
    ...(sync ? syncDrift(before, now) : []),
    ...sentences('timeouts', timeoutChanges(before.timeouts, now.timeouts)).map((text) => ({
      objects: { timeouts: 1 },
      text,
    })),
  ];
  if (found.length <= MAX_LISTED) return found;
  const more = found.slice(MAX_LISTED);
  const objects: Drift['objects'] = {};
  for (const one of more)
    for (const [object, count] of Object.entries(one.objects) as [DriftObject, number][])
      objects[object] = (objects[object] ?? 0) + count;
  return [...found.slice(0, MAX_LISTED), { objects, text: `and ${more.length} more changes` }];
}

/** Whether two lists have the same objects in the same order. */
export const sameItems = <T>(a: readonly T[], b: readonly T[]): boolean =>
  a === b || (a.length === b.length && a.every((one, i) => one === b[i]));

function serviceDrift(before: Actual, now: Actual, includes: (key: string) => boolean): Drift[] {
  // Usually the kernel's count of changes is the same, and so are the objects.
  if (sameItems(before.services, now.services)) return [];
  const left = new Map(now.services.map((one) => [serviceKeyText(one.service), one]));
  const found: Drift[] = [];
  let known = 0;
  for (const was of before.services) {
    const key = serviceKeyText(was.service);
    const is = left.get(key);
    left.delete(key);
    if (!includes(key)) continue;
    known++;
    const virtual = serviceText(was.service);
    if (!is) found.push({ objects: { service: 1 }, text: `${virtual} was deleted`, service: key, virtual });
    else if (is !== was) for (const part of partDrift(was, is)) found.push({ ...part, service: key, virtual });
  }
  if (known > 1 && now.services.length === 0)
    return [{ objects: { service: known }, text: `the whole table was cleared: ${known} services were deleted` }];
  for (const [key, { service }] of left) {
    const virtual = serviceText(service);
    if (includes(key)) found.push({ objects: { service: 1 }, text: `${virtual} was added`, service: key, virtual });
  }
  return found;
}

function partDrift(was: ActualService, is: ActualService): Drift[] {
  const name = serviceText(was.service);
  return [
    ...sentences(name, changes(SERVICE_FIELDS, was.service, is.service)).map((text) => ({
      objects: { service: 1 },
      text,
    })),
    ...compared(was.destinations, is.destinations, {
      object: 'real_server',
      key: destinationKeyText,
      text: (one) => `${destinationText(one)} of ${name}`,
      address: ({ family, address, port }) => endpointText(family, address, port),
      changed: (a, b, text) => sentences(text, changes(DESTINATION_FIELDS, a, b)),
    }),
    ...compared(was.localAddresses, is.localAddresses, {
      object: 'local_address',
      key: ({ address }) => bytesKey(address),
      text: ({ address }) => `${localAddressText(address)} of ${name}`,
      address: () => undefined,
      changed: (a, b, text) =>
        a.draining === b.draining ? [] : [`${text} ${b.draining ? 'drains' : 'no longer drains'}`],
    }),
  ];
}

interface Comparison<T> {
  object: DriftObject;
  key: (one: T) => string;
  text: (one: T) => string;
  address: (one: T) => string | undefined;
  changed: (was: T, is: T, text: string) => string[];
}

function compared<T>(
  before: readonly T[],
  now: readonly T[],
  { object, key, text, address, changed }: Comparison<T>,
): Drift[] {
  const left = new Map(now.map((one) => [key(one), one]));
  const found: Drift[] = [];
  for (const was of before) {
    const is = left.get(key(was));
    left.delete(key(was));
    const texts = is ? changed(was, is, text(was)) : [`${text(was)} was deleted`];
    for (const sentence of texts) found.push({ objects: { [object]: 1 }, text: sentence, address: address(was) });
  }
  for (const one of left.values())
    found.push({ objects: { [object]: 1 }, text: `${text(one)} was added`, address: address(one) });
  return found;
}

function addressDrift(
  before: readonly ActualAddress[],
  now: readonly ActualAddress[],
  includes: (address: ActualAddress) => boolean,
): Drift[] {
  const key = (one: ActualAddress) => `${addressKey(one)}/${one.prefix}`;
  const present = new Set(now.map(key));
  return before
    .filter((one) => includes(one) && !present.has(key(one)))
    .map((one) => ({
      objects: { address: 1 },
      text: `address ${addressText(one)} was deleted`,
      address: addressText(one),
    }));
}

function syncDrift({ syncDaemons: before }: Actual, { syncDaemons: now }: Actual): Drift[] {
  if (before === undefined || now === undefined) return [];
  const gone = before.filter((one) => !now.some((other) => sameDaemon(one, other)));
  const come = now.filter((one) => !before.some((other) => sameDaemon(one, other)));
  return [
    ...gone.map((one) => ({ objects: { sync: 1 }, text: `${syncText(one)} was stopped` })),
    ...come.map((one) => ({ objects: { sync: 1 }, text: `${syncText(one)} was started` })),
  ];
}

function sentences(of: string, differing: readonly Change[]): string[] {
  return differing.map(({ aspect, from, to }) => `${aspect} of ${of} is ${to}, not ${from}`);
}
