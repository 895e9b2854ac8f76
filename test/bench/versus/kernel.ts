// SPDX-License-Identifier: MIT
// Reads the IPVS table of a namespace while a daemon works on it.
import { setTimeout as sleep } from 'node:timers/promises';
import type { Namespace } from '../../../lab/topology.ts';
import { AF_INET, parseAddress } from '../../../src/base/addresses.ts';
import { type Destination, IPPROTO_TCP, Ipvs, type ServiceKey } from '../../../src/ipvs/index.ts';
import type { SetupService } from './setups.ts';

/** Milliseconds between two reads. */
const PERIOD = 20;

export function openTable(namespace: Namespace): Ipvs {
  return new Ipvs({ netns: `/run/netns/${namespace.name}` });
}

export function bytesOf(text: string): Uint8Array {
  const parsed = parseAddress(text);
  if (!parsed) throw new Error(`${text} is not an address`);
  return parsed.bytes;
}

export function keyOf({ address, port }: SetupService): ServiceKey {
  return { family: AF_INET, protocol: IPPROTO_TCP, address: bytesOf(address), port, fwmark: 0 };
}

/**
 * Reads one service until `test` returns true; the seconds since `start` (of performance.now()). Throws after `patience`
 * seconds; `check` may throw earlier.
 */
export async function untilService(
  table: Ipvs,
  service: SetupService,
  test: (destinations: readonly Destination[]) => boolean,
  { start, patience, check = () => {} }: { start: number; patience: number; check?: () => void },
): Promise<number> {
  const key = keyOf(service);
  for (;;) {
    const there = await table.destinations(key);
    const seconds = (performance.now() - start) / 1000;
    if (test(there)) return seconds;
    check();
    if (seconds > patience)
      throw new Error(`${service.name} does not have the expected real servers after ${patience} s`);
    await sleep(PERIOD);
  }
}

/** Counts the services and destinations. */
export function count(namespace: Namespace): { services: number; destinations: number } {
  const script = '/^(TCP|UDP)/ { s++ } /->/ { d++ } END { print s + 0, d - 1 }';
  const { stdout } = namespace.run(['awk', script, '/proc/net/ip_vs']);
  const [services = 0, destinations = 0] = stdout.split(' ').map(Number);
  return { services, destinations };
}
