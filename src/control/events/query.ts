// SPDX-License-Identifier: MIT
/** Selection of events. Pure. */
import { UsageError } from '../../base/errors.ts';
import { selectsKinds } from './kinds.ts';
import type { DaemonEvent } from './types.ts';

/** Parameters of the method `events`. */
export type EventsParams = {
  /** Only later ones than this: a number, or a cursor EPOCH:NUMBER. */
  after?: string;
  /** Milliseconds since the epoch. */
  since?: number;
  service?: string;
  /** Name or address of a real server. */
  server?: string;
  /** Kinds, or the parts before their dots, with commas. */
  kinds?: string;
  /** Only the last of the stored ones. */
  limit?: number;
  follow?: boolean;
  /** Without `after`: only the last so many numbers are looked at. */
  within?: number;
};

/** Without `after` and `since`. */
export const DEFAULT_LIMIT = 1000;
export const MOST_EVENTS = 1_000_000;
const MOST_KINDS = 50;

export interface EventsQuery {
  after: { epoch: string | undefined; sequence: number } | undefined;
  limit: number | undefined;
  follow: boolean;
  within: number | undefined;
  /** Undefined: all are selected. */
  selects: ((event: DaemonEvent) => boolean) | undefined;
}

/** Throws UsageError. */
export function readQuery({
  after,
  since,
  service,
  server,
  kinds,
  limit,
  follow = false,
  within,
}: EventsParams): EventsQuery {
  const cursor = after === undefined ? undefined : /^(?:([0-9a-f]{8}):)?(\d{1,15})$/.exec(after);
  if (cursor === null)
    throw new UsageError(`after takes the number of an event or a cursor such as 1f00ba5e:42, not ${after}`);
  const words = kinds?.split(',');
  if (words && words.length > MOST_KINDS) throw new UsageError(`kinds takes at most ${MOST_KINDS} kinds`);
  for (const word of words ?? [])
    if (!selectsKinds(word)) throw new UsageError(`there are no events of kind ${word}: docs/events.md has the list`);
  if (limit !== undefined && (limit < 1 || limit > MOST_EVENTS))
    throw new UsageError(`limit takes a number from 1 to ${MOST_EVENTS}, not ${limit}`);
  if (within !== undefined && (within < 1 || within > MOST_EVENTS))
    throw new UsageError(`within takes a number from 1 to ${MOST_EVENTS}, not ${within}`);
  const filters: ((event: DaemonEvent) => boolean)[] = [];
  if (since !== undefined) filters.push(({ at }) => at >= since);
  if (service !== undefined) filters.push((event) => event.service === service);
  if (server !== undefined) filters.push((event) => event.server === server || event.address === server);
  if (words) filters.push(({ kind }) => words.some((word) => kind === word || kind.startsWith(`${word}.`)));
  return {
    after: cursor ? { epoch: cursor[1], sequence: Number(cursor[2]) } : undefined,
    limit: limit ?? (after === undefined && since === undefined ? DEFAULT_LIMIT : undefined),
    follow,
    within: cursor ? undefined : within,
    selects: filters.length > 0 ? (event) => filters.every((filter) => filter(event)) : undefined,
  };
}
