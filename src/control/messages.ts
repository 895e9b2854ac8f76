// SPDX-License-Identifier: MIT
/** What goes over the control socket: newline-delimited JSON-RPC 2.0 (jsonrpc.org/specification). One object a line. */

/** Longest line that either side takes, in bytes. */
export const LONGEST_LINE = 64 << 20;
/** Longest request that the daemon takes: requests are small, and anyone with the socket may send them. */
export const LONGEST_REQUEST = 64 << 10;

export interface RealServerStatus {
  /** The name, or address:port. */
  name: string;
  address: string;
  port: number;
  /** As configured, and as it is in the table now. */
  weight: number;
  effectiveWeight: number;
  state: 'up' | 'down' | 'unchecked' | 'draining';
  /** The operator's word over the checks. */
  override: 'drain' | undefined;
  /** Milliseconds since the epoch. */
  since: number | undefined;
  reason: string | undefined;
  /** Milliseconds that the last probe took. */
  latency: number | undefined;
  activeConnections: number;
  inactiveConnections: number;
}

export interface ServiceStatus {
  name: string;
  /** "tcp 10.99.0.10:443", one a service of the kernel. */
  virtuals: string[];
  scheduler: string;
  quorum: { needed: number; weight: number; up: boolean };
  sorry: boolean;
  realServers: RealServerStatus[];
  /** What the kernel last refused of this service; undefined when all is well. */
  error: string | undefined;
}

export interface DaemonStatus {
  version: string;
  pid: number;
  startedAt: number;
  file: string;
  loadedAt: number;
  /** Why the file as it is now was not taken, at the last reload. */
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
  /** Grows by one each event, so that a gap shows. */
  sequence: number;
  at: number;
  kind: 'server' | 'quorum' | 'reload' | 'drift' | 'override' | 'kernel' | 'daemon';
  service: string | undefined;
  text: string;
}

/** Parameters and results of each method. */
export interface Methods {
  /** Which daemon this is; costs nothing. */
  ping: { params: Record<string, never>; result: { version: string; pid: number; file: string } };
  status: { params: { service?: string }; result: DaemonStatus };
  plan: { params: Record<string, never>; result: { file: string; lines: PlanLine[] } };
  reload: { params: Record<string, never>; result: { operations: number; failed: string[] } };
  drain: { params: { service?: string; server: string }; result: { servers: string[] } };
  undrain: { params: { service?: string; server: string }; result: { servers: string[] } };
  /** While paused nothing is written to the kernel; checks go on. */
  pause: { params: { on: boolean }; result: { paused: boolean } };
  /** Events since `after`; then one notification `event` for each that comes, if `follow`. */
  events: { params: { after?: number; follow?: boolean }; result: { events: DaemonEvent[] } };
}

export type Method = keyof Methods;

/** JSON-RPC error codes: the standard's, and lvsd's exit codes as -32000 - code. */
export const PARSE_ERROR = -32700;
export const INVALID_REQUEST = -32600;
export const METHOD_NOT_FOUND = -32601;
export const INVALID_PARAMS = -32602;
export const LVSD_ERROR = -32000;
