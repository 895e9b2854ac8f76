// SPDX-License-Identifier: MIT
/** State that survives a restart: converts between the daemon's objects and the plain data of the state file. */
import { AF_INET, AF_INET6, type Family } from '../../base/addresses.ts';
import { type Instant, instant, wallTime } from '../../base/clock.ts';
import type { TargetState, TargetStates } from '../../health/types.ts';
import { defaultDestination } from '../../ipvs/index.ts';
import type { DrainingServer } from '../model/draining.ts';
import { kindOf, type Override } from '../model/overrides.ts';
import type { RuntimeState } from '../model/runtime-state.ts';
import type { ChangedSysctl, SysctlName } from '../reconcile/sysctls.ts';
import type { DrainingState, StateToWrite } from './schema.ts';

export interface Snapshot {
  /** Services that lvsd owns, by `serviceKeyText`. */
  services: readonly string[];
  health: ReadonlyMap<string, TargetState>;
  overrides: readonly Override[];
  quorum: ReadonlyMap<string, boolean>;
  draining: readonly DrainingServer[];
  sysctls: readonly ChangedSysctl[];
  /** Whether lvsd has started sync daemons of the kernel. */
  sync: boolean;
}

export const EMPTY_SNAPSHOT: Snapshot = {
  services: [],
  health: new Map(),
  overrides: [],
  quorum: new Map(),
  draining: [],
  sysctls: [],
  sync: false,
};

/** The state of the daemon as data. `owned`: keys of services; `health`: with instants of `steady()`. */
export function toState(
  runtime: RuntimeState,
  owned: ReadonlySet<string>,
  health: TargetStates,
  now: Instant = instant(),
  sysctls: readonly ChangedSysctl[] = [],
): StateToWrite {
  const overrides = savedOverrides(runtime.overrides, now);
  return {
    services: [...owned],
    health: savedHealth(health, now),
    written: now.wall,
    ...savedSysctls(sysctls),
    sync: runtime.ownsSync,
    overrides: overrides.filter((one) => kindOf(one) === 'drain'),
    settings: overrides.filter((one) => kindOf(one) !== 'drain'),
    quorum: [...runtime.quorums].map(([service, up]) => ({ service, up })),
    leaving: runtime.draining.map(({ service, destination, name, until, wasDown }): DrainingState => {
      const { address, port, method, tunnelType, tunnelPort, tunnelFlags } = destination;
      const hex = Buffer.from(address).toString('hex');
      const left = Math.round(until - now.monotonic);
      return {
        service,
        until: now.wall + left,
        left,
        down: wasDown,
        address: hex,
        port,
        method,
        tunnelType,
        tunnelPort,
        tunnelFlags,
        name,
      };
    }),
  };
}

/** The settings of the first release, which accepts no other names, and numbers only. */
const FIRST_SYSCTLS: readonly SysctlName[] = ['expire_quiescent_template', 'expire_nodest_conn'];

function savedSysctls(changed: readonly ChangedSysctl[]): Pick<StateToWrite, 'sysctls' | 'moreSysctls'> {
  const isFirst = ({ name, was }: ChangedSysctl) => FIRST_SYSCTLS.includes(name) && /^\d{1,10}$/.test(was);
  return {
    sysctls: changed.filter(isFirst).map(({ name, was }) => ({ name, was: Number(was) })),
    moreSysctls: changed.filter((one) => !isFirst(one)),
  };
}

/** Made one at a time, when they are written: there are tens of thousands. */
function savedHealth(health: TargetStates, now: Instant): Iterable<TargetState> {
  return {
    *[Symbol.iterator]() {
      for (const state of health.values()) yield moved(state, (at) => wallTime(at, now));
    },
  };
}

/** `age`: milliseconds since the file was written. */
export function fromState(state: StateToWrite, age = 0, now: Instant = instant()): Snapshot {
  return {
    services: state.services,
    health: new Map(Array.from(state.health, (one) => [one.id, moved(one, (at) => steadyTime(at, state, age, now))])),
    overrides: [...state.overrides, ...(state.settings ?? [])].map((one) =>
      dated(one, (at) => steadyTime(at, state, age, now)),
    ),
    quorum: new Map(state.quorum.map(({ service, up }) => [service, up])),
    draining: state.leaving.flatMap((one) => drainingServer(one, age, now)),
    sysctls: [...(state.sysctls ?? []), ...(state.moreSysctls ?? [])].map(({ name, was }) => ({
      name,
      was: String(was),
    })),
    sync: state.sync ?? false,
  };
}

/** Overrides as they are in files: with the time of day, which a reboot does not end. */
export const savedOverrides = (all: readonly Override[], now: Instant = instant()): Override[] =>
  all.map((one) => dated(one, (at) => wallTime(at, now)));

/** The same override with its instant converted. */
const dated = (one: Override, convert: (at: number) => number): Override =>
  one.at === undefined ? one : { ...one, at: convert(one.at) };

/** The same state with its instants converted. */
function moved(state: TargetState, convert: (at: number) => number): TargetState {
  const { since, last } = state;
  return { ...state, since: convert(since), last: last && { ...last, at: convert(last.at) } };
}

/** An instant of the file by the clock `steady()`, whatever the time of day was set to meanwhile. */
function steadyTime(at: number, { written }: StateToWrite, age: number, { wall, steady = wall }: Instant): number {
  return steady - age - ((written ?? wall - age) - at);
}

function drainingServer(state: DrainingState, age: number, now: Instant): DrainingServer[] {
  const { service, until, left = until - now.wall + age, down = false, address: hex, name, ...rest } = state;
  const address = Uint8Array.from(Buffer.from(hex, 'hex'));
  if (address.length !== 4 && address.length !== 16) return [];
  const family: Family = address.length === 4 ? AF_INET : AF_INET6;
  const destination = { ...defaultDestination({ family, address, port: rest.port }), ...rest };
  return [{ service, destination, name, until: now.monotonic + left - age, wasDown: down }];
}
