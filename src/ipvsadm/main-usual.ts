// SPDX-License-Identifier: MIT
/** The program for what is usual: little, so that it starts fast. */
import { framed, type MainOptions } from './frame.ts';
import { executeUsual, parseLine, report } from './usual.ts';

/** As `main`, or undefined, with nothing done, for a command line that `main` alone can carry out. */
export function mainUsual(words: readonly string[], options: MainOptions = {}): Promise<number | undefined> {
  return framed(words, options, async ({ rest, netns }, session) => {
    if (netns !== undefined || (rest.length > 0 && !rest[0]?.startsWith('-'))) return undefined;
    const line = await parseLine(rest.length === 0 ? ['-L'] : rest, session);
    if (line.watch !== undefined) return undefined;
    const outcome = await executeUsual(line, session);
    if (!outcome) return undefined;
    report(outcome, session);
    return outcome.status;
  });
}
