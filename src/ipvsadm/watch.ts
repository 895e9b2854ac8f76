// SPDX-License-Identifier: MIT
/** --watch[=SECONDS]: the same listing again and again, until a signal or a reader that has gone ends it. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { Output } from './output.ts';

/** On a terminal: home, the new text, and away with what is left of the old one. */
const HOME = '\x1b[H\x1b[J';

/** The status of the first listing that failed, or 0 once nobody reads any more. */
export async function watch(seconds: number, output: Output, show: () => Promise<number>): Promise<number> {
  const screen = process.stdout.isTTY === true;
  while (!output.gone) {
    if (screen) output.out(HOME);
    const status = await show();
    output.flush();
    if (status !== 0) return status;
    await sleep(1000 * seconds);
  }
  return 0;
}
