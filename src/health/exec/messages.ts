// SPDX-License-Identifier: MIT
/** What the checker and its exec helper say to each other, as JSON over the channel of child_process.fork(). */
import type { Verdict } from '../verdict.ts';

export type ToExec =
  | {
      type: 'run';
      number: number;
      command: readonly string[];
      user: string | undefined;
      environment: Readonly<Record<string, string>>;
    }
  /** Its time is over. It still says that it has ended. */
  | { type: 'stop'; number: number };

/** Nothing is left of the program. */
export interface FromExec {
  number: number;
  verdict: Verdict;
}
