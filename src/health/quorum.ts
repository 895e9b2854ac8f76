// SPDX-License-Identifier: MIT
/** Decides whether a service has its quorum. Pure. */

/**
 * Whether the service has its quorum with `weight`, the sum of the weights of real servers that are up. It is gained at
 * quorum + hysteresis and lost below quorum - hysteresis, and always lost with weight 0. Without a previous state
 * (`before` undefined), `quorum` is enough.
 */
export function nextQuorum(before: boolean | undefined, weight: number, quorum: number, hysteresis: number): boolean {
  if (weight <= 0) return false;
  if (before === undefined) return weight >= quorum;
  return before ? weight >= quorum - hysteresis : weight >= quorum + hysteresis;
}
