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
}

/** What lvsd may take away: everything (`manage: all`), or what it remembers having made. */
export type Ownership = { all: true } | { all: false; services: ReadonlySet<string> };

/** One netlink request. `service` is the name for people; undefined for what belongs to none. */
export type Operation =
  | { op: 'add-address' | 'delete-address'; address: DesiredAddress | ActualAddress; name: string | undefined }
  | { op: 'add-service'; service: DesiredService }
  | { op: 'set-service'; service: DesiredService; was: ServiceConfig }
  | { op: 'delete-service'; service: ServiceKey; name: string | undefined }
  | { op: 'add-local-address'; service: ServiceKey; name: string | undefined; address: Uint8Array }
  | {
      op: 'drain-local-address' | 'delete-local-address';
      service: ServiceKey;
      name: string | undefined;
      address: Uint8Array;
    }
  | { op: 'add-destination'; service: ServiceKey; name: string | undefined; destination: DestinationConfig }
  | {
      op: 'set-destination';
      service: ServiceKey;
      name: string | undefined;
      destination: DestinationConfig;
      was: DestinationConfig;
    }
  | { op: 'delete-destination'; service: ServiceKey; name: string | undefined; destination: DestinationKey }
  | { op: 'set-timeouts'; timeouts: Timeouts; was: Timeouts };

export interface Plan {
  /** In the order in which they must be carried out. */
  operations: readonly Operation[];
  /** What waits for something: a local address that drains. Not a difference; looked at again later. */
  waiting: readonly { service: ServiceKey; name: string | undefined; address: Uint8Array; connections: number }[];
}

export interface OperationResult {
  operation: Operation;
  /** undefined: done. 'skipped': an operation of the same service that it needs failed before. */
  error: Error | 'skipped' | undefined;
}
