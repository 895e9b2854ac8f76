// SPDX-License-Identifier: MIT
/** Targets of checks and their states. Times are in milliseconds, instants since the epoch by the clock `steady()`. */
import type { FailureCode } from '../base/failure-codes.ts';
import type { CheckKind } from './common/kind.ts';
import type { ProbeTarget } from './common/target.ts';
import type { KINDS } from './kinds.ts';

type Kinds = typeof KINDS;
export type CheckType = keyof Kinds;
export type Check = { [T in CheckType]: Kinds[T] extends CheckKind<infer _S, infer C> ? C : never }[CheckType];
export type Target = ProbeTarget<Check>;

/** The state of a target, as plain data for the state file. */
export interface TargetState {
  id: string;
  up: boolean;
  /** Consecutive results that contradict `up`. */
  streak: number;
  /** When `up` last changed. */
  since: number;
  /** False until the first result. */
  probed: boolean;
  /** Undefined before the first result. */
  last: { at: number; ok: boolean; reason: string; code?: FailureCode | undefined; latency: number } | undefined;
  probes: number;
  failures: number;
}

/** The states of all targets, by id: a view that follows them, because a copy would take milliseconds. */
export interface TargetStates {
  readonly size: number;
  get(id: string): TargetState | undefined;
  values(): Iterable<TargetState>;
}

/** Checks of a target that cannot be made, for a reason of this machine. */
export interface Inability {
  /** By the clock `steady()`. */
  since: number;
  reason: string;
}

export interface Transition {
  id: string;
  up: boolean;
  /** One line: "connection refused", "status 503, wanted 200", "no answer within 1s". */
  reason: string;
  /** The kind of failure, for programs; undefined if it is up. */
  code?: FailureCode | undefined;
  at: number;
}
