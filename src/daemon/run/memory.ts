// SPDX-License-Identifier: MIT
/** What a restart remembers, between the daemon's terms and the plain data of the state file. */
import { AF_INET, AF_INET6 } from '../../base/addresses.ts';
import type { TargetState } from '../../health/types.ts';
import type { DestinationConfig } from '../../ipvs/index.ts';
import type { Leaving, Override, Situation } from '../service/situation.ts';
import type { SavedState } from '../state-file.ts';

export interface Memory {
  services: readonly string[];
  health: ReadonlyMap<string, TargetState>;
  overrides: readonly Override[];
  quorum: ReadonlyMap<string, boolean>;
  leaving: readonly Leaving[];
}

export const NO_MEMORY: Memory = { services: [], health: new Map(), overrides: [], quorum: new Map(), leaving: [] };

export function toSaved(
  situation: Situation,
  remembered: ReadonlySet<string>,
  health: ReadonlyMap<string, TargetState>,
): SavedState {
  return {
    services: [...remembered],
    health: [...health.values()],
    overrides: situation.overrides,
    quorum: [...situation.quorums].map(([service, up]) => ({ service, up })),
    leaving: situation.leaving.map(({ entry, destination, until }) => ({
      service: entry,
      until,
      ...destination,
      address: Buffer.from(destination.address).toString('hex'),
    })),
  };
}

export function fromSaved(saved: SavedState): Memory {
  return {
    services: saved.services,
    health: new Map(saved.health.map((state) => [state.id, state])),
    overrides: saved.overrides,
    quorum: new Map(saved.quorum.map(({ service, up }) => [service, up])),
    leaving: saved.leaving.flatMap(({ service, until, address, ...rest }) => {
      const bytes = Uint8Array.from(Buffer.from(address, 'hex'));
      const family = bytes.length === 4 ? AF_INET : AF_INET6;
      const destination: DestinationConfig = { ...rest, family, address: bytes };
      return bytes.length === 4 || bytes.length === 16 ? [{ entry: service, destination, until }] : [];
    }),
  };
}
