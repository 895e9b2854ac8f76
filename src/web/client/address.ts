// SPDX-License-Identifier: MIT
/** The address of the page holds its view: order, search, the open service. A link to it opens the same view. Pure. */
import type { Sort } from '../../control/lvsctl/top/screen.ts';

export interface Looking {
  search: string;
  sort: Sort;
  reverse: boolean;
  bad: boolean;
  open: string | undefined;
  /** The virtual address of the open service. */
  at: string | undefined;
}

const SORTS: readonly Sort[] = ['state', 'name', 'active', 'conn/s', 'in', 'out'];

/** Ignores parameters that are unknown or not valid. */
export function readAddress(search: string): Looking {
  const given = new URLSearchParams(search);
  return {
    search: (given.get('q') ?? '').slice(0, 200),
    sort: SORTS.find((one) => one === given.get('sort')) ?? 'state',
    reverse: given.get('reverse') === '1',
    bad: given.get('bad') === '1',
    open: given.get('open')?.slice(0, 200) || undefined,
    at: given.get('at')?.slice(0, 200) || undefined,
  };
}

function parametersOf({ search, sort, reverse, bad, open, at }: Looking): URLSearchParams {
  const parameters = new URLSearchParams();
  if (search !== '') parameters.set('q', search);
  if (sort !== 'state') parameters.set('sort', sort);
  if (reverse) parameters.set('reverse', '1');
  if (bad) parameters.set('bad', '1');
  if (open !== undefined) parameters.set('open', open);
  if (open !== undefined && at !== undefined) parameters.set('at', at);
  return parameters;
}

/** '?open=shop'; '?' if it is the first view. */
export const addressOf = (looking: Looking): string => `?${parametersOf(looking)}`;

/** The path of the stream of this view and window. */
export function livePath(looking: Looking, from: number, count: number): string {
  const parameters = parametersOf(looking);
  parameters.set('from', `${from}`);
  parameters.set('count', `${count}`);
  return `live?${parameters}`;
}
