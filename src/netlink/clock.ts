// SPDX-License-Identifier: MIT
/** A clock and microtasks that cost little at first use, for short-lived programs. */

/** Milliseconds of a monotonic clock. The first use of performance.now() would load a module, which takes 2 ms. */
export function now(): number {
  return 1000 * process.uptime();
}

const resolved = Promise.resolve();

/** Calls `act`, which must not throw, in a microtask. Cheaper at first use than queueMicrotask(). */
export function soon(act: () => void): void {
  void resolved.then(act);
}
