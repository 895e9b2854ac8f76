// SPDX-License-Identifier: MIT
/** --watch[=SECONDS]: repeats a listing until a signal, or until the reader closes the pipe. */
import type { Output } from './output.ts';

/** Terminal sequences: cursor to the top left, erase to the end of the screen. */
const HOME = '\x1b[H\x1b[J';

/** Returns the status of the first listing that failed, or 0 after the reader has closed the pipe. */
export async function watch(seconds: number, output: Output, show: () => Promise<number>): Promise<number> {
  const screen = process.stdout.isTTY === true;
  while (!output.closed) {
    if (screen) output.out(HOME);
    const status = await show();
    output.flush();
    if (status !== 0) return status;
    await new Promise((resolve) => setTimeout(resolve, 1000 * seconds));
  }
  return 0;
}
