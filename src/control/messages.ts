// SPDX-License-Identifier: MIT
/**
 * Data types and limits of the control socket. Its protocol is newline-delimited JSON-RPC 2.0 (jsonrpc.org/specification).
 * Its methods are in methods.ts.
 */

import { EXIT } from '../base/errors.ts';
import type { FailureCode } from '../base/failure-codes.ts';
import type { WebSettings } from '../base/web-settings.ts';

/** Longest line that either side accepts, in bytes. */
export const LONGEST_LINE = 64 << 20;
/** Longest request that the daemon accepts, in bytes. */
export const LONGEST_REQUEST = 64 << 10;

/** Set by an operator for a real server: drained, disabled, forced up, or a weight. */
export interface OverrideStatus {
  kind: 'drain' | 'disable' | 'up' | 'weight';
  weight?: number | undefined;
  by?: string | undefined;
  /** Milliseconds since the epoch. */
  at?: number | undefined;
  reason?: string | undefined;
}

/** An override whose real server is not in the file. */
export interface OrphanStatus extends OverrideStatus {
  service: string;
  server: string;
}

export interface RealServerStatus {
  /** The name, or address:port. */
  name: string;
  address: string;
  port: number;
  /** As configured, and as in the kernel's table now. */
  weight: number;
  effectiveWeight: number;
  state: 'up' | 'down' | 'unchecked' | 'draining';
  /** Set by the operator; takes precedence over checks. */
  override: 'drain' | 'disable' | 'up' | undefined;
  /** All that operators have set for it, a weight included. */
  overrides?: readonly OverrideStatus[] | undefined;
  /** Milliseconds since the epoch. */
  since: number | undefined;
  reason: string | undefined;
  /** The kind of the last failure; undefined after a success. */
  code?: FailureCode | undefined;
  /** Duration of the last probe in milliseconds. */
  latency: number | undefined;
  /** Time of the last result, milliseconds since the epoch: the age of `reason` and `latency`. */
  lastResultAt?: number | undefined;
  /** It cannot be checked, since this time and for this reason: `state` and `reason` are older. */
  inability?: { since: number; reason: string } | undefined;
  activeConnections: number;
  inactiveConnections: number;
  /** Each of several checks; `since`, `reason` and `latency` above are those of the check that decides. */
  checks?: CheckStatus[];
}

export interface CheckStatus {
  /** As in the file: tcp, http, https, exec. */
  type: string;
  /** "10.31.4.2:8443", the endpoint that is probed. */
  target: string;
  up: boolean;
  /** Milliseconds since the epoch. */
  since: number | undefined;
  reason: string | undefined;
  code?: FailureCode | undefined;
  latency: number | undefined;
}

export interface ServiceStatus {
  name: string;
  /** "tcp 10.99.0.10:443", one per service of the kernel. */
  virtuals: string[];
  scheduler: string;
  quorum: { needed: number; weight: number; up: boolean };
  sorry: boolean;
  realServers: RealServerStatus[];
  /**
   * The change of this service that the kernel rejected, and how many more; or that of its pool of local addresses.
   * Undefined if none is pending.
   */
  error: string | undefined;
  /** Of `error`: the first attempt, milliseconds since the epoch. */
  errorSince?: number | undefined;
}

/** Changes that lvsd makes and that are rejected or impossible; it tries them again. Instants: milliseconds since 1970. */
export interface FailureStatus {
  /** Their owner: a service, a pool of local addresses, or neither. */
  of: 'service' | 'pool' | 'settings';
  /** Of the service or the pool. */
  name?: string | undefined;
  since: number;
  attempts?: number | undefined;
  nextAttemptAt?: number | undefined;
  changes: readonly { sign: '+' | '~' | '-'; text: string; reason: string }[];
}

/** The health checks as a whole. Instants are milliseconds since the epoch. */
export interface ChecksStatus {
  /** No checks are made: the last sign of life of the health worker, the reason, and its restarts since then. */
  stopped?: { since: number; reason: string; restarts: number } | undefined;
  /** The latest result of all checks. */
  lastResultAt?: number | undefined;
}

/** A file of overrides or of the state that could not be written, or was not accepted at the start. */
export interface FileProblem {
  file: string;
  problem: 'not saved' | 'ignored' | 'state not saved';
  /** Milliseconds since the epoch. */
  since: number;
  reason: string;
  /** The present name of a file that was ignored, if another one has been written. */
  keptAs?: string | undefined;
}

/** A virtual router in the summary of `status`. */
export interface VrrpSummary {
  name: string;
  state: VrrpStatus['state'];
  /** Milliseconds since the epoch; undefined before the first transition. */
  since: number | undefined;
  reason: string;
}

export type SyncRole = 'backup' | 'master';

/** The kernel's sync daemons of this node: the backup receives connections, the master sends them. */
export interface SyncStatus {
  device: string;
  id: number;
  /** The virtual router whose master sends. */
  follow?: string | undefined;
  wanted: SyncRole[];
  running: SyncRole[];
}

/** `web` undefined: the file has no such part. */
export interface ConfigSummary {
  web?: WebSettings | undefined;
}

export interface DaemonStatus {
  version: string;
  pid: number;
  startedAt: number;
  file: string;
  loadedAt: number;
  /** The reason why the last reload was rejected; undefined if it succeeded. */
  reloadError: string | undefined;
  paused: boolean;
  /** Undefined: an lvsd without health checks. */
  checks?: ChecksStatus | undefined;
  files?: readonly FileProblem[] | undefined;
  /** Changes that are rejected or impossible, those of services too. */
  failures?: readonly FailureStatus[] | undefined;
  /** Overrides that apply to no real server of the file. */
  orphans?: readonly OrphanStatus[];
  /** Undefined: lvsd leaves the kernel's sync daemons alone. */
  connectionSync?: SyncStatus | undefined;
  /** Virtual routers. */
  vrrp?: readonly VrrpSummary[] | undefined;
  services: ServiceStatus[];
}

/** The reason why a service is not up as a whole. */
export interface ServiceReason {
  service: string;
  /** The kernel's service: "tcp 10.99.0.10:443". */
  virtual: string;
  reason: string;
}

/** The status without what has to be read from the kernel; for clients that ask every few seconds. */
export interface Overview extends Omit<DaemonStatus, 'connectionSync'> {
  /** The name of the machine. */
  host: string;
  /** Those of the name that was asked for, without numbers of connections and weights of the kernel; else none. */
  services: ServiceStatus[];
  /** Services that are not up as a whole; none if a service was asked for. */
  reasons: ServiceReason[];
}

/** A feature, device or scheduler that the configuration needs and the machine lacks. */
export interface PlanObstacle {
  text: string;
  /** True for a feature of the kernel; false for a device or a scheduler's module, which may come later. */
  kernel: boolean;
}

/** History of one check of a real server. */
export interface CheckHistoryStatus {
  /** As in the file: tcp, http, https, exec. */
  type: string;
  /** "10.31.4.2:8443", the endpoint that is probed. */
  target: string;
  up: boolean;
  /** Milliseconds since the epoch. */
  since: number;
  probes: number;
  failures: number;
  /** The last results, oldest first: '+' for a success, '-' for a failure. */
  recent: string;
  /** Oldest first. */
  transitions: { at: number; up: boolean; reason: string; code?: FailureCode | undefined }[];
  /** Oldest first; latency in milliseconds. */
  lastFailures: { at: number; reason: string; code?: FailureCode | undefined; latency: number }[];
  /** Most frequent first; the reason '' stands for all others. */
  reasons: { reason: string; count: number }[];
}

export interface ServerHistory {
  service: string;
  /** The kernel's service: "tcp 10.99.0.10:443". */
  virtual: string;
  /** Name in the file. */
  server: string;
  state: RealServerStatus['state'];
  checks: CheckHistoryStatus[];
}

export interface PlanLine {
  /** '+' added, '~' changed, '-' removed. */
  sign: '+' | '~' | '-';
  service: string | undefined;
  text: string;
}

/** One virtual router (VRRP). */
export interface VrrpStatus {
  name: string;
  state: 'init' | 'backup' | 'master' | 'fault';
  /** Milliseconds since the epoch; undefined before the first transition. */
  since: number | undefined;
  /** Why it is in this state. */
  reason: string;
  interface: string;
  family: 'ipv4' | 'ipv6';
  version: 2 | 3;
  virtualRouterId: number;
  /** All members of a group have one role. */
  group: string | undefined;
  /** In effect: the configured one and the weights of `tracked`. */
  priority: number;
  configuredPriority: number;
  /** Milliseconds between two adverts. */
  interval: number;
  unicast: boolean;
  addresses: { address: string; prefix: number; device: string }[];
  /** The causes of its fault. */
  faults: string[];
  /** Without a weight, its absence is a fault. */
  tracked: { kind: 'interface' | 'service'; name: string; up: boolean; weight?: number | undefined }[];
  /** Adverts sent and received, rejections by reason, and the like. */
  counters: Record<string, number>;
  /** The last message that was rejected, `at` in milliseconds since the epoch; undefined: none. */
  lastRejected: { reason: string; text: string; source: string; at: number } | undefined;
}

/** JSON-RPC error codes: the standard's, and lvsd's exit codes as -32000 - code. */
export const PARSE_ERROR = -32700;
export const INVALID_REQUEST = -32600;
export const METHOD_NOT_FOUND = -32601;
export const INVALID_PARAMS = -32602;
export const LVSD_ERROR = -32000;
/** Also for a method that a socket does not allow. */
export const NOT_PERMITTED = LVSD_ERROR - EXIT.NOT_PERMITTED;
