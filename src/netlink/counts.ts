// SPDX-License-Identifier: MIT
/** What this process has counted of netlink, for metrics. */

export const netlinkCounts = {
  /** Answers with an error, by errno. */
  errors: new Map<number, number>(),
  /** Messages were lost, because they were not read in time. */
  overruns: 0,
  /** Dumps that were read again, because the table changed meanwhile. */
  dumpRetries: 0,
};

export function countNetlinkError(errno: number): void {
  netlinkCounts.errors.set(errno, (netlinkCounts.errors.get(errno) ?? 0) + 1);
}
