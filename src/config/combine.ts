// SPDX-License-Identifier: MIT
/** Combines files and the `nodes` overlay into one value, and finds the file, line and column of its parts. */
import { describe } from './describe.ts';
import type { Source } from './files.ts';
import type { Problem } from './problems.ts';
import { closestKey } from './suggest.ts';
import type { Place } from './types.ts';
import { isMap } from './yaml/compose.ts';
import type { Path, Spot } from './yaml/positions.ts';

/** Maps that every file may add to. */
const SHARED = ['local_addresses', 'services', 'nodes'] as const;
type Shared = (typeof SHARED)[number];

const MAIN_ONLY = [
  'manage',
  'on_stop',
  'defaults',
  'timeouts',
  'log',
  'checks',
  'vrrp',
  'vrrp_groups',
  'connection_sync',
  'syn_proxy_secret',
  'web',
  'metrics',
  'events',
  'resync',
];

/**
 * Whether a file is something else than a configuration: none of its keys is one of ours, or nearly. It is not
 * quoted: messages and logs may have more readers than the file.
 */
export function isForeign(value: Record<string, unknown>): boolean {
  const keys = Object.keys(value);
  return keys.length > 0 && keys.every((key) => closestKey(key, KNOWN) === undefined && !KNOWN.includes(key));
}

/** Keys of the top level for the user's own use, such as YAML anchors. Their values are ignored. */
const isOwnUse = (key: string): boolean => key.startsWith('x-');

const withoutOwnUse = (value: Record<string, unknown>): Record<string, unknown> =>
  Object.fromEntries(Object.entries(value).filter(([key]) => !isOwnUse(key)));

/** Keys of an included file. */
const INCLUDED = ['version', 'include', ...SHARED];
const KNOWN = [...INCLUDED, ...MAIN_ONLY];

const isShared = (key: unknown): key is Shared => SHARED.some((name) => name === key);

export class Combined {
  /** The combined value. */
  readonly value: Record<string, unknown>;
  readonly problems: Problem[] = [];
  readonly #main: Source;
  readonly #owners = new Map<Shared, Map<string, Source>>();

  /** `others`: the included files. */
  constructor(main: Source, others: readonly Source[]) {
    this.#main = main;
    this.value = withoutOwnUse(main.value);
    for (const other of others) this.#include(other);
  }

  /** Place of the value at `path`, or of its key; of the part of the path that exists. `node`: overlay in effect. */
  place(path: Path, at: 'key' | 'value', node: string | undefined): Place {
    const base = this.#spot(path);
    const over = node === undefined ? undefined : this.#spot(['nodes', node, ...path]);
    const depth = over ? over.depth - 2 : 0;
    // Maps are merged and belong to the base; other values are the overlay's.
    const overlaid = over && depth > 0 && (depth > base.depth || (depth === base.depth && !isMap(over.value)));
    const { source, spot, whole } = overlaid ? over : base;
    const { line, column } = source.positions.lineColumn(
      whole && (at === 'key' || isMap(over && overlaid ? over.value : base.value)) ? spot.key : spot.value,
    );
    return { file: source.file, line, column };
  }

  #spot(path: Path): { source: Source; spot: Spot; depth: number; whole: boolean; value: unknown } {
    const [first, second] = path;
    const owner = isShared(first) && typeof second === 'string' ? this.#owners.get(first)?.get(second) : undefined;
    const source = owner ?? this.#main;
    const depth = source.positions.depth(path);
    const spot = source.positions.find(path.slice(0, depth)) ?? { key: 0, value: 0 };
    return { source, spot, depth, whole: depth === path.length, value: valueAt(source.value, path.slice(0, depth)) };
  }

  #include(source: Source): void {
    if (isForeign(source.value)) {
      const text = `found a map with none of lvsd's keys in an included file; allowed: ${INCLUDED.join(', ')}`;
      this.problems.push({ place: { file: source.file, line: 1, column: 1 }, text });
      return;
    }
    for (const [key, value] of Object.entries(source.value)) {
      const report = (path: Path, text: string) => {
        const spot = source.positions.find(path) ?? { key: 0, value: 0 };
        this.problems.push({ place: { file: source.file, ...source.positions.lineColumn(spot.key) }, text });
      };
      if (isOwnUse(key)) continue;
      if (isShared(key)) this.#share(key, value, source, report);
      else if (MAIN_ONLY.includes(key))
        report([key], `found ${key} in an included file; allowed: in the main file, ${this.#main.file}`);
      else if (key === 'version' ? value !== 1 : key !== 'include') {
        const known = ['include', ...SHARED];
        const near = closestKey(key, known);
        const hint = near === undefined ? '' : ` (did you mean ${near}?)`;
        const what = key === 'version' ? `version ${describe(value)}` : `the unknown key ${describe(key)}`;
        report([key], `found ${what}; allowed: ${key === 'version' ? '1' : `${known.join(', ')}${hint}`}`);
      }
    }
  }

  #share(key: Shared, value: unknown, source: Source, report: (path: Path, text: string) => void): void {
    if (!isMap(value)) {
      report([key], `${key}: found ${describe(value)}; allowed: a map by name`);
      return;
    }
    const owners = this.#owners.get(key) ?? new Map<string, Source>();
    this.#owners.set(key, owners);
    const before = this.value[key];
    // Copied once, so that the main file's map is not changed.
    const all = owners.size === 0 ? { ...(isMap(before) ? before : {}) } : (before as Record<string, unknown>);
    for (const [name, item] of Object.entries(value)) {
      if (Object.hasOwn(all, name)) {
        const { file, line, column } = this.place([key, name], 'key', undefined);
        report(
          [key, name],
          `${key}: found the name ${describe(name)}, which is at ${file}:${line}:${column} already; allowed: once`,
        );
        continue;
      }
      all[name] = item;
      owners.set(name, source);
    }
    this.value[key] = all;
  }
}

function valueAt(value: unknown, path: Path): unknown {
  let at = value;
  for (const step of path) at = (at as Record<string | number, unknown> | undefined)?.[step];
  return at;
}

/** Merges maps key by key and replaces all other values, including lists. Changes neither argument. */
export function overlay(base: unknown, over: unknown): unknown {
  if (!isMap(base) || !isMap(over)) return over;
  const merged = { ...base };
  for (const [key, value] of Object.entries(over))
    merged[key] = Object.hasOwn(base, key) ? overlay(base[key], value) : value;
  return merged;
}
