// SPDX-License-Identifier: MIT
/** Checks the parameters of a request against the table of methods. */
import { METHODS, type Method, type Parameter, type Params } from './methods.ts';

const fits = (value: unknown, type: Parameter['type']) =>
  type === 'integer' ? Number.isSafeInteger(value) : typeof value === type;

/** The `params` of a request, or a description of the mistake. */
export function readParameters<M extends Method>(method: M, params: unknown): Params<M> | { wrong: string } {
  if (params === undefined) params = {};
  if (typeof params !== 'object' || params === null || Array.isArray(params))
    return { wrong: 'params must be an object with parameters by name' };
  const table: Readonly<Record<string, Parameter>> = METHODS[method].parameters;
  const given = params as Record<string, unknown>;
  for (const key of Object.keys(given))
    if (!Object.hasOwn(table, key)) {
      const names = Object.keys(table).join(', ') || 'no parameter';
      return { wrong: `${method} takes ${names}, not ${JSON.stringify(key.slice(0, 40))}` };
    }
  for (const [key, { type, required }] of Object.entries(table)) {
    if (given[key] === undefined ? required : !fits(given[key], type))
      return { wrong: `${method} needs ${key}: ${type === 'integer' ? 'an integer' : `a ${type}`}` };
  }
  return given as Params<M>;
}
