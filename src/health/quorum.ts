// SPDX-License-Identifier: MIT
/** Whether a service has real servers enough. Pure. */

/**
 * The quorum after `weight`, the sum of the weights of the real servers that are up. It is gained from
 * quorum + hysteresis on, and lost below quorum - hysteresis; without any weight it is always lost. `before` undefined:
 * a service of which nothing is known yet has it from `quorum` on.
 */
export function nextQuorum(before: boolean | undefined, weight: number, quorum: number, hysteresis: number): boolean {
  if (weight <= 0) return false;
  if (before === undefined) return weight >= quorum;
  return before ? weight >= quorum - hysteresis : weight >= quorum + hysteresis;
}
