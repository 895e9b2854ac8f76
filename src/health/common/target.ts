// SPDX-License-Identifier: MIT

/** One thing to check, with its kind of check. Equal targets have equal ids and are checked once for all services. */
export interface ProbeTarget<Check> {
  id: string;
  /** The address, as text, and the port to probe. */
  address: string;
  port: number;
  check: Check;
  /** Its state until probes decide. */
  initiallyUp: boolean;
  /** "shop 10.31.4.2:8443", of the first service that has it; for logs and scripts. */
  label: string;
}
