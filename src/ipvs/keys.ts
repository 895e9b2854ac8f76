// SPDX-License-Identifier: MIT
/** Identity and ordering of services and destinations. */
import { compareBytes } from '../base/addresses.ts';
import { once } from '../base/once.ts';
import type { DestinationKey, ServiceKey } from './types.ts';

/** By family, protocol, address and port; fwmark services last. Same as ipvsadm, unless its subtraction overflows. */
export function compareServices(a: ServiceKey, b: ServiceKey): number {
  return (
    a.fwmark - b.fwmark ||
    a.family - b.family ||
    a.protocol - b.protocol ||
    compareBytes(a.address, b.address) ||
    a.port - b.port
  );
}

/** By address, then port. */
export function compareDestinations(a: DestinationKey, b: DestinationKey): number {
  return compareBytes(a.address, b.address) || a.port - b.port;
}

const hex = once(() => Array.from({ length: 256 }, (_, byte) => byte.toString(16).padStart(2, '0')));

/** Lower-case hexadecimal. */
export function bytesText(bytes: Uint8Array): string {
  // Hand-written: for tens of thousands of addresses, creating a Buffer each would cost more than the conversion.
  const digits = hex();
  let text = '';
  for (let i = 0; i < bytes.length; i++) text += digits[bytes[i] as number];
  return text;
}

/** A text that identifies the service, for use as a map key. */
export function serviceKeyText(key: ServiceKey): string {
  if (key.fwmark) return `${key.family}/${key.fwmark}`;
  return `${key.family}/${key.protocol}/${bytesText(key.address)}/${key.port}`;
}
