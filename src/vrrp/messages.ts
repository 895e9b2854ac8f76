// SPDX-License-Identifier: MIT
/** Messages between the daemon and its VRRP process, as JSON over the channel of child_process.fork(). */
import type { InstanceConfiguration } from './configuration.ts';
import type { Phase } from './types.ts';

export type ToVrrp =
  | { type: 'configure'; instances: InstanceConfiguration[] }
  | { type: 'yield'; instance: string }
  | { type: 'status'; request: number };

export interface InstanceStatus {
  name: string;
  phase: Phase;
  priority: number;
  faults: string[];
  /** Counters of adverts and rejections. */
  counters: Record<string, number>;
}

export type FromVrrp =
  /** The process runs; addresses that an earlier one left have been removed. */
  | { type: 'started' }
  | { type: 'state'; instance: string; from: Phase; to: Phase; reason: string }
  | { type: 'event'; instance: string; event: 'contested' | 'two-owners' | 'address-restored'; reason: string }
  | { type: 'status'; request: number; instances: InstanceStatus[] }
  | { type: 'log'; level: 'error' | 'warn' | 'info'; text: string };
