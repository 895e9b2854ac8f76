// SPDX-License-Identifier: MIT
/** The options of `lvsctl events`. */
import { parseDuration } from '../../base/durations.ts';
import { UsageError } from '../../base/errors.ts';
import { type EventsParams, readQuery } from '../events/query.ts';

export interface EventsOptions {
  follow?: boolean | undefined;
  after?: string | undefined;
  since?: string | undefined;
  service?: string | undefined;
  server?: string | undefined;
  kind?: string[] | undefined;
  limit?: string | undefined;
}

/** `now`: milliseconds since the epoch. Throws UsageError. */
export function readEventsOptions(options: EventsOptions, now: number): EventsParams {
  const { follow = false, after, since, service, server, kind, limit } = options;
  if (limit !== undefined && !/^\d{1,7}$/.test(limit)) throw new UsageError(`--limit takes a number, not ${limit}`);
  const params: EventsParams = {
    follow,
    ...(after !== undefined && { after }),
    ...(since !== undefined && { since: instantOf(since, now) }),
    ...(service !== undefined && { service }),
    ...(server !== undefined && { server }),
    ...(kind && { kinds: kind.join(',') }),
    ...(limit !== undefined && { limit: Number(limit) }),
  };
  // So that the mistake is found before a daemon is asked.
  readQuery(params);
  return params;
}

/** '1h' -> an hour ago; '2026-11-28T10:00:00Z'. */
function instantOf(text: string, now: number): number {
  const duration = parseDuration(text);
  const at = duration === undefined ? Date.parse(text) : now - duration;
  if (!Number.isSafeInteger(at))
    throw new UsageError(`--since takes a duration such as 1h, or a time such as 2026-11-28T10:00:00Z, not ${text}`);
  return at;
}
