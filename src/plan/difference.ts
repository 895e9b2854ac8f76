// SPDX-License-Identifier: MIT
/** The operations that lead from the actual state to the desired one, in an order that interrupts no service. Pure. */
import { type ServiceKey, serviceKeyText, type Timeouts } from '../ipvs/index.ts';
import { addressSteps } from './address-difference.ts';
import { changedService, newService } from './service-difference.ts';
import { syncSteps } from './sync-difference.ts';
import type { Actual, ActualService, Desired, DesiredService, Operation, Ownership, Plan } from './types.ts';

/**
 * Results of earlier comparisons, for a caller that compares repeatedly. Valid because services are never modified in
 * place; effective because nearly all of them are the same objects as in the previous comparison.
 */
export class DifferenceCache {
  readonly #equal = new WeakMap<DesiredService, ActualService>();
  readonly #keys = new WeakMap<ServiceKey, string>();

  /** Records that the two do not differ. */
  markEqual(desired: DesiredService, actual: ActualService): void {
    this.#equal.set(desired, actual);
  }

  areEqual(desired: DesiredService, actual: ActualService): boolean {
    return this.#equal.get(desired) === actual;
  }

  /** `serviceKeyText`, computed once. */
  keyText(service: ServiceKey): string {
    let text = this.#keys.get(service);
    if (text === undefined) {
      text = serviceKeyText(service);
      this.#keys.set(service, text);
    }
    return text;
  }
}

/**
 * The order: virtual addresses without a service are removed first, so that no traffic arrives for the services that are
 * removed later. Local addresses are added before the services that use them, virtual addresses after the services behind
 * them. Then unwanted services are deleted, and last the local addresses that no service uses any more.
 */
export function difference(
  desired: Desired,
  actual: Actual,
  ownership: Ownership,
  cache = new DifferenceCache(),
): Plan {
  const present = new Map(actual.services.map((one) => [cache.keyText(one.service), one]));
  const wanted = new Set<string>();
  const operations: Operation[] = [];
  const waiting: Plan['waiting'][number][] = [];
  for (const service of desired.services) {
    const key = cache.keyText(service);
    if (wanted.has(key)) continue;
    wanted.add(key);
    const existing = present.get(key);
    if (!existing) newService(service, operations);
    else if (!cache.areEqual(service, existing)) {
      const steps = changedService(service, existing);
      operations.push(...steps.operations);
      waiting.push(...steps.waiting);
      if (steps.operations.length === 0 && steps.waiting.length === 0) cache.markEqual(service, existing);
    }
  }
  const unwanted: Operation[] = [];
  for (const [key, { service }] of present) {
    if (wanted.has(key) || !(ownership.all || ownership.services.has(key))) continue;
    unwanted.push({ op: 'delete-service', service: keyOf(service), name: undefined });
  }
  const addresses = addressSteps(desired, actual, [...operations, ...unwanted]);
  return {
    operations: [
      ...timeouts(desired.timeouts, actual.timeouts),
      ...syncSteps(desired, actual),
      ...addresses.withdrawn,
      ...addresses.local,
      ...operations,
      ...addresses.virtual,
      ...addresses.moved,
      ...unwanted,
      ...addresses.unused,
    ],
    waiting,
  };
}

/** 0 leaves a timeout unchanged, also one that already has the desired value. */
function timeouts(wanted: Timeouts, was: Timeouts): Operation[] {
  const differing = (name: keyof Timeouts) => (wanted[name] === was[name] ? 0 : wanted[name]);
  const { tcp, tcpFin, udp } = { tcp: differing('tcp'), tcpFin: differing('tcpFin'), udp: differing('udp') };
  return tcp || tcpFin || udp ? [{ op: 'set-timeouts', timeouts: { tcp, tcpFin, udp }, was }] : [];
}

function keyOf({ family, protocol, address, port, fwmark }: ServiceKey): ServiceKey {
  return { family, protocol, address, port, fwmark };
}
