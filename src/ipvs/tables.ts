// SPDX-License-Identifier: MIT
/** The attributes of the IPVS family (linux/ip_vs.h); those from 32 up are lvsd's own. */
import { once } from '../base/once.ts';
import type { Decoded, Table } from '../netlink/attributes.ts';

/** IPVS_STATS_ATTR_* of IPVS_*_ATTR_STATS64. */
const COUNTERS = {
  connections: [1, 'u64'],
  inPackets: [2, 'u64'],
  outPackets: [3, 'u64'],
  inBytes: [4, 'u64'],
  outBytes: [5, 'u64'],
  connectionRate: [6, 'u64'],
  inPacketRate: [7, 'u64'],
  outPacketRate: [8, 'u64'],
  inByteRate: [9, 'u64'],
  outByteRate: [10, 'u64'],
} as const satisfies Table;

/** Statistics of services: the 32-bit ones are the same values, truncated, and are not read. */
export const SERVICE_STATS = 10;
export const SERVICE_STATS64 = 12;

/** IPVS_SYNPROXY_ATTR_*. */
const SYN_PROXY = {
  enable: [1, 'u8'],
  mss: [2, 'u16'],
  windowScale: [3, 'u8'],
  sack: [4, 'u8'],
  timestamps: [5, 'u8'],
  window: [6, 'u16'],
} as const satisfies Table;

/** IPVS_DEFENCE_ATTR_*. */
const DEFENCE = {
  flags: [1, 'u32'],
  synRate: [2, 'u32'],
  synBurst: [3, 'u32'],
} as const satisfies Table;

/** IPVS_SVC_ATTR_* without statistics. */
export const SERVICE = {
  family: [1, 'u16'],
  protocol: [2, 'u16'],
  address: [3, 'inet'],
  port: [4, 'be16'],
  fwmark: [5, 'u32'],
  scheduler: [6, 'string'],
  peName: [11, 'string'],
  /** struct ip_vs_flags { flags, mask }. */
  flags: [7, 'bytes'],
  timeout: [8, 'u32'],
  netmask: [9, 'u32'],
  numLocalAddresses: [33, 'u32'],
  synProxy: [34, SYN_PROXY],
  defence: [35, DEFENCE],
  portMin: [36, 'u16'],
  portMax: [37, 'u16'],
} as const satisfies Table;

/** IPVS_DEST_ATTR_* without statistics. */
export const DEST = {
  family: [11, 'u16'],
  address: [1, 'inet'],
  port: [2, 'be16'],
  method: [3, 'u32'],
  weight: [4, 'u32'],
  tunnelType: [13, 'u8'],
  tunnelPort: [14, 'be16'],
  tunnelFlags: [15, 'u16'],
  upperThreshold: [5, 'u32'],
  lowerThreshold: [6, 'u32'],
  activeConnections: [7, 'u32'],
  inactiveConnections: [8, 'u32'],
  persistentConnections: [9, 'u32'],
} as const satisfies Table;

/** IPVS_DAEMON_ATTR_*. */
const DAEMON = {
  state: [1, 'u32'],
  interface: [2, 'string'],
  syncId: [3, 'u32'],
  maxLength: [4, 'u16'],
  group: [5, 'bytes'],
  group6: [6, 'bytes'],
  port: [7, 'u16'],
  ttl: [8, 'u8'],
} as const satisfies Table;

/** IPVS_LADDR_ATTR_*. */
const LADDR = {
  address: [1, 'inet'],
  conflicts: [2, 'u64'],
  connections: [3, 'u32'],
  family: [32, 'u16'],
  portsInUse: [33, 'u32'],
  portsTotal: [34, 'u32'],
  exhausted: [35, 'u64'],
  flags: [37, 'u32'],
} as const satisfies Table;

/** IPVS_INFO_ATTR_*, at the top level of the answer to GET_INFO. */
export const INFO = {
  version: [1, 'u32'],
  tableSize: [2, 'u32'],
  features: [32, 'bytes'],
  generation: [33, 'u32'],
  buildId: [34, 'string'],
  cookieKeys: [37, 'bytes'],
} as const satisfies Table;

/** IPVS_CMD_ATTR_*. */
export const COMMAND = {
  service: [1, SERVICE],
  dest: [2, DEST],
  daemon: [3, DAEMON],
  tcpTimeout: [4, 'u32'],
  tcpFinTimeout: [5, 'u32'],
  udpTimeout: [6, 'u32'],
  localAddress: [7, LADDR],
  secret: [35, 'bytes'],
  cookieSecret: [37, 'bytes'],
  secretFlags: [38, 'u32'],
} as const satisfies Table;

/** The same, with the statistics of services and destinations. */
export const commandWithStats = once(() => {
  const stats = [SERVICE_STATS64, COUNTERS] as const;
  return { ...COMMAND, service: [1, { ...SERVICE, stats }], dest: [2, { ...DEST, stats }] } as const satisfies Table;
});

export type CommandAttributes = Decoded<typeof COMMAND>;
export type ReplyAttributes = Decoded<ReturnType<typeof commandWithStats>>;
export type InfoAttributes = Decoded<typeof INFO>;
