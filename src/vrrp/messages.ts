// SPDX-License-Identifier: MIT
/** Messages between the daemon and its VRRP process, as JSON over the channel of child_process.fork(). */
import type { Family } from '../base/addresses.ts';
import type { Histogram } from '../base/histogram.ts';
import type { InstanceConfiguration } from './configuration.ts';
import type { TrackedState } from './tracking.ts';
import type { Phase } from './types.ts';

/** Milliseconds between two signs of life. */
export const BEAT = 200;

export type ToVrrp =
  | { type: 'configure'; instances: InstanceConfiguration[] }
  /** Whether services that instances track have their quorum; `checked`: their first checks have been made. */
  | { type: 'services'; up: Record<string, boolean>; checked: boolean }
  /** A master announces its addresses again. */
  | { type: 'announce'; instance: string }
  /** `hold`: milliseconds without preemption. */
  | { type: 'yield'; instance: string; hold: number }
  | { type: 'status'; request: number };

/** The last message that acceptance rejected. */
export interface LastRejection {
  /** One of acceptance's reasons. */
  reason: string;
  text: string;
  source: string;
  /** Milliseconds since the epoch. */
  at: number;
}

export interface InstanceStatus {
  name: string;
  phase: Phase;
  priority: number;
  faults: string[];
  /** The interfaces and services that it tracks, and whether each is up. */
  tracked: TrackedState[];
  /** Counters of adverts and rejections. */
  counters: Record<string, number>;
  /** When the last advert was received, in milliseconds since the epoch; undefined: none yet. */
  lastAdvert: number | undefined;
  /** Undefined: none yet. */
  lastRejected: LastRejection | undefined;
  /** Seconds by which its timers ran late. */
  lateness: Histogram;
}

/** A message that the daemon sends in the name of a process that died. */
export interface LastMessage {
  device: string;
  /** Index of the device. */
  index: number;
  family: Family;
  source: string;
  destination: string;
  /** Base64. */
  message: string;
}

/** Events of an instance that are no transitions. */
export type EventName = 'contested' | 'two-owners' | 'address-restored' | 'interval' | 'priority';

export type FromVrrp =
  /** The process runs; addresses that an earlier one left have been removed. */
  | { type: 'started' }
  /** Sent every `BEAT` milliseconds. */
  | { type: 'beat' }
  /** The adverts of priority 0 to send if this process dies; none while the instance is not master. */
  | { type: 'last-messages'; instance: string; messages: LastMessage[] }
  /** This node has become master of the instance, or is no longer: connection sync follows. */
  | { type: 'role'; instance: string; master: boolean }
  | { type: 'state'; instance: string; from: Phase; to: Phase; reason: string }
  | { type: 'event'; instance: string; event: EventName; reason: string }
  | { type: 'status'; request: number; instances: InstanceStatus[] }
  | { type: 'log'; level: 'error' | 'warn' | 'info'; text: string };
