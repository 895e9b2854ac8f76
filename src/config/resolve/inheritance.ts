// SPDX-License-Identifier: MIT
/** Which keys a check has, when it is laid over the one that it inherits. */
import { listOf } from '../describe.ts';
import type { RawCheck } from '../schema.ts';
import type { Check } from '../types.ts';
import type { Path } from '../yaml/positions.ts';

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

const isHttp = (type: CheckType) => type === 'http' || type === 'https';

/**
 * undefined: not checked, or it cannot be told how (then that is told). Kin is inherited key by key: the same type, or
 * http and https; from any other nothing is.
 */
export function inherit(
  written: Written | undefined,
  report: (path: Path, text: string) => void,
): Inherited | undefined {
  if (!written || written.raw === 'none') return undefined;
  const { raw, path } = written;
  // What is wrong below is told below.
  const base = inherit(written.below, () => {});
  const type = ('type' in raw ? raw.type : undefined) ?? base?.type;
  if (type === undefined) {
    report(path, 'type is missing, and there is no check above to lay this over; allowed: tcp, http, https or exec');
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
    report([...path, key], `found a key of ${listOf(homes, 'and')} checks in a check of type ${type}`);
  }
  return { type, keys, own };
}
