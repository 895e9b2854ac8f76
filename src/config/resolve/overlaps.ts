// SPDX-License-Identifier: MIT
/** What services must not share. */
import { formatAddress } from '../../base/addresses.ts';
import type { ServiceSpec, Virtual } from '../types.ts';
import type { Context } from './context.ts';
import type { LocalPlaces } from './pools.ts';
import { addressId } from './values.ts';
import { virtualText } from './virtuals.ts';

/** `where` says in which file and line a service is. */
export function checkOverlaps(
  services: ReadonlyMap<string, ServiceSpec>,
  localPlaces: LocalPlaces,
  context: Context,
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
      context.report(what === undefined ? path : [...path, what], text);
      break;
    }
    const [first] = virtuals;
    if (first?.fwmark !== 0) continue;
    const id = addressId(first.address);
    const address = () => formatAddress(first.family, first.address);
    const pool = localPlaces.get(id)?.pool;
    if (pool !== undefined) {
      const text = `found ${address()}, which is a local address (of ${pool}); allowed: an address that is not in a pool`;
      context.report([...path, 'address'], text);
    }
    if (device === undefined) continue;
    const other = devices.get(id);
    if (!other) devices.set(id, { device, name });
    else if (other.device !== device) {
      const text = `found ${device} for ${address()}, which the service ${other.name} has on ${other.device}; allowed: one device`;
      context.report([...path, 'device'], text);
    }
  }
}

function virtualKey({ family, protocol, address, port, fwmark }: Virtual): string {
  return fwmark === 0 ? `${protocol}${port}/${addressId(address)}` : `${family}/${fwmark}`;
}
