// SPDX-License-Identifier: MIT
/** Which keys a check has, when it is laid over the one that it inherits. */
import { listOf } from '../describe.ts';
import type { RawCheck } from '../schema.ts';
import type { Check } from '../types.ts';
import type { Path } from '../yaml/positions.ts';
import type { Context } from './context.ts';

export type CheckType = Check['type'];
type RawMap = Exclude<RawCheck, 'none'>;

/** A check's keys, whatever its type. */
export type Keys = Partial<
  Omit<Extract<RawMap, { type: 'https' }>, 'type'> & Omit<Extract<RawMap, { type: 'exec' }>, 'type'>
>;

/** A `check` as written, where it is written, and what it is laid over. */
export interface Written {
  raw: RawCheck;
  path: Path;
  below: Written | undefined;
}

export interface Inherited {
  type: CheckType;
  keys: Keys;
  /** Keys that are written here, not inherited. */
  own: ReadonlySet<string>;
}

const COMMON_KEYS = ['type', 'interval', 'timeout', 'rise', 'fall', 'start', 'address', 'port', 'bind', 'fwmark'];
const HTTP_KEYS = [...COMMON_KEYS, 'method', 'path', 'host', 'headers', 'status', 'body'];
const KEYS: Readonly<Record<CheckType, ReadonlySet<string>>> = {
  tcp: new Set(COMMON_KEYS),
  http: new Set(HTTP_KEYS),
  https: new Set([...HTTP_KEYS, 'tls']),
  exec: new Set([...COMMON_KEYS, 'command', 'user']),
};

const SILENT: Context = { report: () => {}, maimed: () => false };

/** True where a part of what surrounds `path` was left out: what is missing may have been there. */
export function isMaimed([first, second]: Path, context: Context): boolean {
  return context.maimed('defaults') || context.maimed(String(first), String(second));
}

const isHttp = (type: CheckType) => type === 'http' || type === 'https';

/**
 * undefined: not checked, or it cannot be told how (then that is told). Kin is inherited key by key: the same type, or
 * http and https; from any other nothing is.
 */
export function inherit(written: Written | undefined, context: Context): Inherited | undefined {
  if (!written || written.raw === 'none') return undefined;
  const { raw, path } = written;
  // What is wrong below is told below.
  const base = inherit(written.below, SILENT);
  const type = ('type' in raw ? raw.type : undefined) ?? base?.type;
  if (type === undefined) {
    const text = 'type is missing, and there is no check to lay this over; allowed: tcp, http, https or exec';
    if (!isMaimed(path, context)) context.report(path, text);
    return undefined;
  }
  const kin = base && (base.type === type || (isHttp(base.type) && isHttp(type)));
  const keys: Record<string, unknown> = kin ? { ...base.keys } : {};
  if (type === 'http') delete keys.tls;
  const own = new Set<string>();
  for (const [key, value] of Object.entries(raw)) {
    if (key === 'type') continue;
    if (KEYS[type].has(key)) {
      own.add(key);
      keys[key] = value;
      continue;
    }
    const homes = (Object.keys(KEYS) as CheckType[]).filter((home) => KEYS[home].has(key));
    const text = `found ${key}, a key of ${listOf(homes, 'and')} checks; allowed: those of ${type} checks`;
    context.report([...path, key], text, 'key');
  }
  return { type, keys, own };
}
