// SPDX-License-Identifier: MIT
/** Limits of a configuration, and default values of its keys. */

export const LIMITS = {
  /** Bytes of one file, and of all together. */
  bytes: 64 << 20,
  /** Files of one configuration. */
  files: 10_000,
  /** Nested collections. */
  depth: 40,
  /** Values added by aliases and merge keys. */
  aliased: 2_000_000,
  /** Problems reported; a file of another format would have more. */
  problems: 500,
  /** Kernel services of one service: the ports of a range times its protocols. */
  virtuals: 2048,
  /** Kernel services, and their real servers, of the whole file. */
  allVirtuals: 100_000,
  allServers: 1_000_000,
  /** Addresses of a pool. */
  poolAddresses: 4096,
} as const;

/** Longest timeout that the kernel accepts at any HZ (INT_MAX / 1000), in seconds. */
export const LONGEST_TIMEOUT = 24 * 86_400;

/** Longest drain, in milliseconds. */
export const LONGEST_DRAIN = 7 * 86_400_000;

/** Smallest MSS that SYN proxy offers (IP_VS_SYNPROXY_MSS_MIN). */
export const SMALLEST_MSS = 216;

/** Largest rate and burst of SYNs of a defence (DEFENCE_SYNS_MAX). */
export const MOST_SYNS = 1_000_000;

/** Schedulers of the kernel (net/netfilter/ipvs/ip_vs_*.c of 6.1 and 6.12). */
export const SCHEDULERS = [
  'rr',
  'wrr',
  'lc',
  'wlc',
  'lblc',
  'lblcr',
  'sh',
  'mh',
  'dh',
  'fo',
  'ovf',
  'sed',
  'nq',
  'twos',
] as const;

export const SCHEDULER_FLAGS = [
  'flag-1',
  'flag-2',
  'flag-3',
  'sh-fallback',
  'sh-port',
  'mh-fallback',
  'mh-port',
] as const;

/** Kernel's persistence engines. */
export const ENGINES = ['sip'] as const;

/** Durations in milliseconds. */
export const DEFAULTS = {
  manage: 'named',
  onStop: 'keep',
  metricsDetail: 'real_servers',
  maxSeries: 600_000,
  minInterval: 5000,
  /** Bytes. */
  keepEvents: 32 << 20,
  protocol: 'tcp',
  scheduler: 'wlc',
  forward: 'masquerade',
  quorum: 1,
  hysteresis: 0,
  onFailure: 'remove',
  drain: 0,
  window: 2896,
  weight: 1,
  hookTimeout: 10_000,
  persistenceTimeout: 300_000,
  tunnelType: 'ipip',
  tunnelChecksum: 'none',
  logLevel: 'info',
  logFormat: 'text',
  checkConcurrency: 65536,
  resync: 30_000,
  syncId: 0,
  vrrpVersion: 3,
  vrrpPriority: 100,
  vrrpDownAfter: 3,
  serviceWeight: -50,
  announceRepeat: 5,
  announceInterval: 20,
  announceDelay: 5000,
} as const;
