// SPDX-License-Identifier: MIT
/** Facts that the doctor gathers, and checks that it reports. */
import type { Destination, IpvsInfo, LocalAddress, Service } from '../../../ipvs/index.ts';

/** A result. `problem`: something does not work; `note`: information, or a recommendation. */
export interface Check {
  /** Stable name, for programs. */
  check: string;
  verdict: 'ok' | 'note' | 'problem';
  text: string;
  /** Commands or hints, one per line. */
  remedy?: string[];
}

/** A prefix of the host's local routes. */
export interface LocalPrefix {
  address: Uint8Array;
  length: number;
}

/** A route to a real server. */
export interface Route {
  device: string | undefined;
  /** Undefined: in the same network. */
  gateway: string | undefined;
}

export interface ServiceFacts {
  service: Service;
  destinations: Destination[];
  /** Empty on a kernel without FULLNAT. */
  localAddresses: LocalAddress[];
}

/** Undefined: unknown. */
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
  /** IPv6 addresses of the host, in hex. */
  localAddresses6: ReadonlySet<string>;
  forwarding: { ipv4: boolean | undefined; ipv6: boolean | undefined };
  /** Devices with a strict reverse path filter. */
  reversePathStrict: string[] | undefined;
  /** By the address of a real server; one without a route is missing. */
  routes: ReadonlyMap<string, Route> | undefined;
  /** Other programs that change IPVS's table. */
  others: { name: string; pid: number }[];
  /** Of net.ipv4.vs. */
  portRange: { min: number; max: number } | undefined;
  conntrack: boolean | undefined;
  /** Of net.ipv4.vs, by name; without those that are unknown. */
  sysctls?: Readonly<Partial<Record<string, string>>>;
  /** Entries of this network namespace. */
  conntrackEntries: number | undefined;
  /** Whether conntrack takes segments of unknown connections for new ones. */
  conntrackLoose?: boolean | undefined;
}
