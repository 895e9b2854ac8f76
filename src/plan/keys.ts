// SPDX-License-Identifier: MIT
/** What tells destinations and addresses apart, as texts for maps. Equal texts for equal things. */
import type { Family } from '../base/addresses.ts';
import { bytesText, type DestinationKey, type ServiceKey } from '../ipvs/index.ts';

/** The length tells the family. */
export const bytesKey = bytesText;

/** The kernel takes 10.0.0.1 and ::ffff:10.0.0.1 for two destinations. */
export function destinationKeyText({ address, port }: DestinationKey): string {
  return `${bytesKey(address)}/${port}`;
}

/** An address on its device. The same one may be there twice, with two prefixes. */
export function addressKey({ device, address }: { device: string; family: Family; address: Uint8Array }): string {
  return `${bytesKey(address)}@${device}`;
}

export function sameBytes(a: Uint8Array, b: Uint8Array): boolean {
  if (a.length !== b.length) return false;
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return false;
  return true;
}

/** Whether these are keys of one service. */
export function sameKey(a: ServiceKey, b: ServiceKey): boolean {
  return (
    a.port === b.port &&
    a.protocol === b.protocol &&
    a.fwmark === b.fwmark &&
    a.family === b.family &&
    sameBytes(a.address, b.address)
  );
}
