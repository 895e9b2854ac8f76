// SPDX-License-Identifier: MIT
/** What every check has, whatever it speaks. Times are milliseconds. */

export interface CommonCheck {
  /** From the start of one probe to the start of the next. */
  interval: number;
  /** A probe that has no answer by then has failed; never more than `interval`. */
  timeout: number;
  /** Successes in a row that bring a real server up. */
  rise: number;
  /** Failures in a row that take it down. */
  fall: number;
  /** What it counts as before the first probe: as it is in the kernel, up, or down. */
  start: 'auto' | 'up' | 'down';
  /** Where to probe instead of the real server's own address and port; port 0 is its own. */
  address: string | undefined;
  port: number;
  /** Source address of probes. */
  bind: string | undefined;
  /** SO_MARK of probes; 0 for none. */
  fwmark: number;
}
