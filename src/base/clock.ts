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
 * The time of day at boot by the clock at the start of lvsd. Passed to the health worker, so that its instants are
 * comparable.
 */
let epoch = Date.now() - sinceBoot();

/**
 * Milliseconds since the Unix epoch by a clock that setting the time of day does not change: the time of day at the start
 * of lvsd plus the monotonic time since then. For instants whose age is displayed.
 */
export const steady = (): number => Math.round(epoch + sinceBoot());

/** The argument that gives a child process the same `steady()` by `adoptClock`. */
export const clockArgument = (): string => String(epoch);

/** No effect for another text than that of `clockArgument`. Call it before the first use of `steady()`. */
export function adoptClock(argument: string | undefined): void {
  epoch = Number(argument) || epoch;
}

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

/** Converts an instant of `monotonic()` to the time of day by the present setting of the clock, for display. */
export const wallOfMonotonic = (at: number, now: Instant = instant()): number =>
  Math.round(now.wall - (now.monotonic - at));
