// SPDX-License-Identifier: MIT
/** The options of `lvsctl metrics`. */
import { UsageError } from '../../base/errors.ts';
import { GROUPS, type Group } from '../metrics/families.ts';
import { DEFAULT_DETAIL, DETAILS, type Detail } from '../metrics/stats.ts';
import { MAX_SERIES } from '../metrics/text.ts';

const MOST_SERIES = 10_000_000;

export interface MetricsOptions {
  detail?: string | undefined;
  collect?: string[] | undefined;
  'max-series'?: string | undefined;
}

/** Names of the options in messages. */
const WORDS = { detail: '--detail', collect: '--collect', maxSeries: '--max-series' };

/** Throws UsageError. */
export function readMetricsOptions(
  given: MetricsOptions,
  words = WORDS,
): {
  detail: Detail;
  groups: Group[] | undefined;
  maxSeries: number;
} {
  const { detail = DEFAULT_DETAIL, collect, 'max-series': most = `${MAX_SERIES}` } = given;
  const level = DETAILS.find((one) => one === detail);
  if (!level) throw new UsageError(`${words.detail} takes ${DETAILS.join(', ')}, not ${detail}`);
  const groups = collect?.map((name) => {
    const group = GROUPS.find((one) => one === name);
    if (!group) throw new UsageError(`${words.collect} takes ${GROUPS.join(', ')}, not ${name}`);
    return group;
  });
  const maxSeries = /^\d{1,8}$/.test(most) ? Number(most) : 0;
  if (maxSeries < 1 || maxSeries > MOST_SERIES)
    throw new UsageError(`${words.maxSeries} takes a number from 1 to ${MOST_SERIES}, not ${most}`);
  return { detail: level, groups, maxSeries };
}
