// SPDX-License-Identifier: MIT
/** What the daemon remembers from one run to the next, and whether bytes from a file are that. */
import type { TargetState } from '../../health/types.ts';

export interface DaemonState {
  /** Services that lvsd made, by the text of their key. */
  services: string[];
  health: TargetState[];
  /** The operator's drains. */
  overrides: { service: string; server: string }[];
  /** Whether each service, by the text of its key, has its quorum. */
  quorum: { service: string; up: boolean }[];
  /** Real servers that the file no longer has and that keep their connections until then. */
  leaving: LeavingState[];
}

export interface LeavingState {
  /** Text of the service's key. */
  service: string;
  /** Milliseconds since the epoch. */
  until: number;
  /** Whether it was down when it left; undefined: not. */
  down: boolean | undefined;
  /** 4 or 16 bytes in hex. */
  address: string;
  port: number;
  method: number;
  tunnelType: number;
  tunnelPort: number;
  tunnelFlags: number;
}

type Reader<T> = (value: unknown) => T;

/** What does not fit, by the path to it: 'health[3].up is no boolean'. */
export class MisfitError extends Error {}

const misfit = (text: string): never => {
  throw new MisfitError(text);
};

const text: Reader<string> = (value) => (typeof value === 'string' ? value : misfit(' is no text'));
const number: Reader<number> = (value) => (Number.isFinite(value) ? (value as number) : misfit(' is no number'));
const truth: Reader<boolean> = (value) => (typeof value === 'boolean' ? value : misfit(' is no boolean'));

/** Gives what goes wrong inside its place. */
function within<T>(place: string, read: () => T): T {
  try {
    return read();
  } catch (error) {
    throw error instanceof MisfitError ? new MisfitError(`${place}${error.message}`) : error;
  }
}

const list =
  <T>(item: Reader<T>): Reader<T[]> =>
  (value) =>
    Array.isArray(value) ? value.map((each, i) => within(`[${i}]`, () => item(each))) : misfit(' is no list');

/** Keys that are not in the table are left out. */
const object =
  <T extends object>(table: { [K in keyof T]-?: Reader<T[K]> }): Reader<T> =>
  (value) => {
    if (typeof value !== 'object' || value === null || Array.isArray(value)) return misfit(' is no object');
    const given = value as Record<string, unknown>;
    const result: Partial<T> = {};
    for (const key of Object.keys(table) as (keyof T & string)[])
      result[key] = within(`.${key}`, () => table[key](Object.hasOwn(given, key) ? given[key] : undefined));
    return result as T;
  };

const optional =
  <T>(reader: Reader<T>): Reader<T | undefined> =>
  (value) =>
    value === undefined ? undefined : reader(value);

const target = object<TargetState>({
  id: text,
  up: truth,
  streak: number,
  since: number,
  probed: truth,
  last: optional(object<NonNullable<TargetState['last']>>({ at: number, ok: truth, reason: text, latency: number })),
  probes: number,
  failures: number,
});

/** `value` as a state. Throws `MisfitError` that names the place. */
export const readDaemonState: Reader<DaemonState> = object<DaemonState>({
  services: list(text),
  health: list(target),
  overrides: list(object<DaemonState['overrides'][number]>({ service: text, server: text })),
  quorum: list(object<DaemonState['quorum'][number]>({ service: text, up: truth })),
  leaving: list(
    object<LeavingState>({
      ...{ service: text, until: number, down: optional(truth), address: text, port: number, method: number },
      ...{ tunnelType: number, tunnelPort: number, tunnelFlags: number },
    }),
  ),
});
