// SPDX-License-Identifier: MIT
/**
 * Desired state, actual state, and the operations between them, as plain data. Services and addresses are identified by
 * `serviceKeyText` and `addressKey`.
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
  SyncDaemon,
  Timeouts,
} from '../ipvs/index.ts';

/** A service that should be in the kernel. */
export interface DesiredService extends ServiceConfig {
  /** Name in the file. The services of a range of ports share one. */
  name: string;
  destinations: readonly DestinationConfig[];
  /** For FULLNAT, in order. */
  localAddresses: readonly Uint8Array[];
  /** Seconds; undefined: the global timeout. Only for kernels with that feature. */
  establishedTimeout: number | undefined;
}

/** An address that should be on a device. */
export interface DesiredAddress {
  device: string;
  family: Family;
  address: Uint8Array;
  prefix: number;
  purpose: 'virtual' | 'local';
  /** Name of the service or the pool in the file. */
  name: string;
}

export interface Desired {
  services: readonly DesiredService[];
  addresses: readonly DesiredAddress[];
  /** Seconds; 0 leaves a timeout unchanged. */
  timeouts: Timeouts;
  /** Local addresses that another process places: ours with the same bytes are removed, although services use them. */
  followed?: readonly Uint8Array[] | undefined;
  /** Connection sync, at most one daemon for each role; undefined: whatever runs is left alone. */
  syncDaemons?: readonly SyncDaemon[] | undefined;
}

export interface ActualService {
  service: Service;
  destinations: readonly Destination[];
  /** Empty on a kernel without FULLNAT. */
  localAddresses: readonly LocalAddress[];
}

/** An address on a device; `ours`: it has lvsd's IFA_PROTO. */
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
  /** Undefined: not read. */
  syncDaemons?: readonly SyncDaemon[] | undefined;
  /** The kernel's generation when the read began; patched kernels only. */
  generation?: number | undefined;
}

/** Services that lvsd may delete: all (`manage: all`), or the services that it owns. */
export type Ownership = { all: true } | { all: false; services: ReadonlySet<string> };

/** The kernel's service that an operation is about, and its name in the file if it has one. */
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
      /**
       * Of a virtual address all of whose services are added by this plan (`serviceKeyText`): one of them must serve.
       */
      needs?: readonly string[] | undefined;
      /**
       * Of a virtual address whose services have FULLNAT, and local addresses of which none is on a device yet
       * (`bytesKey`): it suffices as well that one of these could be added.
       */
      needsLocal?: readonly string[] | undefined;
    }
  | {
      op: 'delete-address';
      address: DesiredAddress | ActualAddress;
      name: string | undefined;
      /** It moves to another device: deleted only after it was added there. */
      follows?: boolean;
    }
  | { op: 'add-service'; service: DesiredService }
  | { op: 'set-service'; service: DesiredService; was: ServiceConfig }
  | ({ op: 'delete-service' } & OfService)
  | ({
      op: 'add-local-address';
      address: Uint8Array;
      /** It was draining and is used again. */
      revived: boolean;
      /** The service has no other one yet: FULLNAT destinations need one of these. */
      first: boolean;
    } & OfService)
  | ({
      op: 'drain-local-address';
      address: Uint8Array;
      /** All local addresses in use are replaced: done only if a replacement could be added. */
      last?: boolean | undefined;
    } & OfService)
  | ({ op: 'delete-local-address'; address: Uint8Array } & OfService)
  | ({ op: 'add-destination'; destination: DestinationConfig } & OfService)
  | ({
      op: 'set-destination';
      destination: DestinationConfig;
      was: DestinationConfig;
      /** As for `delete-destination`, if the weight becomes 0. */
      last: boolean;
    } & OfService)
  | ({
      op: 'delete-destination';
      destination: DestinationKey;
      /** All destinations that served are replaced: done only if a replacement could be added. */
      last: boolean;
    } & OfService)
  | { op: 'set-timeouts'; timeouts: Timeouts; was: Timeouts }
  | { op: 'start-sync' | 'stop-sync'; daemon: SyncDaemon };

export interface Plan {
  /** In the order in which they must be applied. */
  operations: readonly Operation[];
  /** Local addresses that drain. Not a difference: compare again when their connections have ended. */
  waiting: readonly { service: ServiceKey; name: string | undefined; address: Uint8Array; connections: number }[];
}

export interface OperationResult {
  operation: Operation;
  /**
   * undefined: done. 'skipped': not attempted, because an operation that it depends on failed, or because a local
   * address has connections again.
   */
  error: Error | 'skipped' | undefined;
}
