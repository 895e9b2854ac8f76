// SPDX-License-Identifier: MIT
/** The options of `lvsctl top`. */
import { parseDuration } from '../../../base/durations.ts';
import { UsageError } from '../../../base/errors.ts';
import { INITIAL, type Screen, SORTS } from './screen.ts';

const MOST_FRAMES = 1_000_000;

export interface TopOptions {
  sort?: string | undefined;
  interval?: string | undefined;
  once?: boolean | undefined;
  batch?: string | undefined;
}

/** Throws UsageError. `frames`: undefined for an interactive run. */
export function readTopOptions({ sort, interval, once, batch }: TopOptions): { screen: Screen; frames?: number } {
  const by = SORTS.find((one) => one === (sort ?? INITIAL.sort));
  if (!by) throw new UsageError(`--sort takes ${SORTS.join(', ')}, not ${sort}`);
  const milliseconds = interval === undefined ? INITIAL.interval : parseDuration(interval);
  if (milliseconds === undefined || milliseconds < 1000 || milliseconds > 60_000)
    throw new UsageError(`--interval takes a duration from 1s to 60s, not ${interval}`);
  const frames = once ? 1 : batch === undefined ? undefined : Number(/^\d{1,7}$/.test(batch) ? batch : 0);
  if (frames !== undefined && (frames < 1 || frames > MOST_FRAMES))
    throw new UsageError(`--batch takes a number from 1 to ${MOST_FRAMES}, not ${batch}`);
  return { screen: { ...INITIAL, sort: by, interval: milliseconds }, ...(frames !== undefined && { frames }) };
}
