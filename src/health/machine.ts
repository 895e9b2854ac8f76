// SPDX-License-Identifier: MIT
/** When results make a target up or down. Pure: a state and a result in, a state out. */
import type { TargetState } from './types.ts';

/** What one probe found. Times are milliseconds, `at` since the epoch. */
export interface Result {
  at: number;
  ok: boolean;
  /** One line, also for a success: "connected", "status 200". */
  reason: string;
  /** How long the probe took. */
  latency: number;
}

export interface Thresholds {
  /** Successes in a row that bring it up. */
  rise: number;
  /** Failures in a row that take it down. */
  fall: number;
}

/** A target of which nothing is known. */
export function unknown(id: string, up: boolean, now: number): TargetState {
  return { id, up, streak: 0, since: now, probed: false, last: undefined, probes: 0, failures: 0 };
}

/**
 * The state that a result leads to; where `up` differs from before, that is a transition. It takes a full `rise` or
 * `fall` in a row at every time, the first results included: nothing is known of a target's neighbours on the way to
 * it, and one lost packet just after a start is as likely as later.
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
 * A state from before a restart. Whether it was up is kept. Results that spoke against it count on only while they are
 * as fresh as results in a row are: after a longer pause, or with a clock that was set back, one more says little.
 */
export function resumed(state: TargetState, now: number, { interval }: { interval: number }): TargetState {
  const age = state.last === undefined ? Number.POSITIVE_INFINITY : now - state.last.at;
  return age >= 0 && age <= 2 * interval ? state : { ...state, streak: 0 };
}
