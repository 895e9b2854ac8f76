// SPDX-License-Identifier: MIT
/** What the kernel's table and the devices should have, given the file and the situation. Pure. */
import { AF_INET } from '../../base/addresses.ts';
import type { Config } from '../../config/types.ts';
import type { DestinationConfig } from '../../ipvs/index.ts';
import { destinationKeyText } from '../../plan/keys.ts';
import type { Desired, DesiredAddress, DesiredService } from '../../plan/types.ts';
import type { Situation } from './runtime-state.ts';
import type { Entry } from './virtual-services.ts';

/** What was worked out, and of which version of the entry. */
type Made = WeakMap<Entry, { version: number; service: DesiredService }>;
const made = new WeakMap<Situation, Made>();

/** Of services about which nothing has changed it has the very objects that it had the last time. */
export function desired(config: Config, situation: Situation): Desired {
  const known: Made = made.get(situation) ?? new WeakMap();
  made.set(situation, known);
  const serviceOf = (entry: Entry) => {
    const version = situation.version(entry);
    const before = known.get(entry);
    if (before?.version === version) return before.service;
    const service = desiredService(entry, situation);
    known.set(entry, { version, service });
    return service;
  };
  return {
    services: situation.roster.map(serviceOf),
    addresses: [...virtualAddresses(situation), ...localAddresses(config)],
    timeouts: { tcp: config.timeouts.tcp ?? 0, tcpFin: config.timeouts.tcpFin ?? 0, udp: config.timeouts.udp ?? 0 },
  };
}

function desiredService(entry: Entry, situation: Situation): DesiredService {
  const leaving = situation.leavingOf(entry);
  const pool = entry.spec.localAddresses;
  const there = destinations(entry, situation);
  // Who leaves may be the sorry server by now.
  const keys = new Set(leaving.length > 0 ? there.map(destinationKeyText) : []);
  const going = leaving.map((one) => one.destination).filter((one) => !keys.has(destinationKeyText(one)));
  const { family, protocol, address, port, fwmark, scheduler, flags, timeout, netmask, peName } = entry.service;
  return {
    family,
    protocol,
    address,
    port,
    fwmark,
    scheduler,
    flags,
    timeout,
    netmask,
    peName,
    portMin: entry.service.portMin,
    portMax: entry.service.portMax,
    name: entry.spec.name,
    destinations: [...there, ...going],
    localAddresses: pool
      ? pool.addresses.filter(({ family }) => family === entry.virtual.family).map((one) => one.address)
      : [],
    establishedTimeout: entry.spec.establishedTimeout,
  };
}

/**
 * Without a sorry server a lost quorum changes nothing here: who is up goes on serving. With one, who is up takes no new
 * connection, but keeps those that it has.
 */
function destinations(entry: Entry, situation: Situation): DestinationConfig[] {
  const sorry = situation.quorumUp(entry) ? undefined : entry.sorry;
  const wanted: DestinationConfig[] = sorry ? [sorry] : [];
  for (const member of entry.members) {
    // The sorry server may be one of the real servers.
    if (sorry && member.key === destinationKeyText(sorry)) continue;
    const state = situation.memberState(entry, member);
    const serves = state === 'up' || state === 'unchecked';
    if (serves && !sorry) wanted.push(member.destination);
    else if (state !== 'down' || entry.spec.onFailure === 'inhibit') wanted.push({ ...member.destination, weight: 0 });
  }
  return wanted;
}

/**
 * A virtual address is there while one of its services has its quorum or a sorry server, or has somebody's word to let
 * connections end in peace: without the address they would be cut.
 */
function virtualAddresses(situation: Situation): DesiredAddress[] {
  const needed = (entry: Entry) =>
    situation.quorumUp(entry) ||
    entry.sorry !== undefined ||
    situation.leavingOf(entry).length > 0 ||
    situation.drains(entry);
  const found = new Map<string, DesiredAddress>();
  for (const entry of situation.roster) {
    const { device, name } = entry.spec;
    if (device === undefined || !needed(entry)) continue;
    const { family, address } = entry.virtual;
    const key = `${device} ${Buffer.from(address).toString('hex')}`;
    if (!found.has(key))
      found.set(key, { device, family, address, prefix: hostPrefix(family), purpose: 'virtual', name });
  }
  return [...found.values()];
}

function localAddresses(config: Config): DesiredAddress[] {
  return [...config.localAddresses.values()].flatMap(({ device, addresses, name }) =>
    device === undefined
      ? []
      : addresses.map(({ family, address }) => ({
          device,
          family,
          address,
          prefix: hostPrefix(family),
          purpose: 'local' as const,
          name,
        })),
  );
}

const hostPrefix = (family: number) => (family === AF_INET ? 32 : 128);
