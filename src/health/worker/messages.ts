// SPDX-License-Identifier: MIT
/**
 * What the daemon and its checker process say to each other, as JSON over the channel of child_process.fork(). Targets
 * go by number, given out by the daemon and never used again. Only what changed travels, and snapshots when asked for.
 */
import type { Check, TargetState, Transition } from '../types.ts';

/** Everything of a TargetState but its id. */
export type StateRow = [
  number: number,
  up: 0 | 1,
  streak: number,
  since: number,
  probes: number,
  failures: number,
  at: number,
  ok: 0 | 1,
  reason: string,
  latency: number,
];

export interface WireTarget {
  number: number;
  id: string;
  address: string;
  port: number;
  /** Index into the message's `checks`. */
  check: number;
  label: string;
  state: TargetState;
}

export type ToChecker =
  | { type: 'targets'; concurrency: number; checks: Check[]; add: WireTarget[]; remove: number[] }
  | { type: 'snapshot'; request: number };

export type LogLevel = 'error' | 'warn' | 'info' | 'debug';

/** How the checker fares. Milliseconds, since the last word of it. */
export interface Load {
  /** Probes that ended. */
  probes: number;
  running: number;
  /** Due, and waiting for their turn under the limit of probes at once. */
  queued: number;
  /** Most sockets at once: the configuration's limit, or as many as the process has descriptors for. */
  limit: number;
  /** The longest that one of them waited. */
  longestWait: number;
  /** Time in which the process did not get to run although it wanted to. */
  lost: number;
}

export type FromChecker =
  | { type: 'transitions'; list: (Omit<Transition, 'id'> & { number: number; latency: number })[] }
  | { type: 'states'; request: number; rows: StateRow[]; last: boolean }
  | { type: 'beat'; load: Load }
  | { type: 'log'; level: LogLevel; text: string };

export function toRow(number: number, state: TargetState): StateRow {
  const { last } = state;
  return [
    number,
    state.up ? 1 : 0,
    state.streak,
    state.since,
    state.probes,
    state.failures,
    last?.at ?? 0,
    last?.ok ? 1 : 0,
    last?.reason ?? '',
    last?.latency ?? 0,
  ];
}

export function fromRow(id: string, row: StateRow): TargetState {
  const [, up, streak, since, probes, failures, at, ok, reason, latency] = row;
  const probed = probes > 0;
  return {
    id,
    up: up === 1,
    streak,
    since,
    probed,
    last: probed ? { at, ok: ok === 1, reason, latency } : undefined,
    probes,
    failures,
  };
}
