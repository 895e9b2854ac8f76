// SPDX-License-Identifier: MIT
/** The contents of the kernel's IPVS table. Addresses are 4 or 16 bytes in network order, times are in seconds. */
import type { Family } from '../base/addresses.ts';

/** The identity of a service: family and fwmark, or, with fwmark 0, family, protocol, address and port. */
export interface ServiceKey {
  family: Family;
  /** IPPROTO_TCP, IPPROTO_UDP or IPPROTO_SCTP. */
  protocol: number;
  address: Uint8Array;
  port: number;
  fwmark: number;
}

/** SYN proxy, and what it offers to clients; undefined settings keep their values. */
export interface SynProxy {
  enabled: boolean;
  /** 0: what the route allows. */
  mss?: number | undefined;
  /** 0 to 14, or IP_VS_SYNPROXY_NO_WSCALE. */
  windowScale?: number | undefined;
  sack?: boolean | undefined;
  timestamps?: boolean | undefined;
  /** Bytes that the client may send before the real server has answered. */
  window?: number | undefined;
}

/** SYN proxy with all of its settings. */
export type CompleteSynProxy = { [K in keyof SynProxy]-?: NonNullable<SynProxy[K]> };

/** Defence of a TCP service against floods. */
export interface Defence {
  /** Segments without a connection that begin none are dropped, except ACKs of cookies. */
  dropStrays: boolean;
  /** TCP fragments to the service's IPv4 address are dropped. */
  dropFragments: boolean;
  /** SYNs a second that may make a connection; 0: no limit. */
  synRate: number;
  /** SYNs at once, at least 1. */
  synBurst: number;
}

/** The settings of a service. */
export interface ServiceConfig extends ServiceKey {
  scheduler: string;
  /** IP_VS_SVC_F_*. */
  flags: number;
  /** Persistence timeout. */
  timeout: number;
  /** Persistence granularity: IPv4 a mask (0xffffff00), IPv6 a prefix length. */
  netmask: number;
  /** Persistence engine, '' for none. */
  peName: string;
  /** Range of local ports; undefined: that of the sysctls. Patched kernel only. */
  portMin?: number | undefined;
  portMax?: number | undefined;
  /** Undefined: unchanged, and off in a new service. Patched kernel only. */
  synProxy?: SynProxy | undefined;
  /** Undefined: unchanged, and none in a new service. Patched kernel only. */
  defence?: Defence | undefined;
}

export interface Stats {
  connections: bigint;
  inPackets: bigint;
  outPackets: bigint;
  inBytes: bigint;
  outBytes: bigint;
  /** Per second. */
  connectionRate: bigint;
  inPacketRate: bigint;
  outPacketRate: bigint;
  inByteRate: bigint;
  outByteRate: bigint;
}

export interface Service extends ServiceConfig {
  /** Undefined on a stock kernel. */
  numLocalAddresses: number | undefined;
  /** Undefined unless requested. */
  stats: Stats | undefined;
}

export interface DestinationKey {
  family: Family;
  address: Uint8Array;
  port: number;
}

/** The settings of a destination (a real server). */
export interface DestinationConfig extends DestinationKey {
  /** IP_VS_CONN_F_MASQ, ..., IP_VS_CONN_F_FULLNAT. */
  method: number;
  weight: number;
  upperThreshold: number;
  lowerThreshold: number;
  tunnelType: number;
  tunnelPort: number;
  tunnelFlags: number;
}

export interface Destination extends DestinationConfig {
  activeConnections: number;
  inactiveConnections: number;
  persistentConnections: number;
  stats: Stats | undefined;
}

export interface LocalAddress {
  family: Family;
  address: Uint8Array;
  /** How often a chosen port was in use. */
  conflicts: bigint;
  connections: number;
  portsInUse: number;
  portsTotal: number;
  /** How often no port was free. */
  exhausted: bigint;
  /** Not used for new connections, until it is deleted or added again. */
  draining: boolean;
}

export interface Timeouts {
  tcp: number;
  tcpFin: number;
  udp: number;
}

/** A connection synchronisation daemon. Undefined settings are left to the kernel. */
export interface SyncDaemon {
  /** IP_VS_STATE_MASTER or IP_VS_STATE_BACKUP. */
  state: number;
  interface: string;
  syncId: number;
  maxLength?: number | undefined;
  group?: Uint8Array | undefined;
  port?: number | undefined;
  ttl?: number | undefined;
}

export interface IpvsInfo {
  /** 0x010201 is 1.2.1. */
  version: number;
  tableSize: number;
  /** Features of the patched kernel; empty on a stock kernel. */
  features: ReadonlySet<Feature>;
  /** Incremented with every change of the table; patched kernel only. */
  generation: number | undefined;
  buildId: string | undefined;
  /** Fingerprints of the key of SYN cookies and, if there is one, of the staged key; empty on kernels without them. */
  cookieKeys?: number[];
}

/** Bits of IPVS_INFO_ATTR_FEATURES, from bit 0. */
export const FEATURES = ['FULLNAT', 'TOA', 'LADDR_DRAIN', 'SYNPROXY', 'SECRET', 'SYNPROXY_NAT', 'DEFENCE'] as const;
export type Feature = (typeof FEATURES)[number];
