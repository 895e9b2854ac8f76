// SPDX-License-Identifier: MIT
/** Messages between the health worker and its thread that runs regular expressions. */

export interface MatchRequest {
  number: number;
  pattern: string;
  /** UTF-8. */
  body: Uint8Array;
}

export interface MatchAnswer {
  number: number;
  /** `starved`: the thread did not get its share of processor time. */
  result: boolean | 'slow' | 'starved';
  /** Milliseconds of processor time of this match. */
  cost: number;
}

/** Milliseconds of processor time for one match. A reasonable expression needs a few for 256 KiB. */
export const MATCH_LIMIT = 100;
