// SPDX-License-Identifier: MIT
/** What a restart remembers, between the daemon's terms and the plain data of the state file. */
import { AF_INET, AF_INET6, type Family } from '../../base/addresses.ts';
import type { TargetState } from '../../health/types.ts';
import type { Leaving } from '../model/draining.ts';
import type { Override, Situation } from '../model/runtime-state.ts';
import type { DaemonState, LeavingState } from './schema.ts';

export interface Memory {
  /** Services that are lvsd's, by `serviceKeyText`. */
  services: readonly string[];
  health: ReadonlyMap<string, TargetState>;
  overrides: readonly Override[];
  quorum: ReadonlyMap<string, boolean>;
  leaving: readonly Leaving[];
}

export const NO_MEMORY: Memory = { services: [], health: new Map(), overrides: [], quorum: new Map(), leaving: [] };

export function toState(
  situation: Situation,
  services: ReadonlySet<string>,
  health: ReadonlyMap<string, TargetState>,
): DaemonState {
  return {
    services: [...services],
    health: [...health.values()],
    overrides: situation.overrides,
    quorum: [...situation.quorums].map(([service, up]) => ({ service, up })),
    leaving: situation.leaving.map(({ entry, destination, until, down }): LeavingState => {
      const { address, port, method, tunnelType, tunnelPort, tunnelFlags } = destination;
      const hex = Buffer.from(address).toString('hex');
      return { service: entry, until, down, address: hex, port, method, tunnelType, tunnelPort, tunnelFlags };
    }),
  };
}

export function fromState(state: DaemonState): Memory {
  return {
    services: state.services,
    health: new Map(state.health.map((one) => [one.id, one])),
    overrides: state.overrides,
    quorum: new Map(state.quorum.map(({ service, up }) => [service, up])),
    leaving: state.leaving.flatMap(leavingOf),
  };
}

function leavingOf({ service, until, down = false, address: hex, ...rest }: LeavingState): Leaving[] {
  const address = Uint8Array.from(Buffer.from(hex, 'hex'));
  if (address.length !== 4 && address.length !== 16) return [];
  const family: Family = address.length === 4 ? AF_INET : AF_INET6;
  const destination = { ...rest, family, address, weight: 0, upperThreshold: 0, lowerThreshold: 0 };
  return [{ entry: service, destination, until, down }];
}
