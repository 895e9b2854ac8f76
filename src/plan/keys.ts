// SPDX-License-Identifier: MIT
/** Keys of destinations and addresses, as strings for maps. */
import type { Family } from '../base/addresses.ts';
import { bytesText, type DestinationKey, type ServiceKey } from '../ipvs/index.ts';

/** The length identifies the family. */
export const bytesKey = bytesText;

/** 10.0.0.1 and ::ffff:10.0.0.1 are two destinations, as in the kernel. */
export function destinationKeyText({ address, port }: DestinationKey): string {
  return `${bytesKey(address)}/${port}`;
}

/** An address on its device. A device may have the same address twice, with two prefix lengths. */
export function addressKey({ device, address }: { device: string; family: Family; address: Uint8Array }): string {
  return `${bytesKey(address)}@${device}`;
}

/** Compares by content. A loop, which is faster than Buffer.compare for a few bytes. */
export function sameBytes(a: Uint8Array, b: Uint8Array): boolean {
  if (a.length !== b.length) return false;
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return false;
  return true;
}

/** Whether both are the key of the same service. */
export function sameKey(a: ServiceKey, b: ServiceKey): boolean {
  return (
    a.port === b.port &&
    a.protocol === b.protocol &&
    a.fwmark === b.fwmark &&
    a.family === b.family &&
    sameBytes(a.address, b.address)
  );
}
