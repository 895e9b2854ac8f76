// SPDX-License-Identifier: MIT
/** The answer to `stats`: numbers of the whole, and rows of services, real servers and local addresses. */

import type { EventLoopNumbers } from '../../base/event-loop-lag.ts';
import type { Histogram } from '../../base/histogram.ts';
import type { ProcessNumbers } from '../../base/process-numbers.ts';
import type { TallyRow } from '../../base/tally.ts';

export const DETAILS = ['summary', 'services', 'real_servers', 'full'] as const;
export type Detail = (typeof DETAILS)[number];

/** Null: there is no such number, as local ports of a service without FULLNAT. */
export type Cell = string | number | null;
export type Row = readonly Cell[];

/** Of these and the next tables: a later version adds columns at the end only, and shapes/stats.ts has their types. */
export const SERVICE_COLUMNS = [
  'service',
  'virtual',
  'protocol',
  'address',
  'port',
  'fwmark',
  'scheduler',
  'forward',
  'pool',
  'realServers',
  'realServersUp',
  'weight',
  'quorum',
  'quorumUp',
  'sorry',
  'refused',
  'active',
  'inactive',
  'connections',
  'inPackets',
  'outPackets',
  'inBytes',
  'outBytes',
  'localPorts',
  'localPortsInUse',
  'localPortsExhausted',
  'localPortConflicts',
] as const;

export const REAL_SERVER_COLUMNS = [
  'service',
  'virtual',
  'realServer',
  'address',
  'port',
  'forward',
  /** 1, 0, or UNPROBED. */
  'up',
  'weight',
  'configuredWeight',
  'draining',
  'active',
  'inactive',
  'persistent',
  'connections',
  'inPackets',
  'outPackets',
  'inBytes',
  'outBytes',
  'lastChange',
  'checks',
  'failures',
  'transitions',
  'latency',
] as const;

export const LOCAL_ADDRESS_COLUMNS = [
  'pool',
  'localAddress',
  'ports',
  'portsInUse',
  'connections',
  'draining',
  'exhausted',
  'conflicts',
] as const;

/** Makes rows of a table, with the cells in the order of its columns. */
export function rowsOf<C extends string>(columns: readonly C[]): (cells: Readonly<Record<C, Cell>>) => Row {
  return (cells) => columns.map((column) => cells[column]);
}

/** `up` of a real server whose checks have no result yet: JSON has no NaN. */
export const UNPROBED = -1;

export const REAL_SERVER_STATES = ['up', 'down', 'draining', 'unchecked', 'disabled', 'unprobed'] as const;

export type ProcessName = 'daemon' | 'health' | 'exec' | 'vrrp' | 'web';

/** Instants are seconds since the epoch, durations seconds. */
export interface StatsSummary {
  /** Of the configuration: how much is written unless a request says otherwise. */
  defaults: { detail: Detail; maxSeries: number };
  version: string;
  node: string;
  kernel: string;
  modules: string;
  features: readonly string[];
  reloadSuccessful: boolean;
  reloadedAt: number;
  config: { file: string; sha256: string };
  reloads: { done: number; refused: number; rejected: number };
  services: number;
  realServers: { [S in (typeof REAL_SERVER_STATES)[number]]: number };
  refusedServices: number;
  paused: boolean;
  overrides: { drain: number; disable: number; up: number; weight: number };
  checkTargets: number;
  /** Null: no checks are made (`lvsd apply`). */
  checks: {
    /** By type of check, and result or code. */
    results: readonly TallyRow[];
    failures: readonly TallyRow[];
    durations: readonly (readonly [type: string, histogram: Histogram])[];
    lateness: readonly (readonly [lane: string, histogram: Histogram])[];
    lanes: Readonly<Record<string, { running: number; queued: number }>>;
    lost: number;
    transitions: { up: number; down: number };
  } | null;
  reconcile: {
    /** Operations of the last plan that were not done. */
    open: number;
    /** By kind of operation and result. */
    operations: readonly TallyRow[];
    durations: Histogram;
    cycles: { done: number; partial: number; error: number };
    lastSuccess: number | null;
    drift: Readonly<Record<string, number>>;
  };
  netlink: { errors: Readonly<Record<string, number>>; overruns: number; dumpRetries: number };
  hooks: { runs: Readonly<Record<string, number>>; durations: Histogram };
  syncDaemons: readonly { role: string; device: string; id: number }[];
  /** The reading of the counters: its age, and when it was by a clock that begins with the daemon. */
  table: { age: number; at: number; reading: Histogram };
  /** Sums of /proc/net/ip_vs_stats; null: there is no such file. */
  ipvs: {
    connections: number;
    inPackets: number;
    outPackets: number;
    inBytes: number;
    outBytes: number;
  } | null;
  /** Rows of /proc/net/ip_vs_ext_stats; null: a stock kernel. */
  kernelCounters: Readonly<Record<string, number>> | null;
  processes: ({ name: ProcessName; loop?: EventLoopNumbers } & ProcessNumbers)[];
  /** How often lvsd started a process of its own again. */
  restarts: Readonly<Record<string, number>>;
  /** Events of this run, by kind. */
  events: Readonly<Record<string, number>>;
  /** Events that could not be stored. */
  eventsDropped: number;
  logLinesDropped: number;
  /** By the name of the socket. */
  controlClients: Readonly<Record<string, number>>;
  vrrp: readonly {
    name: string;
    state: 'init' | 'backup' | 'master' | 'fault';
    priority: number;
    effectivePriority: number;
    addresses: number;
    /** As `lvsctl vrrp` shows them. */
    counters: Readonly<Record<string, number>>;
    /** 0: none yet. */
    lastAdvert: number;
  }[];
  vrrpLateness: readonly (readonly [instance: string, histogram: Histogram])[];
  /** By instance and new state. */
  vrrpTransitions: readonly TallyRow[];
}

export interface Stats {
  summary: StatsSummary;
  services: Row[];
  realServers: Row[];
  localAddresses: Row[];
}

/** A notification `rows`. */
export interface StatsPart {
  table: 'services' | 'realServers' | 'localAddresses';
  rows: Row[];
}

/** Rows of a notification. */
export const ROWS = 200;
