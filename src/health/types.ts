// SPDX-License-Identifier: MIT
/** What is checked and what came of it. Times are milliseconds; instants are milliseconds since the epoch. */
import type { ExecCheck } from './exec/schema.ts';
import type { HttpCheck } from './http/schema.ts';
import type { TcpCheck } from './tcp/schema.ts';

export type Check = TcpCheck | HttpCheck | ExecCheck;

/** One thing to check. Equal targets have equal ids, whoever wants them: they are checked once. */
export interface Target {
  id: string;
  /** What is probed: an address as text and a port. */
  address: string;
  port: number;
  check: Check;
  /** What it counts as until probes say otherwise. */
  initiallyUp: boolean;
  /** For people and for scripts: "shop 10.31.4.2:8443", the first of those that share it. */
  label: string;
}

/** What is known of a target; plain data, as it goes into the state file. */
export interface TargetState {
  id: string;
  up: boolean;
  /** Results in a row that speak against `up`. */
  streak: number;
  /** Since when it is up, or down. */
  since: number;
  /** False until the first result. */
  probed: boolean;
  /** Undefined before the first result. */
  last: { at: number; ok: boolean; reason: string; latency: number } | undefined;
  probes: number;
  failures: number;
}

export interface Transition {
  id: string;
  up: boolean;
  /** One line: "connection refused", "status 503, wanted 200", "no answer within 1s". */
  reason: string;
  at: number;
}
