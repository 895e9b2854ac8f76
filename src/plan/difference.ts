// SPDX-License-Identifier: MIT
/** The steps from what is to what should be: few, and in an order that breaks nothing on the way. Pure. */
import { type ServiceKey, serviceKeyText, type Timeouts } from '../ipvs/index.ts';
import { addressSteps } from './address-difference.ts';
import { changedService, newService } from './service-difference.ts';
import type { Actual, ActualService, Desired, DesiredService, Operation, Ownership, Plan } from './types.ts';

/** Pairs that do not differ, and keys: nobody changes a service in place, and most are the same as the last time. */
const equal = new WeakMap<DesiredService, ActualService>();
const keys = new WeakMap<ServiceKey, string>();

/** Says that a service is as it should be, so that nobody has to compare the two. */
export function settle(desired: DesiredService, actual: ActualService): void {
  equal.set(desired, actual);
}

function keyText(service: ServiceKey): string {
  let text = keys.get(service);
  if (text === undefined) {
    text = serviceKeyText(service);
    keys.set(service, text);
  }
  return text;
}

/**
 * The order: an address that no service stands behind any more leaves first, so that no traffic comes for what is being
 * taken apart; local addresses come before the services that use them, virtual ones after the services that they lead
 * to; services that are no longer wanted follow, and at the end the addresses that nothing uses any more.
 */
export function difference(desired: Desired, actual: Actual, ownership: Ownership): Plan {
  const present = new Map(actual.services.map((one) => [keyText(one.service), one]));
  const wanted = new Set<string>();
  const operations: Operation[] = [];
  const waiting: Plan['waiting'][number][] = [];
  for (const service of desired.services) {
    const key = keyText(service);
    if (wanted.has(key)) continue;
    wanted.add(key);
    const there = present.get(key);
    if (!there) newService(service, operations);
    else if (equal.get(service) !== there) {
      const steps = changedService(service, there);
      operations.push(...steps.operations);
      waiting.push(...steps.waiting);
      if (steps.operations.length === 0 && steps.waiting.length === 0) equal.set(service, there);
    }
  }
  const gone: Operation[] = [];
  for (const [key, { service }] of present) {
    if (wanted.has(key) || !(ownership.all || ownership.services.has(key))) continue;
    gone.push({ op: 'delete-service', service: keyOf(service), name: undefined });
  }
  const addresses = addressSteps(desired, actual, [...operations, ...gone]);
  return {
    operations: [
      ...timeouts(desired.timeouts, actual.timeouts),
      ...addresses.withdrawn,
      ...addresses.local,
      ...operations,
      ...addresses.virtual,
      ...addresses.moved,
      ...gone,
      ...addresses.unused,
    ],
    waiting,
  };
}

/** What is already as wanted is left alone. */
function timeouts(wanted: Timeouts, was: Timeouts): Operation[] {
  const differing = (name: keyof Timeouts) => (wanted[name] === was[name] ? 0 : wanted[name]);
  const { tcp, tcpFin, udp } = { tcp: differing('tcp'), tcpFin: differing('tcpFin'), udp: differing('udp') };
  return tcp || tcpFin || udp ? [{ op: 'set-timeouts', timeouts: { tcp, tcpFin, udp }, was }] : [];
}

function keyOf({ family, protocol, address, port, fwmark }: ServiceKey): ServiceKey {
  return { family, protocol, address, port, fwmark };
}
