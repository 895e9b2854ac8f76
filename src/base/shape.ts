// SPDX-License-Identifier: MIT
/**
 * Shapes of parsed JSON from outside: whether a value is of a type, and if not, what is wrong with which part of it. The
 * compiler compares each shape with its type. Fields that a shape does not name are ignored. Pure.
 */
import { printable, shortened } from './printable.ts';

/** A part that is not of its type. `path`: '.services[3].name', '' for the whole; `found`: '5'; `expected`: 'a string'. */
export interface Misfit {
  path: string;
  found: string;
  expected: string;
}

/** Returns the first misfit; undefined: the value is a T. */
export interface Shape<T> {
  (value: unknown): Misfit | undefined;
  /** Declares the type only. */
  readonly of?: T;
}

/** Of a field that may be absent. */
export interface OptionalShape<T> extends Shape<T | undefined> {
  readonly optional: true;
}

type Field<T, K extends keyof T> = undefined extends T[K]
  ? OptionalShape<Exclude<T[K], undefined>>
  : Pick<T, never> extends Pick<T, K>
    ? OptionalShape<T[K]>
    : Shape<T[K]>;

/** A shape for each field of T. */
export type Fields<T> = { readonly [K in keyof T]-?: Field<T, K> };

/** Characters of a value or a name in messages. */
const LONGEST = 40;

function foundText(value: unknown): string {
  if (value === undefined) return 'missing';
  if (Array.isArray(value)) return 'a list';
  if (typeof value === 'object' && value !== null) return 'an object';
  // JSON.stringify writes null for it.
  if (value === Number.POSITIVE_INFINITY || value === Number.NEGATIVE_INFINITY) return 'a number beyond all limits';
  return printable(shortened(JSON.stringify(value), LONGEST));
}

const misfit = (value: unknown, expected: string): Misfit => ({ path: '', found: foundText(value), expected });

/** The misfit of a part as one of the whole. */
const inside = (step: string, part: Misfit | undefined): Misfit | undefined =>
  part && { ...part, path: `${step}${part.path}` };

const fieldStep = (name: string): string =>
  /^[\w.-]+$/.test(name) ? `.${name}` : `[${printable(shortened(JSON.stringify(name), LONGEST))}]`;

type Map = Readonly<Record<string, unknown>>;

const isMap = (value: unknown): value is Map => typeof value === 'object' && value !== null && !Array.isArray(value);

/** A value for which `is` is true. */
export const simple =
  <T>(is: (value: unknown) => boolean, expected: string): Shape<T> =>
  (value) =>
    is(value) ? undefined : misfit(value, expected);

export const text = simple<string>((value) => typeof value === 'string', 'a string');
/** 1e999 is valid JSON, and Infinity. */
export const number = simple<number>((value) => Number.isFinite(value), 'a number');
export const integer = simple<number>((value) => Number.isSafeInteger(value), 'an integer');
export const truth = simple<boolean>((value) => typeof value === 'boolean', 'true or false');

/** A string that `pattern` matches; `expected` says so in words. */
export const matching = (pattern: RegExp, expected: string): Shape<string> =>
  simple((value) => typeof value === 'string' && pattern.test(value), expected);

/** One of these words: the keys of a table, so that the compiler sees that none is missing. */
export function oneOf<T extends string>(words: Readonly<Record<T, unknown>>): Shape<T> {
  const names = Object.keys(words);
  return simple((value) => typeof value === 'string' && Object.hasOwn(words, value), `one of ${names.join(', ')}`);
}

/** The same for a list that declares its type. */
export const among = <T extends string>(words: readonly T[]): Shape<T> =>
  oneOf(Object.fromEntries(words.map((word) => [word, true])) as Record<T, true>);

export const optional = <T>(shape: Shape<T>): OptionalShape<T> =>
  Object.assign((value: unknown) => (value === undefined ? undefined : shape(value)), { optional: true as const });

export const nullable =
  <T>(shape: Shape<T>): Shape<T | null> =>
  (value) =>
    value === null ? undefined : shape(value);

export const list =
  <T>(item: Shape<T>): Shape<T[]> =>
  (value) => {
    if (!Array.isArray(value)) return misfit(value, 'a list');
    // Not by an iterator: rows of metrics are many.
    for (let i = 0; i < value.length; i++) {
      const found = item(value[i]);
      if (found) return inside(`[${i}]`, found);
    }
    return undefined;
  };

/** A list with a shape for each of its items. */
export const tuple =
  <T extends readonly unknown[]>(...items: { readonly [I in keyof T]: Shape<T[I]> }): Shape<T> =>
  (value) => {
    if (!Array.isArray(value) || value.length !== items.length) return misfit(value, `a list of ${items.length}`);
    for (const [index, item] of items.entries()) {
      const found = item(value[index]);
      if (found) return inside(`[${index}]`, found);
    }
    return undefined;
  };

/** A list that begins with items of these shapes. `more`: of those after them, which a later version has added. */
export const beginning =
  <T>(items: readonly Shape<T>[], more: Shape<T>): Shape<T[]> =>
  (value) => {
    if (!Array.isArray(value) || value.length < items.length)
      return misfit(value, `a list of at least ${items.length}`);
    for (let i = 0; i < value.length; i++) {
      const found = (items[i] ?? more)(value[i]);
      if (found) return inside(`[${i}]`, found);
    }
    return undefined;
  };

/** Any names, each with a value of this shape. */
export const record =
  <T>(item: Shape<T>): Shape<Readonly<Record<string, T>>> =>
  (value) => {
    if (!isMap(value)) return misfit(value, 'an object');
    for (const [name, one] of Object.entries(value)) {
      const found = item(one);
      if (found) return inside(fieldStep(name), found);
    }
    return undefined;
  };

export function object<T extends object>(fields: Fields<T>): Shape<T> {
  const shapes = Object.entries(fields) as [string, Shape<unknown>][];
  return (value) => {
    if (!isMap(value)) return misfit(value, 'an object');
    for (const [name, shape] of shapes) {
      const found = shape(Object.hasOwn(value, name) ? value[name] : undefined);
      if (found) return inside(fieldStep(name), found);
    }
    return undefined;
  };
}

/** Of the first shape, or else of the second, whose misfit is returned. `first`: which one it should be. */
export const either =
  <A, B>(first: (value: unknown) => boolean, a: Shape<A>, b: Shape<B>): Shape<A | B> =>
  (value) =>
    first(value) ? a(value) : b(value);

/** Whether a value is an object with a field of this name. */
export const has =
  (name: string) =>
  (value: unknown): boolean =>
    isMap(value) && Object.hasOwn(value, name);

/** Whether lists and objects are nested deeper than this: a function that walks through them might not come back. */
export function isDeeper(value: unknown, levels: number): boolean {
  if (typeof value !== 'object' || value === null) return false;
  if (levels === 0) return true;
  for (const one of Array.isArray(value) ? value : Object.values(value)) if (isDeeper(one, levels - 1)) return true;
  return false;
}

/** 'services[3].name is 5, not a string'; the whole value is called `whole`. */
export function misfitText({ path, found, expected }: Misfit, whole: string): string {
  const where = path === '' ? whole : path.replace(/^\./, '');
  return found === 'missing' ? `${where} is missing (${expected})` : `${where} is ${found}, not ${expected}`;
}
