// SPDX-License-Identifier: MIT
/** Messages of `/live`: types that server and page share. Instants are milliseconds since the epoch. */
import type { ServiceState } from '../../control/lvsctl/top/model.ts';
import type { Sort } from '../../control/lvsctl/top/screen.ts';
import type { FailureStatus, FileProblem, RealServerStatus, VrrpStatus } from '../../control/messages.ts';

/** A point of a curve; null: not known. */
export type Point = number | null;

/** The view of one viewer. */
export interface LiveQuery {
  search: string;
  sort: Sort;
  reverse: boolean;
  /** Only services that are not up. */
  bad: boolean;
  from: number;
  count: number;
  /** Name of the open service, and its virtual address if several have that name. */
  open: string | undefined;
  at: string | undefined;
}

/** A message; parts that did not change since the last one are left out. */
export interface LiveMessage {
  /** The server's clock. */
  now: number;
  /** Milliseconds since the last answer of the daemon. */
  age: number;
  /** The reason if the daemon does not answer; the values shown stay. */
  problem?: string | undefined;
  head?: Head;
  rows?: Rows;
  side?: Side;
  /** Null: there is no such service. */
  open?: Detail | null;
  events?: PageEvent[];
}

export interface Head {
  host: string;
  version: string;
  startedAt: number;
  file: string;
  loadedAt: number;
  reloadError?: string | undefined;
  paused: boolean;
  checksStopped?: string | undefined;
  files: readonly FileProblem[];
  services: number;
  /** Services that are not up as a whole. */
  bad: number;
  realServers: number;
  down: number;
  draining: number;
  unprobed: number;
  connections: Point;
  /** Bytes per second. */
  traffic: Point;
  active: number;
  /** Number of readings of the counters so far. */
  readings: number;
  /** Of all services: connections and bytes per second, oldest first; later only the values above, one a reading. */
  history?: { connections: Point[]; traffic: Point[] };
  /** Changes that lvsd wants and that are rejected or impossible: their number, and the first ones. */
  refused: number;
  failures: readonly FailureStatus[];
  overrides: number;
  /** Differences that other programs made, and lvsd repaired in the last hour. */
  repaired: number;
}

export interface Rows {
  /** Services that match. */
  total: number;
  /** Index of the first row among them. */
  from: number;
  rows: ServiceRow[];
}

export interface ServiceRow {
  name: string;
  virtual: string;
  state: ServiceState;
  realServers: number;
  up: number;
  active: number;
  connections: Point;
  in: Point;
  out: Point;
  why: string;
  /** Connections per second, oldest first; only the first time that the row is sent, later `point`s follow. */
  history?: Point[];
  point?: Point;
}

/** The key of a service: several may have one name. */
export const keyOf = ({ name, virtual }: Pick<ServiceRow, 'name' | 'virtual'>): string => `${name} ${virtual}`;

export interface Side {
  vrrp: VirtualRouter[];
  pools: Pool[];
}

export interface VirtualRouter
  extends Pick<VrrpStatus, 'name' | 'state' | 'since' | 'reason' | 'interface' | 'virtualRouterId'> {
  /** "90 (110, service shop -20)" */
  priority: string;
  addresses: number;
  faults: string[];
}

export interface Pool {
  name: string;
  ports: number;
  portsInUse: number;
  exhausted: number;
  addresses: number;
  /** The address with the greatest share of its ports in use. */
  fullest: string;
  /** 0 to 1. */
  fullestShare: number;
}

export interface Detail {
  key: string;
  name: string;
  virtual: string;
  state: ServiceState;
  scheduler: string;
  forward: string;
  pool: string;
  quorum: { needed: number; weight: number; up: boolean };
  sorry: boolean;
  error?: string | undefined;
  errorSince?: number | undefined;
  /** Other virtual addresses of the same service. */
  others: string[];
  realServers: ServerRow[];
  localAddresses: LocalAddressRow[];
  /** Rates per second, oldest first. */
  history: { at: number[]; connections: Point[]; in: Point[]; out: Point[] };
}

export interface ServerRow
  extends Pick<
    RealServerStatus,
    'name' | 'state' | 'override' | 'since' | 'reason' | 'latency' | 'inability' | 'overrides'
  > {
  address: string;
  /** In the kernel now; null: not in its table. */
  weight: number | null;
  configuredWeight: number;
  active: number;
  inactive: number;
  connections: Point;
  in: Point;
  out: Point;
  checks: number | null;
  failures: number | null;
}

export interface LocalAddressRow {
  address: string;
  ports: number;
  portsInUse: number;
  connections: number;
  draining: boolean;
  exhausted: number;
  conflicts: number;
}

export interface PageEvent {
  id: string;
  at: number;
  kind: string;
  severity: 'info' | 'warning' | 'error';
  service?: string | undefined;
  text: string;
}
