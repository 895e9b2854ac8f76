// SPDX-License-Identifier: MIT
/** What a checker is: something that is prepared once for a target, and then makes one probe after the other. */
import type { Target } from './types.ts';

/** `reason` is one line: "connected", "connection refused", "status 503, wanted 200". */
export interface Verdict {
  /** `inconclusive`: the probe could not be made, for lack of something on this machine. It says nothing of the target. */
  outcome: 'success' | 'failure' | 'inconclusive';
  reason: string;
}

/** A probe under way. */
export interface Probe {
  /** What it waits for now, as in "no answer within 1s": "connection", "answer". */
  readonly waitsFor: string;
  /** The target has done its part: what it waits for is this machine's. */
  readonly answered?: boolean;
  /** From when its time counts, by performance.now(), if not from the start of the probe; undefined: not yet. */
  readonly startedAt?: number | undefined;
  /** Asks, when its time is over, whether that is so of the target, too. False: nothing is known of the target. */
  late?(): Promise<boolean>;
  /** Ends it: its `done` is never called. What it returns settles once nothing of it is left; undefined: it is so already. */
  cancel(): Promise<void> | undefined;
}

export interface Prober {
  /** Makes one probe. `done` is called once at most, perhaps before this returns. Deadlines are the caller's business. */
  start(done: (verdict: Verdict) => void): Probe;
}

/** Throws what is wrong with the target for good; whoever calls says so in each probe's stead. */
export type Prepare<T extends Target = Target> = (target: T) => Prober;

export const success = (reason: string): Verdict => ({ outcome: 'success', reason });
export const failure = (reason: string): Verdict => ({ outcome: 'failure', reason });
export const inconclusive = (reason: string): Verdict => ({ outcome: 'inconclusive', reason });
