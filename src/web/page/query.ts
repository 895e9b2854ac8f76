// SPDX-License-Identifier: MIT
/** The parameters of `/live`. Pure. */
import { UsageError } from '../../base/errors.ts';
import { SORTS } from '../../control/lvsctl/top/screen.ts';
import { allowParameters, single } from '../respond.ts';
import type { LiveQuery } from './messages.ts';

/** Rows of a window. */
export const MOST_ROWS = 100;
const ROWS = 50;
const MOST_FROM = 10_000_000;
const LONGEST_SEARCH = 200;
const PARAMETERS = ['q', 'sort', 'reverse', 'bad', 'from', 'count', 'open', 'at'];

/** Throws UsageError. */
export function readLiveQuery(parameters: URLSearchParams): LiveQuery {
  allowParameters(parameters, PARAMETERS);
  const text = (name: string): string | undefined => {
    const value = single(parameters, name);
    if (value !== undefined && value.length > LONGEST_SEARCH)
      throw new UsageError(`${name} takes at most ${LONGEST_SEARCH} characters`);
    return value === '' ? undefined : value;
  };
  const number = (name: string, most: number, otherwise: number): number => {
    const value = single(parameters, name) ?? `${otherwise}`;
    if (!/^\d{1,8}$/.test(value) || Number(value) > most)
      throw new UsageError(`${name} takes a number up to ${most}, not ${value.slice(0, 20)}`);
    return Number(value);
  };
  const flag = (name: string): boolean => {
    const value = single(parameters, name) ?? '0';
    if (value !== '0' && value !== '1') throw new UsageError(`${name} takes 0 or 1, not ${value.slice(0, 20)}`);
    return value === '1';
  };
  const given = text('sort') ?? 'state';
  const sort = SORTS.find((one) => one === given);
  if (!sort) throw new UsageError(`sort takes ${SORTS.join(', ')}, not ${given.slice(0, 20)}`);
  return {
    sort,
    search: text('q') ?? '',
    reverse: flag('reverse'),
    bad: flag('bad'),
    from: number('from', MOST_FROM, 0),
    count: number('count', MOST_ROWS, ROWS),
    open: text('open'),
    at: text('at'),
  };
}
