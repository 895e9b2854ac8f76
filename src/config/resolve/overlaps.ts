// SPDX-License-Identifier: MIT
/** Finds virtual services, addresses and devices that several services use in conflict. */
import { formatAddress } from '../../base/addresses.ts';
import type { ServiceSpec, Virtual } from '../types.ts';
import type { LocalPlaces } from './pools.ts';
import type { ProblemSink } from './problem-sink.ts';
import { addressId } from './values.ts';
import { virtualText } from './virtuals.ts';

/** `where`: file and line of a service. */
export function checkOverlaps(
  services: ReadonlyMap<string, ServiceSpec>,
  localPlaces: LocalPlaces,
  problems: ProblemSink,
  where: (name: string) => string,
): void {
  const owners = new Map<string, string>();
  const devices = new Map<number | string, { device: string; name: string }>();
  for (const [name, { virtuals, device }] of services) {
    const path = ['services', name];
    for (const virtual of virtuals) {
      const key = virtualKey(virtual);
      const other = owners.get(key);
      owners.set(key, other ?? name);
      if (other === undefined) continue;
      const what = virtual.fwmark !== 0 ? 'fwmark' : virtuals.length > 1 ? 'port' : undefined;
      const text = `found ${virtualText(virtual)}, which the service ${other} (${where(other)}) has already; allowed: one service for it`;
      problems.report(what === undefined ? path : [...path, what], text);
      break;
    }
    const [first] = virtuals;
    if (first?.fwmark !== 0) continue;
    const id = addressId(first.address);
    const address = () => formatAddress(first.family, first.address);
    const pool = localPlaces.get(id)?.pool;
    if (pool !== undefined) {
      const text = `found ${address()}, which is a local address (of ${pool}); allowed: an address that is not in a pool`;
      problems.report([...path, 'address'], text);
    }
    if (device === undefined) continue;
    const other = devices.get(id);
    if (!other) devices.set(id, { device, name });
    else if (other.device !== device) {
      const text = `found ${device} for ${address()}, which the service ${other.name} has on ${other.device}; allowed: one device`;
      problems.report([...path, 'device'], text);
    }
  }
}

function virtualKey({ family, protocol, address, port, fwmark }: Virtual): string {
  return fwmark === 0 ? `${protocol}${port}/${addressId(address)}` : `${family}/${fwmark}`;
}
