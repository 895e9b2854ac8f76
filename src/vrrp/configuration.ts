// SPDX-License-Identifier: MIT
/** The configuration of an instance as the VRRP process gets it: resolved, as JSON, times in microseconds. */
import { type Family, parseAddress } from '../base/addresses.ts';
import type { Purpose, Scope } from '../net/index.ts';
import type { Tracked } from './tracking.ts';
import type { Settings } from './types.ts';

export interface PlacedAddress {
  /** Address as text, without a prefix. */
  address: string;
  prefix: number;
  /** Default: the instance's interface. */
  device?: string;
  /** Default: virtual. Decides the scope, unless that is given. */
  purpose?: Purpose;
  /** IFA_LABEL of an IPv4 address, 1 to 15 characters. */
  label?: string;
  /** Of an IPv4 address. */
  scope?: Scope;
}

export interface InstanceConfiguration {
  name: string;
  interface: string;
  family: Family;
  virtualRouterId: number;
  settings: Settings;
  /** Advertised in this order. */
  addresses: readonly PlacedAddress[];
  /** Not advertised: addresses that do not fit or that are of the other family. */
  extraAddresses: readonly PlacedAddress[];
  /** Local addresses of FULLNAT that follow the instance. */
  localAddresses: readonly PlacedAddress[];
  /** Its group; all members of a group have one role. */
  group?: string;
  /** Does not preempt before the first results of health checks are in. */
  waitsForChecks?: boolean;
  /** Interfaces and services on which it depends, besides its own interface. */
  track: readonly Tracked[];
  /** Source of adverts; default: the lowest usable address of the interface. */
  source?: string;
  /** Unicast peers; undefined: multicast. */
  peers?: readonly { address: string; minTtl?: number; maxTtl?: number }[];
  fromAnywhere: boolean;
  /** Version 2: at most 8 characters. */
  password?: string;
  checksumWithoutPseudoHeader: boolean;
  /** Rounds of announcements; milliseconds. */
  announce: { repeat: number; interval: number; delay: number };
}

/** Bytes of an address that the configuration has validated. */
export function addressBytes(text: string): Uint8Array {
  const parsed = parseAddress(text);
  if (parsed === undefined) throw new TypeError(`not an address: ${text}`);
  return parsed.bytes;
}

/** The key by which an instance stays the same over a reload, whatever its name. */
export function identity(configuration: InstanceConfiguration): string {
  const { interface: device, family, virtualRouterId, settings, source, peers } = configuration;
  const mode = peers === undefined ? 'multicast' : `unicast ${source ?? ''}`;
  return [device, family, virtualRouterId, settings.version, mode].join(' ');
}
