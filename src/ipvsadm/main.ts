// SPDX-License-Identifier: MIT
/** The program: words in, exit status out. */
import { execute } from './execute.ts';
import { framed, type MainOptions } from './frame.ts';

/** Runs one command line; without words it lists the table. Prints errors as one line, never a stack trace. */
export function main(words: readonly string[], options: MainOptions = {}): Promise<number> {
  return framed(words, options, async ({ rest, netns }, session) => {
    if (netns !== undefined) (await import('./netns.ts')).enterNetns(netns);
    // A first word that is no option may be a command of ours; ipvsadm has none.
    const verb = rest.length > 0 && !rest[0]?.startsWith('-');
    const status = verb ? await (await import('./rules/index.ts')).runVerb(rest, session) : undefined;
    return status ?? execute(rest.length === 0 ? ['-L'] : rest, session);
  });
}
