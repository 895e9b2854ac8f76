// SPDX-License-Identifier: MIT
/** The interface of probers. A prober is prepared once for a check and makes probes of its targets. */
import type { FailureCode } from '../base/failure-codes.ts';
import type { ProbeSubject } from './common/target.ts';

/** `reason` is one line: "connected", "connection refused", "status 503, wanted 200". */
export interface Verdict {
  /** `inconclusive`: this machine lacked a resource for the probe, which says nothing about the target. */
  outcome: 'success' | 'failure' | 'inconclusive';
  reason: string;
  /** The kind of failure, for programs; undefined for a success. */
  code?: FailureCode;
}

/** A probe in progress. */
export interface Probe {
  /** Names the step that the probe waits for, as in "no answer within 1s": "connection", "answer". */
  readonly waitsFor: string;
  /** The target has answered: it is waiting for this machine. */
  readonly answered?: boolean;
  /** Start of its timeout by performance.now(), if that is not the start of the probe; undefined: not started yet. */
  readonly startedAt?: number | undefined;
  /** At the deadline: whether the target itself is late. False if the delay may be that of this machine. */
  late?: (() => Promise<boolean>) | undefined;
  /**
   * Ends the probe; `done` is not called. Returns a promise for the end of its clean-up, undefined if there is none.
   */
  cancel(): Promise<void> | undefined;
}

/** Serves all targets of a check: what a target costs counts tens of thousands of times. */
export interface Prober {
  /**
   * Starts a probe. Calls `done` at most once, possibly before returning; with a success over TCP, also with what the
   * handshake has negotiated (negotiated.ts). The caller watches the deadline. Throws if the
   * target can never be probed; the message then is its result.
   */
  start(target: ProbeSubject, done: (verdict: Verdict, negotiated?: number) => void): Probe;
}

export const success = (reason: string): Verdict => ({ outcome: 'success', reason });
export const failure = (code: FailureCode, reason: string): Verdict => ({ outcome: 'failure', reason, code });
export const inconclusive = (reason: string): Verdict => ({ outcome: 'inconclusive', reason, code: 'local' });
