// SPDX-License-Identifier: MIT
/** A parsed command line. */
import { AF_INET } from '../../base/addresses.ts';
import {
  type DestinationConfig,
  defaultDestination,
  defaultService,
  IP_VS_CONN_F_DROUTE,
  type ServiceConfig,
  type SyncDaemon,
  type Timeouts,
} from '../../ipvs/index.ts';
import type { Filters } from './filters.ts';
import type { CommandName, OptionName } from './options.ts';

export interface Invocation {
  command: CommandName | 'help' | 'version';
  /** The options given, by their names in the option rules. */
  options: Set<OptionName>;
  service: ServiceConfig;
  destination: DestinationConfig;
  daemon: SyncDaemon;
  timeouts: Timeouts;
  localAddress: Uint8Array | undefined;
  /** The argument of --secret or --cookie-secret; '-' is standard input. */
  secretFile: string | undefined;
  /** Parsed last, because the names depend on the scheduler. */
  schedulerFlags: string | undefined;
  /** Filters of a listing; undefined lists everything. */
  filters: Filters | undefined;
  /** Seconds between listings; undefined lists once. */
  watch: number | undefined;
}

export const DEFAULT_SCHEDULER = 'wlc';
export const DEFAULT_MCAST_INTERFACE = 'eth0';

const NOWHERE = new Uint8Array(4);

/** An invocation without options. */
export function newInvocation(command: Invocation['command']): Invocation {
  return {
    command,
    options: new Set(),
    service: defaultService({ family: AF_INET, protocol: 0, address: NOWHERE, port: 0, fwmark: 0 }),
    destination: {
      ...defaultDestination({ family: AF_INET, address: NOWHERE, port: 0 }),
      method: IP_VS_CONN_F_DROUTE,
      weight: 1,
    },
    daemon: { state: 0, interface: '', syncId: 0 },
    timeouts: { tcp: 0, tcpFin: 0, udp: 0 },
    localAddress: undefined,
    secretFile: undefined,
    schedulerFlags: undefined,
    filters: undefined,
    watch: undefined,
  };
}
