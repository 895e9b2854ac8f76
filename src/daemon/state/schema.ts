// SPDX-License-Identifier: MIT
/** The content of the state file, and the readers that validate it. */
import { AF_INET, AF_INET6, parseAddress } from '../../base/addresses.ts';
import { type FailureCode, failureCode } from '../../base/failure-codes.ts';
import type { TargetState } from '../../health/types.ts';
import type { LastMessage } from '../../vrrp/messages.ts';
import { MOST_WEIGHT, OVERRIDE_KINDS, type Override, type OverrideKind } from '../model/overrides.ts';
import { SYSCTL_NAMES, type SysctlName } from '../reconcile/sysctls.ts';

/**
 * Versions read each other's files, as far as that is possible: fields are only added, and none gets another type. What an
 * older version would not accept is in a field of its own, which it leaves out.
 */
export interface DaemonState {
  /** Services that lvsd owns, by `serviceKeyText`. */
  services: string[];
  health: TargetState[];
  /** Settings of the kernel that lvsd changed, with their values before: those that the first release has, as numbers. */
  sysctls?: SavedSysctl[] | undefined;
  /** All others. */
  moreSysctls?: SavedSysctl[] | undefined;
  /** Whether lvsd has started sync daemons of the kernel. */
  sync?: boolean | undefined;
  /** Milliseconds since the epoch, as the clock was when the file was written; that of `health` as well. */
  written?: number | undefined;
  /** Drains by operators. */
  overrides: Override[];
  /** All other overrides: an older version takes each of `overrides` for a drain. */
  settings?: Override[] | undefined;
  /** Of a file that was read: those of `settings` whose kind only a later version has, 'shop 10.31.4.2:80 (pin)'. */
  unknown?: string[] | undefined;
  /** Whether each service, by `serviceKeyText`, has its quorum. */
  quorum: { service: string; up: boolean }[];
  /** Real servers that were removed from the file and drain. */
  leaving: DrainingState[];
}

export interface SavedSysctl {
  name: SysctlName;
  was: string | number;
}

/** States of targets are made while they are written. */
export type StateToWrite = Omit<DaemonState, 'health'> & { health: Iterable<TargetState> };

export interface DrainingState {
  /** `serviceKeyText`. */
  service: string;
  /** Milliseconds since the epoch, as the clock was when the file was written. */
  until: number;
  /**
   * Milliseconds until then, when the file was written: unlike `until` it does not depend on a clock that can be set.
   */
  left?: number | undefined;
  /** Whether it was down when it was removed; undefined: it was not. */
  down: boolean | undefined;
  /** 4 or 16 bytes in hex. */
  address: string;
  port: number;
  method: number;
  tunnelType: number;
  tunnelPort: number;
  tunnelFlags: number;
  /** Its name in the file. */
  name?: string | undefined;
}

type Reader<T> = (value: unknown) => T;

/** A value of the wrong type, with the path to it: 'health[3].up is not a boolean'. */
export class MismatchError extends Error {}

const mismatch = (text: string): never => {
  throw new MismatchError(text);
};

const text: Reader<string> = (value) => (typeof value === 'string' ? value : mismatch(' is not a string'));
const number: Reader<number> = (value) => (Number.isFinite(value) ? (value as number) : mismatch(' is not a number'));
const truth: Reader<boolean> = (value) => (typeof value === 'boolean' ? value : mismatch(' is not a boolean'));

/** Prefixes the place to a mismatch in `read`. */
function within<T>(place: string, read: () => T): T {
  try {
    return read();
  } catch (error) {
    throw error instanceof MismatchError ? new MismatchError(`${place}${error.message}`) : error;
  }
}

const list =
  <T>(item: Reader<T>): Reader<T[]> =>
  (value) =>
    Array.isArray(value) ? value.map((each, i) => within(`[${i}]`, () => item(each))) : mismatch(' is not a list');

/** Keys that are not in the tables are left out. `later`: keys that files of older versions lack. */
const object =
  <T extends object, Later extends keyof T = never>(
    table: { [K in Exclude<keyof T, Later>]-?: Reader<T[K]> },
    later = {} as { [K in Later]-?: Reader<NonNullable<T[K]>> },
  ): Reader<T> =>
  (value) => {
    if (typeof value !== 'object' || value === null || Array.isArray(value)) return mismatch(' is not an object');
    const given = value as Record<string, unknown>;
    const result: Partial<T> = {};
    for (const key of Object.keys(table) as (Exclude<keyof T, Later> & string)[])
      result[key] = within(`.${key}`, () => table[key](Object.hasOwn(given, key) ? given[key] : undefined));
    for (const key of Object.keys(later) as (Later & string)[])
      if (Object.hasOwn(given, key)) result[key] = within(`.${key}`, () => later[key](given[key] as T[Later]));
    return result as T;
  };

const optional =
  <T>(reader: Reader<T>): Reader<T | undefined> =>
  (value) =>
    value === undefined ? undefined : reader(value);

const code: Reader<FailureCode> = (value) => failureCode(text(value));

const target = object<TargetState>({
  id: text,
  up: truth,
  streak: number,
  since: number,
  probed: truth,
  last: optional(
    object<NonNullable<TargetState['last']>, 'code'>(
      { at: number, ok: truth, reason: text, latency: number },
      { code: optional(code) as Reader<FailureCode> },
    ),
  ),
  probes: number,
  failures: number,
});

const address: Reader<string> = (value) =>
  parseAddress(text(value)) === undefined ? mismatch(' is not an address') : (value as string);

const kind: Reader<OverrideKind> = (value) => {
  return OVERRIDE_KINDS.find((one) => one === value) ?? mismatch(` is none of ${OVERRIDE_KINDS.join(', ')}`);
};

const weight: Reader<number> = (value) =>
  Number.isInteger(value) && (value as number) >= 0 && (value as number) <= MOST_WEIGHT
    ? (value as number)
    : mismatch(' is not a weight');

const override = object<Override, 'kind' | 'weight' | 'by' | 'at' | 'reason' | 'virtuals'>(
  { service: text, server: text },
  { kind, weight, by: text, at: number, reason: text, virtuals: list(text) },
);

const settingValue: Reader<string | number> = (value) => (typeof value === 'number' ? number(value) : text(value));

const rawSysctls = list(object<{ name: string; was: string | number }>({ name: text, was: settingValue }));

/** Without those that only a later version has. */
const sysctls: Reader<SavedSysctl[]> = (value) =>
  rawSysctls(value).flatMap(({ name, was }) => {
    const known = SYSCTL_NAMES.find((one) => one === name);
    return known === undefined ? [] : [{ name: known, was }];
  });

/** The kind of an override, if only a later version has it. */
function laterKind(value: unknown): string | undefined {
  const { kind: given } = (value ?? {}) as { kind?: unknown };
  return typeof given === 'string' && OVERRIDE_KINDS.every((one) => one !== given) ? given : undefined;
}

const isLater = (value: unknown): boolean => laterKind(value) !== undefined;

/** Without those whose kind only a later version has: one of them must not take the others' effect. */
const settings: Reader<Override[]> = (value) =>
  list(override)(Array.isArray(value) ? value.filter((one) => !isLater(one)) : value);

const laterSettings: Reader<string[]> = (value) =>
  list(object<{ service: string; server: string; kind: string }>({ service: text, server: text, kind: text }))(
    Array.isArray(value) ? value.filter(isLater) : value,
  ).map(({ service, server, kind: given }) => `${service} ${server} (${given})`);

/** The content of the file of a VRRP master's last messages. Throws `MismatchError`. */
export const readLastMessages: Reader<{ messages: LastMessage[] }> = object<{ messages: LastMessage[] }>({
  messages: list(
    object<LastMessage>({
      device: text,
      index: number,
      family: (value) => (value === AF_INET || value === AF_INET6 ? value : mismatch(' is not a family')),
      source: address,
      destination: address,
      message: text,
    }),
  ),
});

/** The content of the file of overrides. Throws `MismatchError`. */
export const readOverrideList: Reader<{ overrides: Override[] }> = object<{ overrides: Override[] }>({
  overrides: list(override),
});

/** Throws `MismatchError`. */
export const readDaemonState: Reader<DaemonState> = (value) => {
  const state = readFields(value);
  const unknown = state.settings && within('.settings', () => laterSettings((value as DaemonState).settings));
  return unknown && unknown.length > 0 ? { ...state, unknown } : state;
};

type Later = 'written' | 'settings' | 'sysctls' | 'moreSysctls' | 'sync';

const readFields = object<Omit<DaemonState, 'unknown'>, Later>(
  {
    services: list(text),
    health: list(target),
    overrides: list(override),
    quorum: list(object<DaemonState['quorum'][number]>({ service: text, up: truth })),
    leaving: list(
      object<DrainingState>({
        service: text,
        until: number,
        left: optional(number),
        down: optional(truth),
        name: optional(text),
        address: text,
        port: number,
        method: number,
        tunnelType: number,
        tunnelPort: number,
        tunnelFlags: number,
      }),
    ),
  },
  {
    written: number,
    sync: truth,
    settings,
    sysctls,
    moreSysctls: sysctls,
  },
);
