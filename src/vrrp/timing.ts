// SPDX-License-Identifier: MIT
/**
 * Intervals of VRRP in microseconds (RFC 9568 section 6.1, RFC 3768 section 6.1). RFC 9568 counts centiseconds;
 * keepalived computes microseconds, and so does lvsd, so that both take over at the same time.
 */

export const SECOND = 1_000_000;

/** The priority of the router that owns the addresses. */
export const OWNER = 255;

export type Version = 2 | 3;

/** Skew_Time: the lower the priority, the longer a backup waits. `interval` is the master's advertisement interval. */
export function skewTime(version: Version, priority: number, interval: number): number {
  return Math.floor(((256 - priority) * (version === 2 ? SECOND : interval)) / 256);
}

/** Active_Down_Interval: silence after which a backup takes over. RFC 9568 has 3 for `adverts`. */
export function downInterval(version: Version, priority: number, interval: number, adverts: number): number {
  return adverts * interval + skewTime(version, priority, interval);
}

/** The priority in effect: an owner's is fixed, others stay within 1 to 254 whatever the weights add. */
export function effectivePriority(base: number, weights: readonly number[]): number {
  if (base === OWNER) return OWNER;
  const sum = weights.reduce((total, weight) => total + weight, base);
  return Math.min(254, Math.max(1, sum));
}
