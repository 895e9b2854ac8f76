// SPDX-License-Identifier: MIT
/**
 * Milliseconds since the epoch by a clock that only goes forward, so that a change of this machine's clock makes nothing old.
 * The page shows instants by the server's clock, whose difference each message tells.
 */
export const clock = (): number => performance.timeOrigin + performance.now();
