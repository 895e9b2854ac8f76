// SPDX-License-Identifier: MIT
/** Output of the build from schema.ts: the compiled validator, and the schema for error messages. */
import { createRequire } from 'node:module';
import type { RawConfig } from './schema.ts';
import type { CheckType } from './types.ts';

/** The part of JSON Schema that the configuration's schema uses. */
export interface JsonSchema {
  $ref?: string;
  type?: 'object' | 'array' | 'string' | 'integer' | 'number' | 'boolean';
  title?: string;
  description?: string;
  default?: unknown;
  examples?: unknown[];
  const?: unknown;
  enum?: readonly string[];
  anyOf?: readonly JsonSchema[];
  properties?: Readonly<Record<string, JsonSchema>>;
  patternProperties?: Readonly<Record<string, JsonSchema>>;
  additionalProperties?: boolean;
  required?: readonly string[];
  maxProperties?: number;
  items?: JsonSchema;
  minItems?: number;
  maxItems?: number;
  pattern?: string;
  minLength?: number;
  maxLength?: number;
  minimum?: number;
  maximum?: number;
  definitions?: Readonly<Record<string, JsonSchema>>;
  /** Keys that a later version will have. */
  'x-later'?: readonly string[];
  /** The allowed keys, as text. */
  'x-name'?: string;
}

interface Validate {
  (value: unknown): value is RawConfig;
  /** Keys of each kind of check. */
  checkKeys: Readonly<Record<CheckType, readonly string[]>>;
}

// Sources and bundles lie equally deep, so the paths are the same for both.
const load = createRequire(import.meta.url);
let validator: Validate | undefined;

function compiled(): Validate {
  validator ??= load('../../build/config/validate.cjs') as Validate;
  return validator;
}

/** Whether the value fits the schema. */
export function isValid(value: unknown): value is RawConfig {
  return compiled()(value);
}

/** The keys that each kind of check may have, `type` included. */
export function checkKeys(): Validate['checkKeys'] {
  return compiled().checkKeys;
}

/** The JSON Schema as it is published. */
export function jsonSchema(): JsonSchema {
  return load('../../build/config/schema.json') as JsonSchema;
}
