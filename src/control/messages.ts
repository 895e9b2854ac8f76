// SPDX-License-Identifier: MIT
/**
 * Data types and limits of the control socket, which speaks newline-delimited JSON-RPC 2.0 (jsonrpc.org/specification).
 * Its methods are in verbs.ts.
 */

/** Longest line that either side accepts, in bytes. */
export const LONGEST_LINE = 64 << 20;
/** Longest request that the daemon accepts, in bytes. */
export const LONGEST_REQUEST = 64 << 10;

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
  override: 'drain' | undefined;
  /** Milliseconds since the epoch. */
  since: number | undefined;
  reason: string | undefined;
  /** Duration of the last probe in milliseconds. */
  latency: number | undefined;
  activeConnections: number;
  inactiveConnections: number;
}

export interface ServiceStatus {
  name: string;
  /** "tcp 10.99.0.10:443", one per service of the kernel. */
  virtuals: string[];
  scheduler: string;
  quorum: { needed: number; weight: number; up: boolean };
  sorry: boolean;
  realServers: RealServerStatus[];
  /** The last change of this service that the kernel rejected; undefined if none is pending. */
  error: string | undefined;
}

export interface DaemonStatus {
  version: string;
  pid: number;
  startedAt: number;
  file: string;
  loadedAt: number;
  /** Why the last reload was rejected; undefined if it succeeded. */
  reloadError: string | undefined;
  paused: boolean;
  services: ServiceStatus[];
}

export interface PlanLine {
  /** '+' added, '~' changed, '-' removed. */
  sign: '+' | '~' | '-';
  service: string | undefined;
  text: string;
}

export interface DaemonEvent {
  /** Incremented by one per event; a gap means lost events. */
  sequence: number;
  at: number;
  kind: 'server' | 'quorum' | 'reload' | 'drift' | 'override' | 'kernel' | 'daemon';
  service: string | undefined;
  text: string;
}

/** JSON-RPC error codes: the standard's, and lvsd's exit codes as -32000 - code. */
export const PARSE_ERROR = -32700;
export const INVALID_REQUEST = -32600;
export const METHOD_NOT_FOUND = -32601;
export const INVALID_PARAMS = -32602;
export const LVSD_ERROR = -32000;
