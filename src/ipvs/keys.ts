// SPDX-License-Identifier: MIT
/** Identity and order of services and destinations. */
import { compareBytes } from '../base/addresses.ts';
import type { DestinationKey, ServiceKey } from './types.ts';

/** fwmark services last; then by family, protocol, address, port. ipvsadm's order where its subtraction does not wrap. */
export function compareServices(a: ServiceKey, b: ServiceKey): number {
  return (
    a.fwmark - b.fwmark ||
    a.family - b.family ||
    a.protocol - b.protocol ||
    compareBytes(a.address, b.address) ||
    a.port - b.port
  );
}

export function compareDestinations(a: DestinationKey, b: DestinationKey): number {
  return compareBytes(a.address, b.address) || a.port - b.port;
}

/** Equal for equal services, different for different ones. */
export function serviceKeyText(key: ServiceKey): string {
  if (key.fwmark) return `${key.family}/${key.fwmark}`;
  return `${key.family}/${key.protocol}/${Buffer.from(key.address).toString('hex')}/${key.port}`;
}
