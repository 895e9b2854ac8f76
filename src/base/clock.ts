// SPDX-License-Identifier: MIT

/**
 * Milliseconds of a clock that is never set (CLOCK_MONOTONIC), since the start of the process: for everything that
 * decides. Date.now() is for instants that are shown.
 */
export const monotonic = (): number => performance.now();

const sinceBoot = (): number => {
  const [seconds, nanoseconds] = process.hrtime();
  return seconds * 1000 + nanoseconds / 1e6;
};

/** Workers get it from the daemon, so that instants of both can be compared. */
const epoch = Number(process.env.LVSD_EPOCH ?? Number.NaN) || Date.now() - sinceBoot();

/**
 * Milliseconds since the epoch by a clock that is never set: the time of day at the start of lvsd, counted on from there.
 * For instants of which the age is shown.
 */
export const steady = (): number => Math.round(epoch + sinceBoot());

/** The environment that gives a child process the same `steady()`. */
export const clockEnvironment = (): { LVSD_EPOCH: string } => ({ LVSD_EPOCH: String(epoch) });

/** The same instant by all clocks, in milliseconds; `wall` and `steady` since the epoch. */
export interface Instant {
  wall: number;
  monotonic: number;
  /** Default: as `wall`. */
  steady?: number;
}

export const instant = (): Instant => ({ wall: Date.now(), monotonic: monotonic(), steady: steady() });

/** An instant of `steady()` by the time of day as the clock is set now. */
export const wallTime = (at: number, { wall, steady = wall }: Instant = instant()): number => wall - (steady - at);
