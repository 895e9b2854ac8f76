// SPDX-License-Identifier: MIT
/**
 * Building blocks of the configuration schemas. Build time only: at run time, only types are imported from schemas.
 * `title` describes the allowed values as error messages print them.
 */
import { type SchemaOptions, type TInteger, type TString, type TUnsafe, Type } from '@sinclair/typebox';

type Words = SchemaOptions & { description: string };

export const DURATION = '^[0-9]{1,20}([.][0-9]{1,3})?(ms|s|m|h|d)$';
export const DURATION_WORDS = 'a duration with its unit, such as 500ms, 2s, 15m, 1h or 1d';

/** A duration with its unit, as text. */
export function duration(words: Words): TString {
  return Type.String({ title: DURATION_WORDS, pattern: DURATION, ...words });
}

/** One of these words. */
export function choice<const T extends readonly string[]>(values: T, words: Words): TUnsafe<T[number]> {
  return Type.Unsafe<T[number]>({ type: 'string', enum: values, ...words });
}

/** A whole number, both ends included. */
export function count(minimum: number, maximum: number, words: Words): TInteger {
  return Type.Integer({ minimum, maximum, ...words });
}

/** A TCP or UDP port other than 0. */
export function port(words: Words): TInteger {
  return count(1, 65535, words);
}

/** An address as text; src/config/resolve/values.ts checks it. */
export function address(words: Words): TString {
  return Type.String({ title: 'an IPv4 or IPv6 address', ...words });
}
