// SPDX-License-Identifier: MIT
/** Merges a check with the one that it inherits from. */
import { KINDS } from '../../health/kinds.ts';
import { listOf } from '../describe.ts';
import type { RawCheck } from '../schema.ts';
import type { CheckType } from '../types.ts';
import { checkKeys } from '../validator.ts';
import type { Path } from '../yaml/positions.ts';
import type { ProblemSink } from './problem-sink.ts';

type RawMap = Exclude<RawCheck, 'none'>;

/** Keys of a check of any type. */
export type Keys = Omit<RawMap, 'type'>;

/** A `check` of the file, its place, and the check that it is merged over. */
export interface RawCheckLayer {
  raw: RawCheck;
  path: Path;
  base: RawCheckLayer | undefined;
}

export interface Inherited {
  type: CheckType;
  keys: Keys;
  /** Keys that are not inherited. */
  own: ReadonlySet<string>;
}

const SILENT: ProblemSink = { report: () => {}, warn: () => {}, isInvalid: () => false, isInvalidService: () => false };

/** Whether the schema rejected a part of what surrounds `path`: a missing key may have been in that part. */
export function isIncomplete([first, second]: Path, problems: ProblemSink): boolean {
  if (problems.isInvalid('defaults', 'check')) return true;
  return first !== 'defaults' && problems.isInvalid(String(first), String(second), 'check');
}

/**
 * Undefined: not checked, or invalid, which is reported. A check inherits key by key from one of the same group (the same
 * type, or http and https), and nothing from any other.
 */
export function inherit(layer: RawCheckLayer | undefined, problems: ProblemSink): Inherited | undefined {
  if (!layer || layer.raw === 'none') return undefined;
  const { raw, path } = layer;
  // Problems of the base are reported at the base.
  const base = inherit(layer.base, SILENT);
  const type = ('type' in raw ? raw.type : undefined) ?? base?.type;
  if (type === undefined) {
    const text = `type is missing, and there is no check to inherit it from; allowed: ${listOf(Object.keys(KINDS), 'or')}`;
    if (!isIncomplete(path, problems)) problems.report(path, text);
    return undefined;
  }
  const known = checkKeys();
  const related = base && KINDS[base.type].group === KINDS[type].group;
  const inherited = Object.entries(related ? base.keys : {}).filter(([key]) => known[type].includes(key));
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
    problems.report([...path, key], text, 'key');
  }
  return { type, keys, own };
}
