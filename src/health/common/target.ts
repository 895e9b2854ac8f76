// SPDX-License-Identifier: MIT

/** The target of a probe, without its check. */
export interface ProbeSubject {
  /** The address, as text, and the port to probe. */
  address: string;
  port: number;
  /** "shop 10.31.4.2:8443", of the first service that has it; for logs and scripts. */
  label: string;
}

/** One thing to check, with its kind of check. Equal targets have equal ids and are checked once for all services. */
export interface ProbeTarget<Check> extends ProbeSubject {
  id: string;
  check: Check;
  /** Its state until probes decide. */
  initiallyUp: boolean;
}
