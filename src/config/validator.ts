// SPDX-License-Identifier: MIT
/** What the build makes of schema.ts: the compiled validator, and the schema itself for who must explain its verdict. */
import { createRequire } from 'node:module';
import type { RawConfig } from './schema.ts';
import type { CheckType } from './types.ts';

/** As much of JSON Schema as the configuration's uses. */
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
  /** What keys may be, in words. */
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

/** True for a value that the schema allows. */
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
