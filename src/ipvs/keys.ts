// SPDX-License-Identifier: MIT
/** Identity and order of services and destinations. */
import { compareBytes } from '../base/addresses.ts';
import { once } from '../base/once.ts';
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

const hex = once(() => Array.from({ length: 256 }, (_, byte) => byte.toString(16).padStart(2, '0')));

/** Lower-case digits. */
export function bytesText(bytes: Uint8Array): string {
  // By hand: a table has addresses by the ten thousand, and a Buffer for each costs more than the text.
  const digits = hex();
  let text = '';
  for (let i = 0; i < bytes.length; i++) text += digits[bytes[i] as number];
  return text;
}

/** Equal for equal services, different for different ones. */
export function serviceKeyText(key: ServiceKey): string {
  if (key.fwmark) return `${key.family}/${key.fwmark}`;
  return `${key.family}/${key.protocol}/${bytesText(key.address)}/${key.port}`;
}
