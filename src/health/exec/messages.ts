// SPDX-License-Identifier: MIT
/**
 * Messages between a process that runs programs (health worker, daemon) and its exec helper, as JSON over the channel
 * of child_process.fork().
 */
import type { Verdict } from '../verdict.ts';

export interface Run {
  command: readonly string[];
  user: string | undefined;
  environment: Readonly<Record<string, string>>;
  /** Milliseconds between SIGTERM and SIGKILL when it is stopped. */
  killDelay: number;
}

export type ToExec =
  | { type: 'run'; number: number; run: Run }
  /** Queries whether it is still running. Answered by `running`, unless it has ended. */
  | { type: 'query'; number: number }
  /** Stops it after a timeout. `ended` follows. */
  | { type: 'stop'; number: number }
  /** Answered by `pong`. */
  | { type: 'ping' };

export type FromExec =
  /**
   * `startTime`: in clock ticks after boot, field 22 of proc(5)'s stat: distinguishes the process from a later one with
   * its id.
   */
  | { type: 'started'; number: number; pid: number; startTime: string }
  | { type: 'running'; number: number }
  /** All processes of the program have ended. */
  | { type: 'ended'; number: number; verdict: Verdict }
  | { type: 'pong' };
