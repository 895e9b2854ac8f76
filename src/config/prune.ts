// SPDX-License-Identifier: MIT
/** Removes the parts of a value that the schema rejects, so that the rest can be validated too. */
import type { Misfit } from './explain.ts';
import { isMap } from './yaml/compose.ts';
import type { Path } from './yaml/positions.ts';

/** The parts to remove, by step of the path: all, or parts of it. */
type Cuts = Map<string | number, Cuts | 'all'>;

/** A copy of `value` without the values at the misfits' paths; undefined if nothing is left. */
export function prune(value: unknown, misfits: readonly Misfit[]): unknown {
  const cuts: Cuts = new Map();
  for (const { path } of misfits) {
    const last = path.at(-1);
    if (last === undefined) return undefined;
    cutsAt(cuts, path.slice(0, -1))?.set(last, 'all');
  }
  return without(value, cuts);
}

/** The cuts within the value at `path`; undefined if all of it is removed. */
function cutsAt(cuts: Cuts, path: Path): Cuts | undefined {
  let at = cuts;
  for (const step of path) {
    const next = at.get(step) ?? new Map();
    if (next === 'all') return undefined;
    at.set(step, next);
    at = next;
  }
  return at;
}

/** Copies each list and map once, however many parts are removed. */
function without(value: unknown, cuts: Cuts): unknown {
  const rest = (item: unknown, key: string | number): unknown => {
    const cut = cuts.get(key);
    return cut === undefined || cut === 'all' ? item : without(item, cut);
  };
  if (Array.isArray(value))
    return value.flatMap((item, index) => (cuts.get(index) === 'all' ? [] : [rest(item, index)]));
  if (!isMap(value)) return value;
  const left: Record<string, unknown> = {};
  for (const [key, item] of Object.entries(value)) if (cuts.get(key) !== 'all') left[key] = rest(item, key);
  return left;
}
