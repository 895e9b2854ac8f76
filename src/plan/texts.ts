// SPDX-License-Identifier: MIT
/** Services, real servers and addresses as text. */
import { type Family, formatAddress } from '../base/addresses.ts';
import {
  type DestinationKey,
  IP_VS_STATE_MASTER,
  namesByNumber,
  PROTOCOLS,
  type ServiceKey,
  type SyncDaemon,
} from '../ipvs/index.ts';

const PROTOCOL_NAMES = namesByNumber(PROTOCOLS, 'name');

/** "tcp 10.99.0.10:443", "fwmark 7", "fwmark 7 IPv6". */
export function serviceText({ family, protocol, address, port, fwmark }: ServiceKey): string {
  if (fwmark) return address.length === 16 ? `fwmark ${fwmark} IPv6` : `fwmark ${fwmark}`;
  return `${PROTOCOL_NAMES[protocol] ?? `protocol ${protocol}`} ${endpointText(family, address, port)}`;
}

/** "real server 10.31.4.2:8443". */
export function destinationText({ family, address, port }: DestinationKey): string {
  return `real server ${endpointText(family, address, port)}`;
}

/** "10.0.0.1:80", "[2001:db8::1]:80". */
export function endpointText(family: Family, address: Uint8Array, port: number): string {
  const text = formatAddress(family, address);
  return address.length === 16 ? `[${text}]:${port}` : `${text}:${port}`;
}

/** "connection sync as master on eth1, id 7". */
export function syncText({ state, interface: device, syncId }: SyncDaemon): string {
  return `connection sync as ${state === IP_VS_STATE_MASTER ? 'master' : 'backup'} on ${device}, id ${syncId}`;
}

/** "10.99.0.10/32 on lo". */
export function addressText(on: { device: string; family: Family; address: Uint8Array; prefix: number }): string {
  return `${formatAddress(on.family, on.address)}/${on.prefix} on ${on.device}`;
}
