// SPDX-License-Identifier: MIT
/** What somebody else changed since we looked last, in words. Pure. */
import { serviceKeyText } from '../ipvs/index.ts';
import { localAddressText, timeoutChanges } from './describe.ts';
import { type Change, changes, DESTINATION_ASPECTS, SERVICE_ASPECTS } from './fields.ts';
import { addressKey, bytesKey, destinationKeyText } from './keys.ts';
import { addressText, destinationText, serviceText } from './texts.ts';
import type { Actual, ActualAddress, ActualService } from './types.ts';

/** What is lvsd's to care about; by default every service, and the addresses that it put there. */
export interface Concerns {
  /** By `serviceKeyText`. */
  service?: (key: string) => boolean;
  address?: (address: ActualAddress) => boolean;
}

/** More of them at once are counted instead: a table of 10,000 services may have been cleared. */
const MOST_LINES = 50;

/** One sentence a change: "weight of real server 10.31.4.2:80 of tcp 10.99.0.10:80 is 5, not 2". */
export function drift(before: Actual, now: Actual, concerns: Concerns = {}): string[] {
  const { service = () => true, address = ({ ours }) => ours } = concerns;
  const lines = [
    ...serviceDrift(before, now, service),
    ...addressDrift(before.addresses, now.addresses, address),
    ...sentences('timeouts', timeoutChanges(before.timeouts, now.timeouts)),
  ];
  if (lines.length <= MOST_LINES) return lines;
  return [...lines.slice(0, MOST_LINES), `and ${lines.length - MOST_LINES} more changes`];
}

function serviceDrift(before: Actual, now: Actual, concerns: (key: string) => boolean): string[] {
  const left = new Map(now.services.map((one) => [serviceKeyText(one.service), one]));
  const lines: string[] = [];
  let known = 0;
  for (const was of before.services) {
    const key = serviceKeyText(was.service);
    const is = left.get(key);
    left.delete(key);
    if (!concerns(key)) continue;
    known++;
    if (!is) lines.push(`${serviceText(was.service)} was deleted`);
    else if (is !== was) lines.push(...partDrift(was, is));
  }
  const added = [...left].filter(([key]) => concerns(key)).map(([, one]) => `${serviceText(one.service)} was added`);
  if (known > 1 && now.services.length === 0) return [`the whole table was cleared: ${known} services were deleted`];
  return [...lines, ...added];
}

function partDrift(was: ActualService, is: ActualService): string[] {
  const name = serviceText(was.service);
  return [
    ...sentences(name, changes(SERVICE_ASPECTS, was.service, is.service)),
    ...compared(was.destinations, is.destinations, destinationKeyText, (one) => `${destinationText(one)} of ${name}`, {
      changed: (a, b, text) => sentences(text, changes(DESTINATION_ASPECTS, a, b)),
    }),
    ...compared(
      was.localAddresses,
      is.localAddresses,
      ({ address }) => bytesKey(address),
      ({ address }) => `${localAddressText(address)} of ${name}`,
      {
        changed: (a, b, text) =>
          a.draining === b.draining ? [] : [`${text} ${b.draining ? 'drains' : 'no longer drains'}`],
      },
    ),
  ];
}

function compared<T>(
  before: readonly T[],
  now: readonly T[],
  keyOf: (one: T) => string,
  text: (one: T) => string,
  { changed }: { changed: (was: T, is: T, text: string) => string[] },
): string[] {
  const left = new Map(now.map((one) => [keyOf(one), one]));
  const lines = before.flatMap((was) => {
    const key = keyOf(was);
    const is = left.get(key);
    left.delete(key);
    return is ? changed(was, is, text(was)) : [`${text(was)} was deleted`];
  });
  return [...lines, ...[...left.values()].map((one) => `${text(one)} was added`)];
}

function addressDrift(
  before: readonly ActualAddress[],
  now: readonly ActualAddress[],
  concerns: (address: ActualAddress) => boolean,
): string[] {
  const key = (one: ActualAddress) => `${addressKey(one)}/${one.prefix}`;
  const there = new Set(now.map(key));
  return before
    .filter((one) => concerns(one) && !there.has(key(one)))
    .map((one) => `address ${addressText(one)} was deleted`);
}

function sentences(of: string, differing: readonly Change[]): string[] {
  return differing.map(({ aspect, from, to }) => `${aspect} of ${of} is ${to}, not ${from}`);
}
