// SPDX-License-Identifier: MIT

/**
 * Milliseconds since the start of the process by CLOCK_MONOTONIC, which is independent of the time of day: for timers
 * and decisions. Date.now() is for displayed times.
 */
export const monotonic = (): number => performance.now();

const sinceBoot = (): number => {
  const [seconds, nanoseconds] = process.hrtime();
  return seconds * 1000 + nanoseconds / 1e6;
};

/**
 * The time of day at boot by the clock at the start of lvsd. Passed to workers, so that their instants are comparable.
 */
const epoch = Number(process.env.LVSD_EPOCH ?? Number.NaN) || Date.now() - sinceBoot();

/**
 * Milliseconds since the Unix epoch by a clock that setting the time of day does not change: the time of day at the start
 * of lvsd plus the monotonic time since then. For instants whose age is displayed.
 */
export const steady = (): number => Math.round(epoch + sinceBoot());

/** The environment that gives a child process the same `steady()`. */
export const clockEnvironment = (): { LVSD_EPOCH: string } => ({ LVSD_EPOCH: String(epoch) });

/** One instant by each clock, in milliseconds; `wall` and `steady` since the Unix epoch. */
export interface Instant {
  wall: number;
  monotonic: number;
  /** Default: `wall`. */
  steady?: number;
}

/** The present instant by all clocks. */
export const instant = (): Instant => ({ wall: Date.now(), monotonic: monotonic(), steady: steady() });

/** Converts an instant of `steady()` to the time of day by the present setting of the clock. */
export const wallTime = (at: number, { wall, steady = wall }: Instant = instant()): number => wall - (steady - at);
