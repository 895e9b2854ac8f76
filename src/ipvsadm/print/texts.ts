// SPDX-License-Identifier: MIT
/** Fragments of text that listings and saved rules consist of. */
import { AF_INET6, formatAddress } from '../../base/addresses.ts';
import {
  type Destination,
  type DestinationKey,
  FORWARDING,
  IP_VS_CONN_F_TUNNEL,
  IP_VS_CONN_F_TUNNEL_TYPE_GRE,
  IP_VS_CONN_F_TUNNEL_TYPE_GUE,
  namesByNumber,
  PROTOCOLS,
  type Service,
  tunnelChecksum,
} from '../../ipvs/index.ts';
import { endpointText, type Lookup } from '../lookup.ts';

const INT32_MAX = 0x7fffffff;

const protocolLabels = namesByNumber(PROTOCOLS, 'kernel');
const protocolOptions = namesByNumber(PROTOCOLS, 'option');
const forwardLabels = namesByNumber(FORWARDING, 'ipvsadm');
const forwardOptions = namesByNumber(FORWARDING, 'option');

export const forwardLabel = ({ method }: Destination): string => forwardLabels[method] ?? '(null)';
export const forwardOption = ({ method }: Destination): string => forwardOptions[method] ?? '(null)';

/** With the mark as ipvsadm prints it: a signed number, which it does not accept back. */
export function withSignedMark(service: Service): Service {
  return service.fwmark > INT32_MAX ? { ...service, fwmark: service.fwmark | 0 } : service;
}

/** `TCP  192.0.2.1:80` or `FWM  7`; IPv4 names are cut at 33 characters. */
export function serviceLabel(service: Service, names: Lookup | undefined): string {
  const { family, protocol, address, port, fwmark } = service;
  if (fwmark) return `FWM  ${fwmark}${family === AF_INET6 ? ' IPv6' : ''}`;
  const label = protocolLabels[protocol] ?? String(protocol);
  const text = `${label.padEnd(4)} ${endpointText(family, address, port, protocol, names)}`;
  return family === AF_INET6 ? text : text.slice(0, 33);
}

/** `-t 192.0.2.1:80` or `-f 7 -6`: the service as an option. */
export function serviceSelector(service: Service, names: Lookup | undefined): string {
  const { family, protocol, address, port, fwmark } = service;
  if (fwmark) return `-f ${fwmark}${family === AF_INET6 ? ' -6' : ''}`;
  return `${protocolOptions[protocol] ?? '-t'} ${endpointText(family, address, port, protocol, names)}`;
}

/** IPv4 names are cut at 28 characters in listings. */
export function destinationLabel(service: Service, dest: DestinationKey, names: Lookup | undefined): string {
  const text = endpointText(dest.family, dest.address, dest.port, service.protocol, names);
  return dest.family === AF_INET6 ? text : text.slice(0, 28);
}

/** The persistence mask, dotted or for IPv6 a prefix length; undefined if it is the whole address. */
export function netmaskText({ family, netmask }: Service): string | undefined {
  if (family === AF_INET6) return netmask === 128 ? undefined : String(netmask);
  if (netmask === 0xffffffff) return undefined;
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(netmask);
  return formatAddress(family, bytes);
}

/** The TunnelInfo column. */
export function tunnelLabel({ method, tunnelType, tunnelPort, tunnelFlags }: Destination): string {
  if (method !== IP_VS_CONN_F_TUNNEL) return 'n/a';
  const checksum = tunnelChecksum(tunnelFlags).ipvsadm;
  if (tunnelType === IP_VS_CONN_F_TUNNEL_TYPE_GUE) return `gue:${tunnelPort}:${checksum}`;
  return tunnelType === IP_VS_CONN_F_TUNNEL_TYPE_GRE ? `gre:${checksum}` : 'ipip';
}

/** ` --tun-type ...` of a saved rule. */
export function tunnelOptions({ method, tunnelType, tunnelPort, tunnelFlags }: Destination): string {
  if (method !== IP_VS_CONN_F_TUNNEL) return '';
  const checksum = tunnelChecksum(tunnelFlags).option;
  if (tunnelType === IP_VS_CONN_F_TUNNEL_TYPE_GUE) return ` --tun-type gue --tun-port ${tunnelPort} ${checksum}`;
  return tunnelType === IP_VS_CONN_F_TUNNEL_TYPE_GRE ? ` --tun-type gre ${checksum}` : ' --tun-type ipip';
}

const LIMITS: readonly (readonly [below: bigint, divisor: bigint, suffix: string])[] = [
  [100_000_000n, 1n, ''],
  [1_000_000_000n, 1_000n, 'K'],
  [100_000_000_000n, 1_000_000n, 'M'],
  [100_000_000_000_000n, 1_000_000_000n, 'G'],
];

/** A counter, rounded down to a decimal unit to fit its nine columns; `exact` prints all digits. */
export function counterText(value: bigint, exact: boolean): string {
  if (exact) return exactText(value);
  for (const [below, divisor, suffix] of LIMITS) if (value < below) return `${value / divisor}${suffix}`.padStart(9);
  return `${value / 1_000_000_000_000n}T`.padStart(9);
}

/** Nine columns, more if the number needs them. */
function exactText(value: bigint): string {
  return ` ${String(value).padStart(8)}`;
}
