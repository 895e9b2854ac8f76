// SPDX-License-Identifier: MIT
/**
 * The operations from one actual service to the desired one. Destinations are added before others are removed, so that
 * the service never runs without any, and local addresses before the first destination that uses them.
 */
import {
  canonicalDestination,
  canonicalService,
  completeSynProxy,
  type Destination,
  type DestinationConfig,
  type DestinationKey,
  IP_VS_CONN_F_FULLNAT,
  IP_VS_CONN_F_MASQ,
  IP_VS_SVC_F_ONEPACKET,
  type LocalAddress,
  type Service,
  type ServiceKey,
} from '../ipvs/index.ts';
import { DESTINATION_FIELDS, SERVICE_FIELDS, same } from './fields.ts';
import { bytesKey, destinationKeyText, sameBytes } from './keys.ts';
import type { ActualService, DesiredService, Operation, Plan } from './types.ts';

export interface ServiceSteps {
  operations: Operation[];
  waiting: Plan['waiting'][number][];
}

interface Of {
  service: ServiceKey;
  name: string;
}

/** Appends the operations that add a new service. */
export function newService(desired: DesiredService, operations: Operation[]): void {
  const of = ofService(desired);
  operations.push({ op: 'add-service', service: desired });
  if (desired.localAddresses.length > 0) operations.push(...addedLocalAddresses(of, desired, []));
  for (const destination of unique(desired.destinations)) operations.push(addDestination(of, destination));
}

/** The operations that change an existing service; empty if there is no difference. */
export function changedService(wanted: DesiredService, actual: ActualService): ServiceSteps {
  const desired = withKeptSettings(wanted, actual.service);
  const of = ofService(desired);
  const { early, late } = edits(desired, actual);
  const { rising, falling } = destinations(of, desired.destinations, actual.destinations);
  const { leaving, waiting } = leavingLocalAddresses(of, desired, actual.localAddresses);
  const operations = [
    ...early,
    ...addedLocalAddresses(of, desired, actual.localAddresses),
    ...rising,
    ...falling,
    ...late,
    ...leaving,
  ];
  return { operations, waiting };
}

/**
 * Edits of the service before and after those of its destinations. The kernel rejects one-packet scheduling and
 * persistence engines while the service has a FULLNAT destination, and SYN proxy while it has one
 * of direct routing or tunnelling.
 */
function edits(
  desired: DesiredService,
  { service: was, destinations }: ActualService,
): Record<'early' | 'late', Operation[]> {
  const isFullnat = ({ method }: Destination) => method === IP_VS_CONN_F_FULLNAT;
  const bent = (desired.flags & IP_VS_SVC_F_ONEPACKET) !== 0 || desired.peName !== '';
  const allLate = bent && destinations.some(isFullnat);
  const isNat = (one: Destination) => isFullnat(one) || one.method === IP_VS_CONN_F_MASQ;
  const synProxyLate = desired.synProxy?.enabled === true && !destinations.every(isNat);
  if (!allLate && !synProxyLate) return { early: edit(desired, was), late: [] };
  const first = { ...desired, ...(allLate ? canonicalService(was) : {}), synProxy: undefined };
  return { early: edit(first, was), late: edit(desired, { ...was, ...canonicalService(first) }) };
}

/** Settings of SYN proxy that are undefined keep their values while it is on. */
function withKeptSettings(desired: DesiredService, was: Service): DesiredService {
  const { synProxy } = desired;
  if (!synProxy?.enabled || !was.synProxy?.enabled) return desired;
  const { mss, windowScale, sack, timestamps, window } = completeSynProxy(was.synProxy);
  return {
    ...desired,
    synProxy: {
      enabled: true,
      mss: synProxy.mss ?? mss,
      windowScale: synProxy.windowScale ?? windowScale,
      sack: synProxy.sack ?? sack,
      timestamps: synProxy.timestamps ?? timestamps,
      window: synProxy.window ?? window,
    },
  };
}

function edit(service: DesiredService, was: Service): Operation[] {
  return same(SERVICE_FIELDS, service, was) ? [] : [{ op: 'set-service', service, was }];
}

/** `rising`: operations that add capacity; `falling`: those that remove it. */
function destinations(
  of: Of,
  desired: readonly DestinationConfig[],
  actual: readonly Destination[],
): { rising: Operation[]; falling: Operation[] } {
  if (sameInOrder(desired, actual)) return { rising: [], falling: [] };
  const left = new Map(actual.map((one) => [destinationKeyText(one), one]));
  const rising: Operation[] = [];
  const lowered: { destination: DestinationConfig; was: Destination }[] = [];
  let stays = false;
  for (const destination of unique(desired)) {
    const key = destinationKeyText(destination);
    const was = left.get(key);
    left.delete(key);
    if (!was) rising.push(addDestination(of, destination));
    else {
      if (was.weight > 0 && destination.weight > 0) stays = true;
      if (same(DESTINATION_FIELDS, destination, was)) continue;
      if (destination.weight < was.weight) lowered.push({ destination, was });
      else
        rising.push({ op: 'set-destination', ...of, destination: canonicalDestination(destination), was, last: false });
    }
  }
  const replaced = !stays && rising.some((step) => 'destination' in step && bringsWeight(step.destination));
  const falling = [
    ...lowered.map(
      ({ destination, was }): Operation => ({
        op: 'set-destination',
        ...of,
        destination: canonicalDestination(destination),
        was,
        last: replaced && destination.weight === 0,
      }),
    ),
    ...[...left.values()].map(
      ({ family, address, port, weight }): Operation => ({
        op: 'delete-destination',
        ...of,
        destination: { family, address, port },
        last: replaced && weight > 0,
      }),
    ),
  ];
  return { rising, falling };
}

function bringsWeight(destination: DestinationConfig | DestinationKey): boolean {
  return 'weight' in destination && destination.weight > 0;
}

/** Fast path without a map: most services are unchanged and list their destinations in the same order. */
function sameInOrder(desired: readonly DestinationConfig[], actual: readonly Destination[]): boolean {
  if (desired.length !== actual.length) return false;
  for (let i = 0; i < desired.length; i++) {
    const a = desired[i] as DestinationConfig;
    const b = actual[i] as Destination;
    if (a.port !== b.port || !sameBytes(a.address, b.address) || !same(DESTINATION_FIELDS, a, b)) return false;
  }
  return true;
}

function addDestination({ service, name }: Of, destination: DestinationConfig): Operation {
  return { op: 'add-destination', service, name, destination: canonicalDestination(destination) };
}

function addedLocalAddresses(of: Of, desired: DesiredService, actual: readonly LocalAddress[]): Operation[] {
  if (desired.localAddresses.length === 0) return [];
  const present = new Map(actual.map((one) => [bytesKey(one.address), one]));
  const first = !actual.some(({ draining }) => !draining);
  const wanted = new Map(desired.localAddresses.map((address) => [bytesKey(address), address]));
  return [...wanted].flatMap(([key, address]): Operation[] => {
    const existing = present.get(key);
    if (existing && !existing.draining) return [];
    return [{ op: 'add-local-address', ...of, address, revived: existing !== undefined, first }];
  });
}

/**
 * A local address that is removed drains first, and is deleted with its last connection. Without connections it gets
 * both operations at once: apply reads its connections again in between.
 */
function leavingLocalAddresses(
  of: Of,
  desired: DesiredService,
  actual: readonly LocalAddress[],
): { leaving: Operation[]; waiting: Plan['waiting'][number][] } {
  const wanted = new Set(desired.localAddresses.map(bytesKey));
  const leaving = actual.filter(({ address }) => !wanted.has(bytesKey(address)));
  const present = new Map(actual.map((one) => [bytesKey(one.address), one.draining]));
  const last = wanted.size > 0 && ![...wanted].some((key) => present.get(key) === false);
  return {
    leaving: [
      ...leaving
        .filter(({ draining }) => !draining)
        .map(({ address }): Operation => ({ op: 'drain-local-address', ...of, address, ...(last ? { last } : {}) })),
      ...leaving
        .filter(({ connections }) => connections === 0)
        .map(({ address }): Operation => ({ op: 'delete-local-address', ...of, address })),
    ],
    waiting: leaving
      .filter(({ connections }) => connections > 0)
      .map(({ address, connections }) => ({ ...of, address, connections })),
  };
}

/** Fast path without keys and maps: most lists are short and without duplicates. */
function areDistinct(wanted: readonly DestinationConfig[]): boolean {
  if (wanted.length > 8) return false;
  for (let i = 1; i < wanted.length; i++)
    for (let j = 0; j < i; j++) {
      const [a, b] = [wanted[i] as DestinationConfig, wanted[j] as DestinationConfig];
      if (a.port === b.port && sameBytes(a.address, b.address)) return false;
    }
  return true;
}

/** Of equal destinations the last one is used. */
function unique(wanted: readonly DestinationConfig[]): readonly DestinationConfig[] {
  if (wanted.length < 2 || areDistinct(wanted)) return wanted;
  return [...new Map(wanted.map((one) => [destinationKeyText(one), one])).values()];
}

function ofService(desired: DesiredService): Of {
  const { family, protocol, address, port, fwmark } = desired;
  return { service: { family, protocol, address, port, fwmark }, name: desired.name };
}
