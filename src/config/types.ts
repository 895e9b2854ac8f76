// SPDX-License-Identifier: MIT
/** A configuration as the daemon uses it: defaults applied, ranges expanded, names resolved, validated. */
import type { Family } from '../base/addresses.ts';
import type { WebSettings } from '../base/web-settings.ts';
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
  /** Warnings about settings that are valid, but probably not meant: a line each, with its place. */
  warnings: readonly string[];
  /** `named`: lvsd manages only the services that it owns; `all`: the whole table. */
  manage: 'named' | 'all';
  onStop: 'keep' | 'remove';
  /** Seconds; undefined: the kernel's value stays. */
  timeouts: { tcp: number | undefined; tcpFin: number | undefined; udp: number | undefined };
  localAddresses: ReadonlyMap<string, LocalAddressPool>;
  /** By name, in the file's order. */
  services: ReadonlyMap<string, ServiceSpec>;
  /** By name, in the file's order. */
  vrrp: ReadonlyMap<string, VrrpInstance>;
  /** Undefined: lvsd leaves the kernel's sync daemons alone. */
  connectionSync: ConnectionSync | undefined;
  log: LogSettings;
  /** Maximum number of concurrent probes. */
  checkConcurrency: number;
  /** Path of the file with the secret of SYN cookies. */
  synProxySecret: string | undefined;
  /** Of `lvsd web`; undefined: its defaults. */
  web: WebSettings | undefined;
  metrics: MetricsSettings;
  events: EventSettings;
  /** Milliseconds between full reads of the kernel's table. */
  resync: number;
}

export interface MetricsSettings {
  detail: 'summary' | 'services' | 'real_servers' | 'full';
  maxSeries: number;
  /** Milliseconds between two readings of the kernel's counters. */
  minInterval: number;
}

export interface EventSettings {
  /** Bytes. */
  keep: number;
  /** Undefined: that of the state file. */
  directory: string | undefined;
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
  /** Device that lvsd adds the addresses to; undefined: lvsd does not manage them. */
  device: string | undefined;
  /** Name of the virtual router whose master has the addresses; undefined: this node has them always. */
  follow: string | undefined;
  addresses: readonly { family: Family; address: Uint8Array }[];
  /** Range of local ports; undefined: that of the kernel's sysctls. */
  ports: { min: number; max: number } | undefined;
}

/** The kernel's sync daemons: a backup always, a master as `follow` says. */
export interface ConnectionSync {
  device: string;
  id: number;
  /** Name of a virtual router; undefined: always a master. */
  follow: string | undefined;
}

/** A virtual router. Durations are in milliseconds. */
export interface VrrpInstance {
  name: string;
  /** Interface of the adverts. */
  device: string;
  /** Of the adverts and of `addresses`. */
  family: Family;
  virtualRouterId: number;
  version: 2 | 3;
  /** 1 to 254; 255: owner of the addresses. */
  priority: number;
  interval: number;
  downAfter: number;
  preempt: boolean;
  preemptDelay: number;
  /**
   * `ready`: not before the first checks of the tracked services have been made. `synced`: also not before the master has
   * sent its connections for a while.
   */
  preemptAfter: 'now' | 'ready' | 'synced';
  /** Undefined: by the age of the carrier. */
  startDelay: number | undefined;
  /** Name of its group, all members of which have one role. */
  group: string | undefined;
  answerLower: boolean;
  addresses: readonly VrrpAddress[];
  extraAddresses: readonly VrrpAddress[];
  source: Uint8Array | undefined;
  /** Undefined: multicast. */
  peers: readonly Uint8Array[] | undefined;
  /** Of adverts of unicast peers; undefined: any. */
  minTtl: number | undefined;
  fromAnywhere: boolean;
  password: string | undefined;
  /** With what the other members of its group track. */
  track: readonly VrrpTracked[];
  announce: { repeat: number; interval: number; delay: number };
}

/** Interfaces and services on which an instance depends, besides its own interface. */
export interface VrrpTracked {
  kind: 'interface' | 'service';
  name: string;
  /** Added to the priority while it is up if positive, while it is down if negative. Undefined: down is a fault. */
  weight: number | undefined;
}

export interface VrrpAddress {
  family: Family;
  address: Uint8Array;
  prefix: number;
  /** Undefined: the interface of the instance. */
  device: string | undefined;
  /** Of IPv4 addresses only. */
  label: string | undefined;
  scope: 'global' | 'link' | 'host' | undefined;
}

export type Protocol = 'tcp' | 'udp';

/** Address, protocol and port, or firewall mark, of one kernel service. */
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

/** TCP options and limits that a service with SYN proxy offers to clients; undefined: what real servers do. */
export interface SynProxyOffer {
  mss: number | undefined;
  windowScale: number | 'none' | undefined;
  sack: boolean | undefined;
  timestamps: boolean | undefined;
  window: number;
}

/** Defence of a service against floods. */
export interface Defence {
  dropStrays: boolean;
  dropFragments: boolean;
  /** SYNs a second; 0: no limit. */
  synRate: number;
  synBurst: number;
}

export interface ServiceSpec {
  name: string;
  /** One, or one for each port of a range and each protocol of a list. */
  virtuals: readonly Virtual[];
  /** Device that has the virtual address while the quorum is met; undefined: lvsd does not manage the address. */
  device: string | undefined;
  scheduler: string;
  /** IP_VS_SVC_F_SCHED1 to 3, by their generic names. */
  schedulerFlags: readonly ('flag-1' | 'flag-2' | 'flag-3')[];
  onePacket: boolean;
  /** `timeout` in seconds; `granularity`: prefix length, 32 or 128 for single clients; `engine` '' for none. */
  persistence: { timeout: number; granularity: number; engine: string } | undefined;
  /** Undefined: off. */
  synProxy: SynProxyOffer | undefined;
  /** Undefined: none. */
  defence: Defence | undefined;
  /** Pool for FULLNAT. */
  localAddresses: LocalAddressPool | undefined;
  /** Seconds; undefined: the global timeout. */
  establishedTimeout: number | undefined;
  /** The sum of the weights of real servers that are up must reach it. */
  quorum: number;
  /** The quorum is lost below quorum - hysteresis and reached at quorum + hysteresis. */
  hysteresis: number;
  sorryServer: Sorry | undefined;
  /** A real server that is down is removed from the table, or gets weight 0. */
  onFailure: 'remove' | 'inhibit';
  /** Milliseconds for which a real server removed from the file drains; 0: it is removed at once. */
  drain: number;
  hooks: Hooks | undefined;
  realServers: readonly RealServerSpec[];
}

/** Programs that are run at changes: path and arguments. */
export interface Hooks {
  up: readonly string[] | undefined;
  down: readonly string[] | undefined;
  quorum: readonly string[] | undefined;
  /** Undefined: lvsd's own. */
  user: string | undefined;
  /** Milliseconds. */
  timeout: number;
}

export interface Sorry {
  family: Family;
  address: Uint8Array;
  /** 0: the virtual service's. */
  port: number;
  forward: Forward;
}

export interface RealServerSpec {
  /** Its `name`, or address:port. */
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
  /** Undefined: not checked, always up. */
  check: Check | undefined;
  /** Further checks: all must pass. */
  moreChecks: readonly Check[];
}
