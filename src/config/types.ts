// SPDX-License-Identifier: MIT
/** A configuration as the daemon uses it: defaults in place, ranges expanded, names resolved, nothing left to doubt. */
import type { Family } from '../base/addresses.ts';
import type { Check } from '../health/types.ts';

export type { Check, CheckType } from '../health/types.ts';

/** A place in a file; line and column count from 1. */
export interface Place {
  file: string;
  line: number;
  column: number;
}

export interface Config {
  /** Every file that was read, the main one first, as absolute paths. */
  files: readonly string[];
  /** `named`: only what the file names, or lvsd remembers having made; `all`: the whole table. */
  manage: 'named' | 'all';
  onStop: 'keep' | 'remove';
  /** Seconds; undefined leaves the kernel's. */
  timeouts: { tcp: number | undefined; tcpFin: number | undefined; udp: number | undefined };
  localAddresses: ReadonlyMap<string, LocalAddressPool>;
  /** By name, in the file's order. */
  services: ReadonlyMap<string, ServiceSpec>;
  log: LogSettings;
  /** Most probes under way at once. */
  checkConcurrency: number;
  /** Milliseconds between looks at the kernel's table for what nobody told us. */
  resync: number;
}

export type LogLevel = 'error' | 'warn' | 'info' | 'debug';
export const LOG_AREAS = ['config', 'kernel', 'health', 'control', 'daemon'] as const;
export type LogArea = (typeof LOG_AREAS)[number];

export interface LogSettings {
  level: LogLevel;
  format: 'text' | 'json';
  levels: Partial<Record<LogArea, LogLevel>>;
}

export interface LocalAddressPool {
  name: string;
  /** Where lvsd puts the addresses; undefined: they are there already, lvsd does not touch them. */
  device: string | undefined;
  addresses: readonly { family: Family; address: Uint8Array }[];
  /** Range of local ports; undefined: the kernel's sysctls. */
  ports: { min: number; max: number } | undefined;
}

export type Protocol = 'tcp' | 'udp';

/** What clients connect to: one service of the kernel. */
export interface Virtual {
  family: Family;
  /** tcp for a fwmark. */
  protocol: Protocol;
  /** All zero for a fwmark. */
  address: Uint8Array;
  port: number;
  fwmark: number;
}

export type Forward =
  | { method: 'masquerade' | 'direct' | 'fullnat' }
  | { method: 'tunnel'; type: 'ipip' | 'gue' | 'gre'; port: number; checksum: 'none' | 'checksum' | 'remote' };

export interface ServiceSpec {
  name: string;
  /** One, or one for each port of a range and each protocol of a list. */
  virtuals: readonly Virtual[];
  /** Device that carries the virtual address while the quorum holds; undefined: not lvsd's to place. */
  device: string | undefined;
  scheduler: string;
  /** IP_VS_SVC_F_SCHED1.. by the kernel's names for any scheduler. */
  schedulerFlags: readonly ('flag-1' | 'flag-2' | 'flag-3')[];
  onePacket: boolean;
  /** `timeout` in seconds; `granularity`: prefix length, 32 or 128 for single clients; `engine` '' for none. */
  persistence: { timeout: number; granularity: number; engine: string } | undefined;
  /** Pool for FULLNAT. */
  localAddresses: LocalAddressPool | undefined;
  /** Seconds; undefined: the global one. */
  establishedTimeout: number | undefined;
  /** Sum of the weights of real servers that are up, from which the service counts as served. */
  quorum: number;
  /** Lost below quorum - hysteresis, gained from quorum + hysteresis. */
  hysteresis: number;
  sorryServer: Sorry | undefined;
  /** A real server that is down leaves the table, or stays there with weight 0. */
  onFailure: 'remove' | 'inhibit';
  /** Milliseconds that a real server taken out of the file stays at weight 0 for its connections; 0: gone at once. */
  drain: number;
  realServers: readonly RealServerSpec[];
}

export interface Sorry {
  family: Family;
  address: Uint8Array;
  /** 0: the virtual service's. */
  port: number;
  forward: Forward;
}

export interface RealServerSpec {
  /** What people call it: its `name`, or address:port. */
  name: string;
  family: Family;
  address: Uint8Array;
  /** 0: the virtual service's. */
  port: number;
  weight: number;
  forward: Forward;
  /** 0: no limit. */
  upperThreshold: number;
  lowerThreshold: number;
  /** undefined: not checked, always up. */
  check: Check | undefined;
}
