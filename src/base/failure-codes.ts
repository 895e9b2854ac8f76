// SPDX-License-Identifier: MIT
/** Codes of failed checks: a closed list for programs, which labels of metrics and events' fields use. */

export const FAILURE_CODES = [
  'refused',
  'timeout',
  'reset',
  'unreachable',
  'closed',
  'status',
  'body',
  'too_long',
  'protocol',
  'tls',
  'certificate',
  'exit_status',
  'signal',
  /** Reserved: checks take addresses, not names. */
  'dns',
  /** A reason of this machine. */
  'local',
  'other',
] as const;

export type FailureCode = (typeof FAILURE_CODES)[number];

/** A code of another version of lvsd counts as 'other'. */
export const failureCode = (text: string): FailureCode => FAILURE_CODES.find((code) => code === text) ?? 'other';
