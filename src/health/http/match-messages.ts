// SPDX-License-Identifier: MIT
/** Between the checker and its thread that runs regular expressions. */

export interface MatchRequest {
  number: number;
  pattern: string;
  /** UTF-8. */
  body: Uint8Array;
}

export interface MatchAnswer {
  number: number;
  /** `starved`: the thread was not given the time that it may use. */
  result: boolean | 'slow' | 'starved';
}

/** Milliseconds of the processor's time that one match may take. A sane expression needs a few of them for 256 KiB. */
export const MATCH_LIMIT = 100;
