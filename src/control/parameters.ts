// SPDX-License-Identifier: MIT
/** What each method takes, as a table, and the one function that holds requests to it. */
import type { Method, Methods } from './messages.ts';

interface Parameter {
  type: 'string' | 'boolean' | 'integer';
  needed?: true;
}

const SERVICE: Parameter = { type: 'string' };

const PARAMETERS: { readonly [M in Method]: { readonly [K in keyof Methods[M]['params']]-?: Parameter } } = {
  ping: {},
  status: { service: SERVICE },
  plan: {},
  reload: {},
  drain: { service: SERVICE, server: { type: 'string', needed: true } },
  undrain: { service: SERVICE, server: { type: 'string', needed: true } },
  pause: { on: { type: 'boolean', needed: true } },
  events: { after: { type: 'integer' }, follow: { type: 'boolean' } },
};

/** Methods that change something; who asks for one is logged. */
export const CHANGING: ReadonlySet<Method> = new Set<Method>(['reload', 'drain', 'undrain', 'pause']);

export const METHODS = Object.keys(PARAMETERS) as readonly Method[];

export function isMethod(name: string): name is Method {
  return Object.hasOwn(PARAMETERS, name);
}

const fits = (value: unknown, type: Parameter['type']) =>
  type === 'integer' ? Number.isSafeInteger(value) : typeof value === type;

/** `params` of a request, or in words what is wrong with them. */
export function readParameters<M extends Method>(method: M, params: unknown): Methods[M]['params'] | { wrong: string } {
  if (params === undefined) params = {};
  if (typeof params !== 'object' || params === null || Array.isArray(params))
    return { wrong: 'params must be an object, by name' };
  const table: Readonly<Record<string, Parameter>> = PARAMETERS[method];
  const given = params as Record<string, unknown>;
  for (const key of Object.keys(given))
    if (!Object.hasOwn(table, key)) {
      const names = Object.keys(table).join(', ') || 'no parameter';
      return { wrong: `${method} takes ${names}, not ${JSON.stringify(key.slice(0, 40))}` };
    }
  for (const [key, { type, needed }] of Object.entries(table)) {
    if (given[key] === undefined ? needed : !fits(given[key], type))
      return { wrong: `${method} needs ${key}: ${type === 'integer' ? 'an integer' : `a ${type}`}` };
  }
  return given as Methods[M]['params'];
}
