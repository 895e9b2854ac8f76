// SPDX-License-Identifier: MIT
/**
 * Messages between the daemon and its health worker, as JSON over the channel of child_process.fork(). Targets have
 * numbers, assigned by the daemon and never reused. Changes of state are sent at once; on request (`snapshot`), in parts, the
 * states that have had other results since they were last asked for.
 */
import type { FailureCode } from '../../base/failure-codes.ts';
import type { CheckCountsPart } from '../check-counts.ts';
import type { CheckHistory } from '../history.ts';
import type { Lane } from '../schedule/schedule.ts';
import type { Check, Inability, TargetState, Transition } from '../types.ts';

/** A TargetState without its id. */
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
  code: FailureCode | '',
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

export type ToWorker =
  | { type: 'targets'; concurrency: number; checks: Check[]; add: WireTarget[]; remove: number[] }
  | { type: 'snapshot'; request: number }
  | { type: 'history'; request: number; numbers: number[] };

export type LogLevel = 'error' | 'warn' | 'info' | 'debug';

/** Load of the health worker since its last report. Times are in milliseconds. */
export interface Load {
  /** Finished probes. */
  probes: number;
  running: number;
  /** Due probes that wait for the limit of simultaneous probes. */
  queued: number;
  /** Limit of simultaneous sockets: that of the configuration or that of descriptors, whichever is lower. */
  limit: number;
  /** Longest such wait. */
  longestWait: number;
  /** Time in which the process was ready but did not run. */
  lost: number;
}

/** Probes in progress, and due ones that wait. */
export type LaneLoads = Record<Lane, { running: number; queued: number }>;

export type FromWorker =
  | { type: 'transitions'; list: (Omit<Transition, 'id'> & { number: number; latency: number })[] }
  /** States whose streak changed: a restarted health worker continues with them. */
  | { type: 'progress'; rows: StateRow[] }
  /** Changed results of handshakes with targets as numbers of negotiated.ts. */
  | { type: 'negotiated'; rows: [number: number, negotiated: number][] }
  | { type: 'inability'; number: number; inability?: Inability | undefined }
  | { type: 'states'; request: number; rows: StateRow[]; last: boolean }
  | { type: 'history'; request: number; list: { number: number; history: CheckHistory }[] }
  /** `helper`: process id of the exec helper. */
  | { type: 'beat'; load: Load; counts: CheckCountsPart; lanes: LaneLoads; helper: number | undefined }
  | { type: 'log'; level: LogLevel; text: string };

/** Inverse of fromRow. */
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
    last?.code ?? '',
  ];
}

/** Inverse of toRow. `shared` may return an equal string. */
export function fromRow(id: string, row: StateRow, shared = (reason: string) => reason): TargetState {
  const [, up, streak, since, probes, failures, at, ok, reason, latency, code] = row;
  const probed = probes > 0;
  return {
    id,
    up: up === 1,
    streak,
    since,
    probed,
    last: probed
      ? { at, ok: ok === 1, reason: shared(reason), latency, code: code === '' ? undefined : code }
      : undefined,
    probes,
    failures,
  };
}
