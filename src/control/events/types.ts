// SPDX-License-Identifier: MIT
import type { FailureCode } from '../../base/failure-codes.ts';
import type { Kind } from './kinds.ts';

/** Subject of an event or a log line. A field without a value is left out. */
export type EventFields = {
  /** Name of the VRRP instance in the file. */
  instance?: string | undefined;
  /** Name of the service in the file. */
  service?: string | undefined;
  /** The kernel's service: "tcp 10.99.0.10:443". */
  virtual?: string | undefined;
  /** Name of the real server in the file. */
  server?: string | undefined;
  /** Of a real server "10.31.4.2:8443"; of a virtual or local address "10.99.0.10/32". */
  address?: string | undefined;
  /** The new state: up, down, draining, failed, ... */
  state?: string | undefined;
  reason?: string | undefined;
  /** The kind of a check's failure, from a closed list. */
  code?: FailureCode | undefined;
  /** Quorum: the sum of weights, and the one that it is compared with. Override: the weight that was set. */
  weight?: number | undefined;
  needed?: number | undefined;
  /** The user who requested the change. */
  by?: string | undefined;
  /** An operation that the kernel rejected: its kind, how often it was tried, and seconds until the next attempt. */
  op?: string | undefined;
  attempts?: number | undefined;
  delay?: number | undefined;
  /** A start or a reload: the file, operations that were done, operations that failed. */
  file?: string | undefined;
  operations?: number | undefined;
  failed?: number | undefined;
};

export type Severity = 'info' | 'warning' | 'error';

export interface DaemonEvent extends EventFields {
  /** One more for each event, over restarts of the daemon too. */
  sequence: number;
  /** Eight hexadecimal digits; another one begins when the stored events were lost. */
  epoch: string;
  /** Milliseconds since the epoch. */
  at: number;
  kind: Kind;
  severity: Severity;
  /** One sentence for people. */
  text: string;
}

/**
 * Numbers whose events are no longer available, or may never have been. `cursor`: the reader's one is not of these events;
 * all that are stored follow.
 */
export interface Gap {
  gap: { from: number; to: number } | { cursor: string };
}

export type EventItem = DaemonEvent | Gap;

export const isGap = (item: EventItem): item is Gap => 'gap' in item;
