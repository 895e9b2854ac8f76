// SPDX-License-Identifier: MIT
/** Pieces of text that listings and saved rules are made of. */
import { AF_INET6, formatAddress } from '../base/addresses.ts';
import {
  type Destination,
  type DestinationKey,
  IP_VS_CONN_F_BYPASS,
  IP_VS_CONN_F_DROUTE,
  IP_VS_CONN_F_FULLNAT,
  IP_VS_CONN_F_LOCALNODE,
  IP_VS_CONN_F_MASQ,
  IP_VS_CONN_F_TUNNEL,
  IP_VS_CONN_F_TUNNEL_TYPE_GRE,
  IP_VS_CONN_F_TUNNEL_TYPE_GUE,
  IP_VS_TUNNEL_ENCAP_FLAG_CSUM,
  IP_VS_TUNNEL_ENCAP_FLAG_REMCSUM,
  IPPROTO_SCTP,
  IPPROTO_TCP,
  IPPROTO_UDP,
  type Service,
} from '../ipvs/index.ts';
import { endpointText, type Lookup } from './lookup.ts';

const INT32_MAX = 0x7fffffff;

const PROTOCOL_LABELS: Readonly<Record<number, string>> = {
  [IPPROTO_TCP]: 'TCP',
  [IPPROTO_UDP]: 'UDP',
  [IPPROTO_SCTP]: 'SCTP',
};

const PROTOCOL_OPTIONS: Readonly<Record<number, string>> = {
  [IPPROTO_TCP]: '-t',
  [IPPROTO_UDP]: '-u',
  [IPPROTO_SCTP]: '--sctp-service',
};

const FORWARD_LABELS: Readonly<Record<number, string>> = {
  [IP_VS_CONN_F_MASQ]: 'Masq',
  [IP_VS_CONN_F_LOCALNODE]: 'Local',
  [IP_VS_CONN_F_TUNNEL]: 'Tunnel',
  [IP_VS_CONN_F_DROUTE]: 'Route',
  [IP_VS_CONN_F_BYPASS]: 'Bypass',
  [IP_VS_CONN_F_FULLNAT]: 'FullNat',
};

const FORWARD_OPTIONS: Readonly<Record<number, string>> = {
  [IP_VS_CONN_F_MASQ]: '-m',
  // A real server that happens to be this machine was asked for as something else.
  [IP_VS_CONN_F_LOCALNODE]: '-g',
  [IP_VS_CONN_F_TUNNEL]: '-i',
  [IP_VS_CONN_F_DROUTE]: '-g',
  [IP_VS_CONN_F_FULLNAT]: '-b',
};

export const forwardLabel = ({ method }: Destination): string => FORWARD_LABELS[method] ?? '(null)';
export const forwardOption = ({ method }: Destination): string => FORWARD_OPTIONS[method] ?? '(null)';

/** The service with its mark as ipvsadm prints it: a signed number, which it takes back from nobody. */
export function asIpvsadmPrints(service: Service): Service {
  return service.fwmark > INT32_MAX ? { ...service, fwmark: service.fwmark | 0 } : service;
}

/** `TCP  192.0.2.1:80` or `FWM  7`; IPv4 names are cut at 33 characters. */
export function serviceLabel(service: Service, names: Lookup | undefined): string {
  const { family, protocol, address, port, fwmark } = service;
  if (fwmark) return `FWM  ${fwmark}${family === AF_INET6 ? ' IPv6' : ''}`;
  const label = PROTOCOL_LABELS[protocol] ?? String(protocol);
  const text = `${label.padEnd(4)} ${endpointText(family, address, port, protocol, names)}`;
  return family === AF_INET6 ? text : text.slice(0, 33);
}

/** `-t 192.0.2.1:80` or `-f 7 -6`: the service as an option. */
export function serviceSelector(service: Service, names: Lookup | undefined): string {
  const { family, protocol, address, port, fwmark } = service;
  if (fwmark) return `-f ${fwmark}${family === AF_INET6 ? ' -6' : ''}`;
  return `${PROTOCOL_OPTIONS[protocol] ?? '-t'} ${endpointText(family, address, port, protocol, names)}`;
}

/** IPv4 names are cut at 28 characters in listings. */
export function destinationLabel(service: Service, dest: DestinationKey, names: Lookup | undefined): string {
  const text = endpointText(dest.family, dest.address, dest.port, service.protocol, names);
  return dest.family === AF_INET6 ? text : text.slice(0, 28);
}

/** The persistence mask: dotted, for IPv6 a prefix length; undefined when it is the whole address. */
export function netmaskText({ family, netmask }: Service): string | undefined {
  if (family === AF_INET6) return netmask === 128 ? undefined : String(netmask);
  if (netmask === 0xffffffff) return undefined;
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(netmask);
  return formatAddress(family, bytes);
}

const checksumOf = (flags: number, texts: readonly [none: string, csum: string, remcsum: string]): string => {
  if (flags & IP_VS_TUNNEL_ENCAP_FLAG_REMCSUM) return texts[2];
  return flags & IP_VS_TUNNEL_ENCAP_FLAG_CSUM ? texts[1] : texts[0];
};

/** The TunnelInfo column. */
export function tunnelLabel({ method, tunnelType, tunnelPort, tunnelFlags }: Destination): string {
  if (method !== IP_VS_CONN_F_TUNNEL) return 'n/a';
  const checksum = checksumOf(tunnelFlags, ['-c', '+c', 'r+c']);
  if (tunnelType === IP_VS_CONN_F_TUNNEL_TYPE_GUE) return `gue:${tunnelPort}:${checksum}`;
  return tunnelType === IP_VS_CONN_F_TUNNEL_TYPE_GRE ? `gre:${checksum}` : 'ipip';
}

/** ` --tun-type ...` of a saved rule. */
export function tunnelOptions({ method, tunnelType, tunnelPort, tunnelFlags }: Destination): string {
  if (method !== IP_VS_CONN_F_TUNNEL) return '';
  const checksum = checksumOf(tunnelFlags, [' --tun-nocsum', ' --tun-csum', ' --tun-remcsum']);
  if (tunnelType === IP_VS_CONN_F_TUNNEL_TYPE_GUE) return ` --tun-type gue --tun-port ${tunnelPort}${checksum}`;
  return tunnelType === IP_VS_CONN_F_TUNNEL_TYPE_GRE ? ` --tun-type gre${checksum}` : ' --tun-type ipip';
}

const LIMITS: readonly (readonly [below: bigint, divisor: bigint, suffix: string])[] = [
  [100_000_000n, 1n, ''],
  [1_000_000_000n, 1_000n, 'K'],
  [100_000_000_000n, 1_000_000n, 'M'],
  [100_000_000_000_000n, 1_000_000_000n, 'G'],
];

/** A counter in a column of nine, cut off at a decimal unit; `exact` lets it grow instead. */
export function counterText(value: bigint, exact: boolean): string {
  if (exact) return plain(value);
  for (const [below, divisor, suffix] of LIMITS) if (value < below) return `${value / divisor}${suffix}`.padStart(9);
  return `${value / 1_000_000_000_000n}T`.padStart(9);
}

/** Nine wide while eight digits do. */
function plain(value: bigint): string {
  return ` ${String(value).padStart(8)}`;
}
