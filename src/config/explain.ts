// SPDX-License-Identifier: MIT
/**
 * Explains to an operator why a value does not fit the schema. ajv decides whether it fits; its messages about
 * alternatives do not help, so this code walks schema and value and reports what was found and what is allowed.
 */
import { colonAddress, describe, isScalarText, listOf, mistake } from './describe.ts';
import { closestKey, closestValue } from './suggest.ts';
import type { JsonSchema } from './validator.ts';
import { isMap } from './yaml/compose.ts';
import type { Path } from './yaml/positions.ts';

export interface Misfit {
  path: Path;
  text: string;
  /** Whether to point at the key or at its value. */
  at: 'key' | 'value';
}

/** All misfits of a value; empty if it fits the schema. */
export function explain(schema: JsonSchema, value: unknown): Misfit[] {
  return new Explainer(schema).check(schema, value, []);
}

class Explainer {
  readonly #root: JsonSchema;

  constructor(root: JsonSchema) {
    this.#root = root;
  }

  check(given: JsonSchema, value: unknown, path: Path): Misfit[] {
    const schema = this.#resolve(given);
    if (schema.anyOf) return this.#alternatives(schema, schema.anyOf, value, path);
    if (!hasType(schema, value)) return [misfit(path, found(value, this.allowed(schema), this.#wanted(schema)))];
    if (isMap(value)) return this.#map(schema, value, path);
    if (Array.isArray(value)) return this.#list(schema, value, path);
    const wrong = this.#scalar(schema, value);
    return wrong === undefined ? [] : [misfit(path, wrong)];
  }

  /** The allowed values, as text. */
  allowed(given: JsonSchema): string {
    const schema = this.#resolve(given);
    if (schema.title !== undefined) return schema.title;
    if (schema.const !== undefined) return String(schema.const);
    if (schema.enum) return listOf(schema.enum, 'or');
    if (schema.anyOf) return listOf([...new Set(schema.anyOf.map((one) => this.allowed(one)))], 'or');
    if (schema.type === 'integer') return range(schema);
    if (schema.type === 'boolean') return 'true or false';
    if (schema.type === 'string') return 'text';
    if (schema.type === 'array') return 'a list';
    const keys = Object.keys(schema.properties ?? {});
    return keys.length === 0 ? 'a map' : `a map with ${listOf(keys, 'or')}`;
  }

  #resolve(schema: JsonSchema): JsonSchema {
    const name = schema.$ref?.replace('#/definitions/', '');
    return name === undefined ? schema : (this.#root.definitions?.[name] ?? {});
  }

  /** The allowed types of scalars, for hints about notation. */
  #wanted(given: JsonSchema): string[] {
    const schema = this.#resolve(given);
    if (schema.anyOf) return schema.anyOf.flatMap((one) => this.#wanted(one));
    return [schema.type ?? (typeof schema.const === 'number' ? 'integer' : typeof schema.const)];
  }

  #alternatives(schema: JsonSchema, all: readonly JsonSchema[], value: unknown, path: Path): Misfit[] {
    const branches = flatten(all, (one) => this.#resolve(one)).filter((one) => hasType(one, value));
    const whole = (near?: string) => [misfit(path, found(value, this.allowed(schema), this.#wanted(schema), near))];
    if (branches.length === 0 || colonAddress(value) !== undefined) return whole();
    const results = branches.map((one) => this.check(one, value, path));
    if (results.some((result) => result.length === 0)) return [];
    if (branches.length === 1 && !isScalarText(value)) return results[0] ?? [];
    if (isMap(value)) return this.#alternativeMaps(schema, branches, value, path);
    // For strings and numbers all alternatives are listed.
    const words = branches.flatMap((one) => one.enum ?? (typeof one.const === 'string' ? [one.const] : []));
    const near = typeof value === 'string' ? closestValue(value, words) : undefined;
    return whole(near);
  }

  /** Alternatives that are maps are selected by a key with a fixed value, such as `type`. */
  #alternativeMaps(
    schema: JsonSchema,
    branches: readonly JsonSchema[],
    value: Record<string, unknown>,
    path: Path,
  ): Misfit[] {
    const keys = branches.flatMap((one) => Object.keys(one.properties ?? {}));
    const key = keys.find((name) => branches.some((one) => one.properties?.[name]?.const !== undefined));
    if (key === undefined) {
      const [named, ...more] = branches.filter((one) =>
        Object.keys(one.properties ?? {}).some((name) => name in value),
      );
      if (named && more.length === 0) return this.check(named, value, path);
      return [misfit(path, found(value, this.allowed(schema), []))];
    }
    const values = branches.flatMap((one) => valuesOf(one.properties?.[key]));
    if (!Object.hasOwn(value, key)) {
      const open = branches.find((one) => !one.properties?.[key]);
      if (open) return this.check(open, value, path);
      return [misfit(path, `${key} is missing; allowed: ${listOf(values, 'or')}`)];
    }
    const branch = branches.find((one) => valuesOf(one.properties?.[key]).includes(String(value[key])));
    if (branch) return this.check(branch, value, path);
    const near = typeof value[key] === 'string' ? closestValue(value[key], values) : undefined;
    return [misfit([...path, key], found(value[key], listOf(values, 'or'), ['string'], near))];
  }

  #map(schema: JsonSchema, value: Record<string, unknown>, path: Path): Misfit[] {
    const misfits: Misfit[] = [];
    const meant = new Set<string | undefined>();
    const { properties = {}, required = [] } = schema;
    const [[pattern, named] = []] = Object.entries(schema.patternProperties ?? {});
    const test = pattern === undefined ? undefined : new RegExp(pattern, 'u');
    for (const [key, child] of Object.entries(value)) {
      const property = Object.hasOwn(properties, key) ? properties[key] : undefined;
      if (property) misfits.push(...this.check(property, child, [...path, key]));
      else if (test?.test(key) && named) misfits.push(...this.check(named, child, [...path, key]));
      else {
        const near = closestKey(key, Object.keys(properties));
        meant.add(near);
        misfits.push({ path: [...path, key], at: 'key', text: this.#unknownKey(schema, key, near) });
      }
    }
    for (const key of required) {
      // If `adress` was reported with a hint, `address` is not reported as missing.
      if (Object.hasOwn(value, key) || meant.has(key)) continue;
      const property = properties[key];
      const text = `${key} is missing; allowed: ${property ? this.allowed(property) : 'a value'}`;
      misfits.push({ path, at: 'value', text });
    }
    if (schema.maxProperties !== undefined && Object.keys(value).length > schema.maxProperties)
      misfits.push(misfit(path, `found ${Object.keys(value).length} keys; allowed: at most ${schema.maxProperties}`));
    return misfits;
  }

  #unknownKey(schema: JsonSchema, key: string, near: string | undefined): string {
    if (schema['x-later']?.includes(key)) return `found ${key}, which this version of lvsd does not have yet`;
    if (schema['x-name'] !== undefined) return `found the name ${describe(key)}; allowed: ${schema['x-name']}`;
    const known = Object.keys(schema.properties ?? {}).join(', ');
    return `found the unknown key ${describe(key)}${didYouMean(near)}; allowed: ${known}`;
  }

  #list(schema: JsonSchema, value: readonly unknown[], path: Path): Misfit[] {
    const { items, minItems = 0, maxItems = Number.POSITIVE_INFINITY } = schema;
    if (value.length < minItems)
      return [misfit(path, `found an empty list; allowed: ${schema.title ?? `at least ${minItems} items`}`)];
    if (value.length > maxItems)
      return [misfit(path, `found a list of ${value.length}; allowed: at most ${maxItems} items`)];
    return items ? value.flatMap((item, index) => this.check(items, item, [...path, index])) : [];
  }

  #scalar(schema: JsonSchema, value: unknown): string | undefined {
    const wrong = () => found(value, this.allowed(schema), this.#wanted(schema));
    if (schema.const !== undefined && value !== schema.const) return wrong();
    if (typeof value === 'number') {
      const { minimum = Number.NEGATIVE_INFINITY, maximum = Number.POSITIVE_INFINITY } = schema;
      return value < minimum || value > maximum ? wrong() : undefined;
    }
    if (typeof value !== 'string') return undefined;
    if (schema.enum && !schema.enum.includes(value))
      return found(value, this.allowed(schema), ['string'], closestValue(value, schema.enum));
    const length = [...value].length;
    if (length < (schema.minLength ?? 0)) return `found an empty text; allowed: ${this.allowed(schema)}`;
    if (schema.maxLength !== undefined && length > schema.maxLength)
      return `found ${length} characters; allowed: ${withLimit(this.allowed(schema), schema.maxLength)}`;
    return schema.pattern !== undefined && !new RegExp(schema.pattern, 'u').test(value) ? wrong() : undefined;
  }
}

/** A title may name the limit itself: 'a password of 1 to 8 ASCII characters'. */
const withLimit = (allowed: string, most: number): string =>
  allowed.includes('characters') ? allowed : `${allowed}, at most ${most} characters`;

function hasType(schema: JsonSchema, value: unknown): boolean {
  if (schema.type === undefined) return schema.const === undefined || typeof schema.const === typeof value;
  if (schema.type === 'object') return isMap(value);
  if (schema.type === 'array') return Array.isArray(value);
  if (schema.type === 'integer') return Number.isInteger(value);
  return typeof value === schema.type;
}

/** The values of an enum or a constant. */
function valuesOf(schema: JsonSchema | undefined): readonly string[] {
  return schema?.const === undefined ? (schema?.enum ?? []) : [String(schema.const)];
}

function range({ minimum, maximum }: JsonSchema): string {
  if (minimum !== undefined && maximum !== undefined) return `a whole number from ${minimum} to ${maximum}`;
  return 'a whole number';
}

/** Nested alternatives as one list. */
function flatten(branches: readonly JsonSchema[], resolve: (schema: JsonSchema) => JsonSchema): JsonSchema[] {
  return branches.map(resolve).flatMap((one) => (one.anyOf ? flatten(one.anyOf, resolve) : one));
}

function misfit(path: Path, text: string): Misfit {
  return { path, text, at: 'value' };
}

function didYouMean(word: string | undefined): string {
  return word === undefined ? '' : ` (did you mean ${word}?)`;
}

function found(value: unknown, allowed: string, wanted: readonly string[], near?: string): string {
  return `found ${describe(value)}${didYouMean(near)}; allowed: ${allowed}${mistake(value, allowed, wanted)}`;
}
