// SPDX-License-Identifier: MIT
import { setImmediate as turn } from 'node:timers/promises';

/** Calls `step` for each item; after `most` of them the event loop runs what else is due. */
export async function inTurns<T>(items: Iterable<T>, most: number, step: (item: T) => void): Promise<void> {
  let left = most;
  for (const item of items) {
    step(item);
    if (--left > 0) continue;
    await turn();
    left = most;
  }
}
