// SPDX-License-Identifier: MIT
/** Turns of the clock and of the event loop, by the means that a program which runs for a moment can afford. */

/** Milliseconds on a clock that only goes forward. Not performance.now(): its first use loads a module for 2 ms. */
export function now(): number {
  return 1000 * process.uptime();
}

const resolved = Promise.resolve();

/** Calls `act`, which must not throw, in a microtask. Node compiles queueMicrotask() and what it needs at its first call. */
export function soon(act: () => void): void {
  resolved.then(act);
}
