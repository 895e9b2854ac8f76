// SPDX-License-Identifier: MIT
/**
 * Checks the shape of what the daemon sends: an answer of another version, or of another program, is an error with a text
 * and not a TypeError later. Fields that only are shown are not checked. Pure.
 */
import { MalformedError } from '../base/errors.ts';
import { WEB_PARTS } from '../base/web-settings.ts';
import type { EventItem } from './events/types.ts';
import type { Method } from './methods.ts';
import type { StatsPart } from './metrics/stats.ts';

type Fields = Readonly<Record<string, unknown>>;

const isString = (value: unknown): value is string => typeof value === 'string';
const isNumber = (value: unknown): value is number => typeof value === 'number';
const isObject = (value: unknown): value is Fields =>
  typeof value === 'object' && value !== null && !Array.isArray(value);
const isList = (value: unknown, is: (one: unknown) => boolean): value is unknown[] =>
  Array.isArray(value) && value.every(is);
const isAbsentOr = (value: unknown, is: (one: unknown) => boolean): boolean => value === undefined || is(value);
const isObjects = (value: unknown): boolean => isList(value, isObject);
const isStrings = (value: unknown): boolean => isList(value, isString);

const isTls = (value: unknown): boolean =>
  isObject(value) && isString(value.certificate) && isString(value.key) && isAbsentOr(value.clientCa, isString);

const isWebSettings = (value: unknown): boolean =>
  isObject(value) &&
  isStrings(value.listen) &&
  isStrings(value.hosts) &&
  isList(value.serve, (one) => WEB_PARTS.some((part) => part === one)) &&
  isAbsentOr(value.tls, isTls) &&
  isAbsentOr(value.users, isString);

const ANSWERS: { readonly [M in Method]?: (answer: Fields) => boolean } = {
  stats: ({ defaults, overrides, realServers, table, processes, vrrp }) =>
    [defaults, overrides, realServers].every(isObject) &&
    isObject(table) &&
    isNumber(table.age) &&
    isNumber(table.at) &&
    [processes, vrrp].every(isObjects),
  overview: ({ services, reasons, failures, files }) =>
    [services, reasons].every(isObjects) && [failures, files].every((one) => isAbsentOr(one, isObjects)),
  vrrp: ({ instances }) => isObjects(instances),
  'config.summary': ({ web }) => isAbsentOr(web, isWebSettings),
};

/** The error for something that has not its shape. */
export const unexpected = (what: string) =>
  new MalformedError(`lvsd sent ${what} that this program does not understand: are both of the same version?`);

export const isAnswer = (method: Method, answer: unknown): boolean =>
  isObject(answer) && (ANSWERS[method]?.(answer) ?? true);

const TABLES: readonly unknown[] = ['services', 'realServers', 'localAddresses'] satisfies StatsPart['table'][];
const isCell = (value: unknown): boolean => value === null || isString(value) || isNumber(value);
const isRow = (value: unknown): boolean => isList(value, isCell);

/** The parameters of a notification `rows`. Throws MalformedError. */
export function readRows(value: unknown): StatsPart {
  if (!isObject(value) || !TABLES.includes(value.table) || !isList(value.rows, isRow)) throw unexpected('rows');
  return value as unknown as StatsPart;
}

const isGap = (value: unknown): boolean =>
  isObject(value) && (isString(value.cursor) || (isNumber(value.from) && isNumber(value.to)));

/** `epoch` and `sequence` become an id of server-sent events, which has one line. */
const isEvent = ({ epoch, sequence, at, kind, severity, text }: Fields): boolean =>
  isString(epoch) &&
  /^[0-9a-f]{8}$/.test(epoch) &&
  Number.isSafeInteger(sequence) &&
  isNumber(at) &&
  [kind, severity, text].every(isString);

/** The parameters of a notification `events`. Throws MalformedError. */
export function readEvents(value: unknown): EventItem[] {
  if (!isList(value, (one) => isObject(one) && ('gap' in one ? isGap(one.gap) : isEvent(one))))
    throw unexpected('events');
  return value as EventItem[];
}
