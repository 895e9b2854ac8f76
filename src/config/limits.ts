// SPDX-License-Identifier: MIT
/** What bounds a configuration, and what a key is without being written. */

export const LIMITS = {
  /** Bytes of one file, and of all together. */
  bytes: 64 << 20,
  /** Files that one configuration is made of. */
  files: 10_000,
  /** Collections inside one another, in a file. */
  depth: 40,
  /** Values that a file has only because aliases and merge keys repeat them. */
  aliased: 2_000_000,
  /** Problems that are told; a file that is no configuration at all has more. */
  problems: 500,
  /** Services of the kernel that one `port` range and its protocols make. */
  virtuals: 2048,
  /** Addresses of one pool. */
  poolAddresses: 4096,
} as const;

/** Kernel names of the schedulers that its IPVS has (net/netfilter/ipvs/ip_vs_*.c, 6.1 and 6.12). */
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

/** What a key is when nobody writes it. Durations in milliseconds. */
export const DEFAULTS = {
  manage: 'named',
  onStop: 'keep',
  protocol: 'tcp',
  scheduler: 'wlc',
  forward: 'masquerade',
  quorum: 1,
  hysteresis: 0,
  onFailure: 'remove',
  drain: 0,
  weight: 1,
  persistenceTimeout: 300_000,
  tunnelType: 'ipip',
  tunnelChecksum: 'none',
  logLevel: 'info',
  logFormat: 'text',
  checkConcurrency: 65536,
  resync: 30_000,
} as const;
