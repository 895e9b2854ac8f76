// SPDX-License-Identifier: MIT
/** The options of `lvsctl metrics`. */
import { UsageError } from '../../base/errors.ts';
import { GROUPS, type Group } from '../metrics/family.ts';
import { DETAILS, type Detail } from '../metrics/stats.ts';

const MOST_SERIES = 10_000_000;

export interface MetricsOptions {
  detail?: string | undefined;
  collect?: string[] | undefined;
  'max-series'?: string | undefined;
}

/** Names of the options in messages. */
const WORDS = { detail: '--detail', collect: '--collect', maxSeries: '--max-series' };

/** Undefined: as the configuration of the daemon says. Throws UsageError. */
export function readMetricsOptions(
  given: MetricsOptions,
  words = WORDS,
): {
  detail: Detail | undefined;
  groups: Group[] | undefined;
  maxSeries: number | undefined;
} {
  const { detail, collect, 'max-series': most } = given;
  const level = DETAILS.find((one) => one === detail);
  if (detail !== undefined && !level)
    throw new UsageError(`${words.detail} takes ${DETAILS.join(', ')}, not ${detail}`);
  const groups = collect?.map((name) => {
    const group = GROUPS.find((one) => one === name);
    if (!group) throw new UsageError(`${words.collect} takes ${GROUPS.join(', ')}, not ${name}`);
    return group;
  });
  if (most === undefined) return { detail: level, groups, maxSeries: undefined };
  const maxSeries = /^\d{1,8}$/.test(most) ? Number(most) : 0;
  if (maxSeries < 1 || maxSeries > MOST_SERIES)
    throw new UsageError(`${words.maxSeries} takes a number from 1 to ${MOST_SERIES}, not ${most}`);
  return { detail: level, groups, maxSeries };
}
