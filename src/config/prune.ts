// SPDX-License-Identifier: MIT
/** What is left of a value without the parts that the schema refuses, so that the rest can be judged as well. */
import type { Misfit } from './explain.ts';
import { isMap } from './yaml/compose.ts';
import type { Path } from './yaml/positions.ts';

/** A copy of `value` without the value at each misfit's path (the whole value, for the empty path: then undefined). */
export function prune(value: unknown, misfits: readonly Misfit[]): unknown {
  let result: unknown = value;
  // From the end, so that the numbers of list items before it stay right.
  const paths = misfits.map(({ path }) => path).sort(comparePaths);
  for (const path of paths.reverse()) result = without(result, path);
  return result;
}

function without(value: unknown, [step, ...rest]: Path): unknown {
  if (step === undefined) return undefined;
  if (Array.isArray(value) && typeof step === 'number') {
    if (step >= value.length) return value;
    const item = without(value[step], rest);
    return item === undefined ? value.toSpliced(step, 1) : value.with(step, item);
  }
  if (!isMap(value) || !Object.hasOwn(value, String(step))) return value;
  const { [String(step)]: old, ...others } = value;
  const item = without(old, rest);
  return item === undefined ? others : { ...value, [String(step)]: item };
}

function comparePaths(a: Path, b: Path): number {
  for (let i = 0; i < Math.min(a.length, b.length); i++) {
    const [x, y] = [a[i], b[i]];
    if (x === y) continue;
    if (typeof x === 'number' && typeof y === 'number') return x - y;
    return String(x) < String(y) ? -1 : 1;
  }
  return a.length - b.length;
}
