// SPDX-License-Identifier: MIT
/**
 * The names of IPVS's numbers: one row per number, one column per place that spells it. Rows without a column are not
 * possible in that place.
 */
import {
  IP_VS_CONN_F_BYPASS,
  IP_VS_CONN_F_DROUTE,
  IP_VS_CONN_F_FULLNAT,
  IP_VS_CONN_F_LOCALNODE,
  IP_VS_CONN_F_MASQ,
  IP_VS_CONN_F_TUNNEL,
  IP_VS_CONN_F_TUNNEL_TYPE_GRE,
  IP_VS_CONN_F_TUNNEL_TYPE_GUE,
  IP_VS_CONN_F_TUNNEL_TYPE_IPIP,
  IP_VS_TUNNEL_ENCAP_FLAG_CSUM,
  IP_VS_TUNNEL_ENCAP_FLAG_NOCSUM,
  IP_VS_TUNNEL_ENCAP_FLAG_REMCSUM,
  IPPROTO_SCTP,
  IPPROTO_TCP,
  IPPROTO_UDP,
} from './constants.ts';

/** `kernel`: in /proc/net/ip_vs and ipvsadm's listings. `name`: in YAML, JSON and getservbyname(3). */
export const PROTOCOLS = [
  { number: IPPROTO_TCP, kernel: 'TCP', name: 'tcp', option: '-t' },
  { number: IPPROTO_UDP, kernel: 'UDP', name: 'udp', option: '-u' },
  { number: IPPROTO_SCTP, kernel: 'SCTP', name: 'sctp', option: '--sctp-service' },
] as const;

/**
 * `yaml`: in YAML and plans. `ipvsadm`: in listings and in /proc/net/ip_vs. `option`: in saved rules; a real server that
 * is this machine is saved with the method that it was most likely added with. `json`: in `lvsadm --json`.
 */
export const FORWARDING = [
  { number: IP_VS_CONN_F_MASQ, yaml: 'masquerade', ipvsadm: 'Masq', option: '-m', json: 'nat' },
  { number: IP_VS_CONN_F_LOCALNODE, yaml: 'local', ipvsadm: 'Local', option: '-g', json: 'local' },
  { number: IP_VS_CONN_F_TUNNEL, yaml: 'tunnel', ipvsadm: 'Tunnel', option: '-i', json: 'tunnel' },
  { number: IP_VS_CONN_F_DROUTE, yaml: 'direct', ipvsadm: 'Route', option: '-g', json: 'route' },
  { number: IP_VS_CONN_F_BYPASS, yaml: 'bypass', ipvsadm: 'Bypass', option: undefined, json: 'bypass' },
  { number: IP_VS_CONN_F_FULLNAT, yaml: 'fullnat', ipvsadm: 'FullNat', option: '-b', json: 'fullnat' },
] as const;

/** `name`: in YAML, JSON and after --tun-type. */
export const TUNNELS = [
  { number: IP_VS_CONN_F_TUNNEL_TYPE_IPIP, name: 'ipip' },
  { number: IP_VS_CONN_F_TUNNEL_TYPE_GUE, name: 'gue' },
  { number: IP_VS_CONN_F_TUNNEL_TYPE_GRE, name: 'gre' },
] as const;

/** Flags of a tunnel. `ipvsadm`: in the TunnelInfo column. `option`: in saved rules. */
export const TUNNEL_CHECKSUMS = [
  { number: IP_VS_TUNNEL_ENCAP_FLAG_NOCSUM, yaml: 'none', ipvsadm: '-c', option: '--tun-nocsum', json: 'none' },
  { number: IP_VS_TUNNEL_ENCAP_FLAG_CSUM, yaml: 'checksum', ipvsadm: '+c', option: '--tun-csum', json: 'full' },
  { number: IP_VS_TUNNEL_ENCAP_FLAG_REMCSUM, yaml: 'remote', ipvsadm: 'r+c', option: '--tun-remcsum', json: 'remote' },
] as const;

type Row = { readonly number: number };

/** A column as a map from number to name. */
export function namesByNumber<R extends Row, C extends keyof R>(
  table: readonly R[],
  column: C,
): Readonly<Partial<Record<number, R[C]>>> {
  return Object.fromEntries(table.map((row) => [row.number, row[column]]));
}

/** A column as a map from name to number. */
export function numbersByName<R extends Row, C extends keyof R>(
  table: readonly R[],
  column: C,
): Readonly<Record<R[C] & string, number>> {
  return Object.fromEntries(table.map((row) => [row[column], row.number])) as Record<R[C] & string, number>;
}

/** The row of a tunnel's checksum flags; remote checksum takes precedence, as in ipvsadm. */
export function tunnelChecksum(flags: number): (typeof TUNNEL_CHECKSUMS)[number] {
  const [none, checksum, remote] = TUNNEL_CHECKSUMS;
  if (flags & remote.number) return remote;
  return flags & checksum.number ? checksum : none;
}
