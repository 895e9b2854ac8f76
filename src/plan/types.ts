// SPDX-License-Identifier: MIT
/**
 * What should be in the kernel, what is, and the steps between. Pure data: no sockets, no clocks, no configuration
 * file. Services and addresses are told apart by the texts of `serviceKeyText` and `addressKey`.
 */
import type { Family } from '../base/addresses.ts';
import type {
  Destination,
  DestinationConfig,
  DestinationKey,
  LocalAddress,
  Service,
  ServiceConfig,
  ServiceKey,
  Timeouts,
} from '../ipvs/index.ts';

/** One service as it should be. */
export interface DesiredService extends ServiceConfig {
  /** The file's name for it; several services may share one (a range of ports). */
  name: string;
  destinations: readonly DestinationConfig[];
  /** FULLNAT: the addresses it may use, in order. */
  localAddresses: readonly Uint8Array[];
  /** Seconds; undefined: the global one. Patched kernels with the feature only. */
  establishedTimeout: number | undefined;
}

/** An address that should be on a device. */
export interface DesiredAddress {
  device: string;
  family: Family;
  address: Uint8Array;
  prefix: number;
  purpose: 'virtual' | 'local';
  /** Name of the service or the pool, for people. */
  name: string;
}

export interface Desired {
  services: readonly DesiredService[];
  addresses: readonly DesiredAddress[];
  /** Seconds; 0 leaves one as it is. */
  timeouts: Timeouts;
}

export interface ActualService {
  service: Service;
  destinations: readonly Destination[];
  /** Empty on a kernel without FULLNAT. */
  localAddresses: readonly LocalAddress[];
}

/** An address that is on a device; `ours`: it carries lvsd's IFA_PROTO. */
export interface ActualAddress {
  device: string;
  family: Family;
  address: Uint8Array;
  prefix: number;
  ours: boolean;
}

export interface Actual {
  services: readonly ActualService[];
  addresses: readonly ActualAddress[];
  timeouts: Timeouts;
  /** The kernel's count of changes when the reading began; patched kernel only. */
  generation?: number | undefined;
}

/** What lvsd may take away: everything (`manage: all`), or what it remembers having made. */
export type Ownership = { all: true } | { all: false; services: ReadonlySet<string> };

/** What an operation is about: one service of the kernel, and its name in the file; undefined: it is not in the file. */
interface OfService {
  service: ServiceKey;
  name: string | undefined;
}

/** One request to the kernel. */
export type Operation =
  | {
      op: 'add-address';
      address: DesiredAddress;
      name: string | undefined;
      /** A virtual address whose services all come with this plan (`serviceKeyText`): it needs one that serves. */
      needs?: readonly string[] | undefined;
    }
  | {
      op: 'delete-address';
      address: DesiredAddress | ActualAddress;
      name: string | undefined;
      /** It moves: done only once it is where it shall be. */
      follows?: boolean;
    }
  | { op: 'add-service'; service: DesiredService }
  | { op: 'set-service'; service: DesiredService; was: ServiceConfig }
  | ({ op: 'delete-service' } & OfService)
  | ({
      op: 'add-local-address';
      address: Uint8Array;
      /** It was draining, and is used again. */
      revived: boolean;
      /** The service has no other yet: FULLNAT destinations need one of these. */
      first: boolean;
    } & OfService)
  | ({ op: 'drain-local-address' | 'delete-local-address'; address: Uint8Array } & OfService)
  | ({ op: 'add-destination'; destination: DestinationConfig } & OfService)
  | ({
      op: 'set-destination';
      destination: DestinationConfig;
      was: DestinationConfig;
      /** As of `delete-destination`, where the weight becomes 0. */
      last: boolean;
    } & OfService)
  | ({
      op: 'delete-destination';
      destination: DestinationKey;
      /** All that served before leaves: done only if one of those that replace it could be added. */
      last: boolean;
    } & OfService)
  | { op: 'set-timeouts'; timeouts: Timeouts; was: Timeouts };

export interface Plan {
  /** In the order in which they must be carried out. */
  operations: readonly Operation[];
  /** What waits for something: a local address that drains. Not a difference; looked at again later. */
  waiting: readonly { service: ServiceKey; name: string | undefined; address: Uint8Array; connections: number }[];
}

export interface OperationResult {
  operation: Operation;
  /**
   * undefined: done. 'skipped': not even tried, because an operation that it needs failed before, or because
   * connections appeared that a local address has to wait for.
   */
  error: Error | 'skipped' | undefined;
}
