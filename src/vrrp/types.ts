// SPDX-License-Identifier: MIT
/** The values that the state machine works on. Times are integers in microseconds of a monotonic clock. */
import type { Version } from './timing.ts';

/** RFC 9568's Initialize, Backup and Active; `fault` while something keeps the instance from taking part. */
export type Phase = 'init' | 'backup' | 'master' | 'fault';

/** The part of an instance's configuration that the state machine uses. */
export interface Settings {
  version: Version;
  /** 1 to 254, or 255 for the owner of the addresses. */
  priority: number;
  /** Own advertisement interval. */
  interval: number;
  /** Missed advertisements before a takeover. */
  downAfter: number;
  /** Whether it takes over from a router of lower priority. */
  preempt: boolean;
  /** How long a lower master is left in place after it was first heard. */
  preemptDelay: number;
  /**
   * Time after a start or the end of a fault before the down interval begins. Undefined: none if the carrier was there
   * for 10 s, else three intervals; none for an owner.
   */
  startDelay?: number | undefined;
  /** Belongs to a group, which decides when it takes over. */
  grouped?: boolean | undefined;
  /** RFC 9568 section 6.4.3: answer the advert of a lower router at once. False: RFC 5798, discard it. */
  answerLower: boolean;
}

/** An accepted advertisement. */
export interface Advert {
  priority: number;
  /** The sender's advertisement interval. */
  interval: number;
  source: Uint8Array;
  /** When the kernel received it. */
  at: number;
}

export type Deadline =
  /** A backup takes over. */
  | { kind: 'down'; at: number }
  /** A master sends its next advert. */
  | { kind: 'advert'; at: number }
  /** The end of a fault that has a fixed duration. */
  | { kind: 'recover'; at: number };

export interface State {
  phase: Phase;
  settings: Settings;
  /** Effective priority: the configured one and the weights of what is tracked. */
  priority: number;
  /** Active_Adver_Interval: the master's in a backup, the own one in a master. */
  masterInterval: number;
  deadline: Deadline | undefined;
  /** The last accepted advert of another router; in a backup with priority 0 after its sender has resigned. */
  heard: Advert | undefined;
  /** Until then it does not preempt: after a start and after a yield. */
  holdUntil: number;
  /** End of `preemptDelay`, which runs while a lower master is heard. */
  preemptAt: number | undefined;
  /** False while the configuration's `preempt.after` is not met. */
  ready: boolean;
  /** When it became master. */
  became: number;
  /** When it last sent an advert of its own. */
  sent: number;
  /** When it last fell back to backup, the latest last. */
  fallBacks: readonly number[];
  /** When it last answered another router's advert. */
  answered: number;
  /** An owner that heard another owner with a higher address counts as 254 until then. */
  demotedUntil: number;
  /** The causes that keep it from taking part, as derived from the machine's state: links and what it tracks. */
  causes: readonly string[];
  /** True for a while after an address was removed again and again. */
  takenAway: boolean;
  /** A fault of another member of its group. */
  groupFault: string | undefined;
  /** Member of a group: its down timer has run out since a master was last heard. */
  wants: boolean;
  /** Member of a group: it hears a master that it does not preempt. */
  defers: boolean;
  /** Since when the interface has carrier, as far as known. */
  carrierSince: number;
  /** Own primary address, which breaks ties; undefined while there is none. */
  source: Uint8Array | undefined;
  /** When addresses were found missing, the latest last. */
  lost: readonly number[];
}

export type Event =
  | { kind: 'start' }
  /** The daemon stops, or the instance was removed or replaced. */
  | { kind: 'stop' }
  | { kind: 'advert'; advert: Advert }
  /** The deadline has passed, and every received message was processed. */
  | { kind: 'tick' }
  /** All causes of a fault that hold now, derived anew; none: it takes part. */
  | { kind: 'causes'; causes: readonly string[] }
  | { kind: 'carrier'; since: number }
  /** A fault of another member of its group; undefined: none has one. */
  | { kind: 'group-fault'; cause: string | undefined }
  /** All members of its group can be master. */
  | { kind: 'permit' }
  /** Another member of its group has lost its role. */
  | { kind: 'release'; reason: string }
  | { kind: 'priority'; priority: number }
  /** The same instance with other settings; `addresses`: whether its addresses changed. */
  | { kind: 'configure'; settings: Settings; priority: number; addresses: boolean }
  /** The primary address changed; undefined: there is none. */
  | { kind: 'source'; source: Uint8Array | undefined }
  /** The process did not run for this long. Comes after the messages that waited. */
  | { kind: 'stalled'; by: number }
  /** Another program removed a virtual address. */
  | { kind: 'address-lost'; addresses: readonly string[] }
  /** The carrier came back without a fault, or the MAC address or a bond's active port changed. */
  | { kind: 'link-changed' }
  /** An operator makes this router yield the addresses; it does not preempt for `hold`. */
  | { kind: 'yield'; hold: number }
  /** `preempt.after` is met. */
  | { kind: 'ready' };

export type Action =
  | { do: 'send'; priority: number }
  /** Local addresses of FULLNAT, or virtual addresses. */
  | { do: 'place'; addresses: 'local' | 'virtual' }
  | { do: 'withdraw'; addresses: 'local' | 'virtual' }
  /** Adds new and removes old addresses after a reload, and announces the new ones. */
  | { do: 'replace' }
  /** Puts one address back and announces it. */
  | { do: 'restore'; addresses: readonly string[] }
  /** Role of the kernel's connection sync. */
  | { do: 'sync'; role: 'master' | 'backup' }
  /** `source`: the own address, for unicast peers. */
  | { do: 'announce'; why: 'takeover' | 'contest' | 'source' }
  | { do: 'report'; event: 'state'; from: Phase; to: Phase; reason: string }
  | { do: 'report'; event: 'contested' | 'two-owners' | 'address-restored' | 'interval'; reason: string }
  | { do: 'count'; counter: Counter };

export type Counter = 'self' | 'stranger' | 'late' | 'contested' | 'priority-zero-received';
