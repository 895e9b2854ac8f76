// SPDX-License-Identifier: MIT
/** What the doctor knows, and what it says. */
import type { Destination, IpvsInfo, LocalAddress, Service } from '../../../ipvs/index.ts';

/** One thing looked at. `problem`: something does not work; `note`: worth knowing, or doing. */
export interface Check {
  /** Stable name, for programs. */
  check: string;
  verdict: 'ok' | 'note' | 'problem';
  text: string;
  /** Lines to run or read, as they are. */
  remedy?: string[];
}

/** A prefix that the host takes as its own. */
export interface LocalPrefix {
  address: Uint8Array;
  length: number;
}

export interface ServiceFacts {
  service: Service;
  destinations: Destination[];
  /** Empty on a kernel without FULLNAT. */
  localAddresses: LocalAddress[];
}

/** What was read; undefined where it cannot be known. */
export interface Facts {
  /** `uname -r`. */
  release: string;
  /** The file that modprobe would load. */
  installed: string | undefined;
  /** Whether that file is the module that is loaded. */
  installedIsLoaded: boolean | undefined;
  /** Undefined: ip_vs is not loaded. */
  info: IpvsInfo | undefined;
  services: ServiceFacts[];
  localPrefixes: LocalPrefix[];
  /** Of net.ipv4.vs. */
  portRange: { min: number; max: number } | undefined;
  conntrack: boolean | undefined;
  /** Entries of this network namespace. */
  conntrackEntries: number | undefined;
}
