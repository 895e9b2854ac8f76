// SPDX-License-Identifier: MIT

/**
 * Milliseconds of a clock that is never set (CLOCK_MONOTONIC), since the start of the process: for everything that
 * decides. Date.now() is for instants that are shown.
 */
export const monotonic = (): number => performance.now();

/** The same instant by both clocks, in milliseconds; `wall` since the epoch. */
export interface Instant {
  wall: number;
  monotonic: number;
}

export const instant = (): Instant => ({ wall: Date.now(), monotonic: monotonic() });
