// SPDX-License-Identifier: MIT
/** Counts results to decide whether a target is up. Pure: takes a state and a result, returns a state. */
import type { FailureCode } from '../base/failure-codes.ts';
import type { TargetState } from './types.ts';

/** The result of one probe. Times are in milliseconds, `at` since the epoch. */
export interface Result {
  at: number;
  ok: boolean;
  /** One line, also for a success: "connected", "status 200". */
  reason: string;
  /** Of a failure. */
  code?: FailureCode | undefined;
  /** Duration of the probe. */
  latency: number;
}

export interface Thresholds {
  /** Consecutive successes that bring it up. */
  rise: number;
  /** Consecutive failures that take it down. */
  fall: number;
}

/** The state of a target without history. */
export function unknown(id: string, up: boolean, now: number): TargetState {
  return { id, up, streak: 0, since: now, probed: false, last: undefined, probes: 0, failures: 0 };
}

/**
 * The state after a result; a change of `up` is a transition. A full `rise` or `fall` is required at any time, including
 * the first results: one lost packet directly after a start is as likely as later.
 */
export function next(state: TargetState, result: Result, { rise, fall }: Thresholds): TargetState {
  const against = result.ok !== state.up;
  const streak = against ? state.streak + 1 : 0;
  const turned = streak >= (state.up ? fall : rise);
  return {
    id: state.id,
    up: turned ? result.ok : state.up,
    streak: turned ? 0 : streak,
    since: turned ? result.at : state.since,
    probed: true,
    last: result,
    probes: state.probes + 1,
    failures: state.failures + (result.ok ? 0 : 1),
  };
}

/**
 * Restores a state from before a restart. Keeps `up`; keeps the streak only if the last result is at most two intervals
 * old, so that the next one counts as consecutive.
 */
export function resumed(state: TargetState, now: number, { interval }: { interval: number }): TargetState {
  const age = state.last === undefined ? Number.POSITIVE_INFINITY : now - state.last.at;
  return age >= 0 && age <= 2 * interval ? state : { ...state, streak: 0 };
}
