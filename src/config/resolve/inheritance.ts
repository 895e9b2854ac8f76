// SPDX-License-Identifier: MIT
/** Which keys a check has, when it is laid over the one that it inherits. */
import { KINDS } from '../../health/kinds.ts';
import { listOf } from '../describe.ts';
import type { RawCheck } from '../schema.ts';
import type { CheckType } from '../types.ts';
import { checkKeys } from '../validator.ts';
import type { Path } from '../yaml/positions.ts';
import type { Context } from './context.ts';

type RawMap = Exclude<RawCheck, 'none'>;

/** A check's keys, whatever its type. */
export type Keys = Omit<RawMap, 'type'>;

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

const SILENT: Context = { report: () => {}, maimed: () => false };

/** True where a part of what surrounds `path` was left out: what is missing may have been there. */
export function isMaimed([first, second]: Path, context: Context): boolean {
  return context.maimed('defaults') || context.maimed(String(first), String(second));
}

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
    const text = `type is missing, and there is no check to lay this over; allowed: ${listOf(Object.keys(KINDS), 'or')}`;
    if (!isMaimed(path, context)) context.report(path, text);
    return undefined;
  }
  const known = checkKeys();
  const kin = base && KINDS[base.type].group === KINDS[type].group;
  const inherited = Object.entries(kin ? base.keys : {}).filter(([key]) => known[type].includes(key));
  const keys: Record<string, unknown> = Object.fromEntries(inherited);
  const own = new Set<string>();
  for (const [key, value] of Object.entries(raw)) {
    if (key === 'type') continue;
    if (known[type].includes(key)) {
      own.add(key);
      keys[key] = value;
      continue;
    }
    const homes = (Object.keys(known) as CheckType[]).filter((home) => known[home].includes(key));
    const text = `found ${key}, a key of ${listOf(homes, 'and')} checks; allowed: those of ${type} checks`;
    context.report([...path, key], text, 'key');
  }
  return { type, keys, own };
}
