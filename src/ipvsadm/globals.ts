// SPDX-License-Identifier: MIT
/**
 * What may stand before the command: --strict, and --netns NAME or PATH. ipvsadm wants a command as the first option,
 * so no command line of its begins with one of these.
 */
import { tryHelp, usage } from './outcome.ts';

export interface Globals {
  /** The words of ipvsadm's command line. */
  rest: readonly string[];
  /** Do right what ipvsadm plainly gets wrong. */
  strict: boolean;
  /** A name under /run/netns, or a path. */
  netns: string | undefined;
}

/** Throws Fatal. */
export function takeGlobals(words: readonly string[], program: string): Globals {
  const globals: Globals = { rest: words, strict: false, netns: undefined };
  let at = 0;
  for (; at < words.length; at++) {
    const word = words[at] ?? '';
    if (word === '--strict') globals.strict = true;
    else if (word === '--netns') globals.netns = words[++at];
    else if (word.startsWith('--netns=')) globals.netns = word.slice('--netns='.length);
    else break;
    if (word.startsWith('--netns') && !globals.netns) throw usage('--netns: which one? A name or a path');
  }
  globals.rest = words.slice(at);
  // Without a command they are as good as any other word that ipvsadm does not know.
  if (at > 0 && globals.rest.length === 0) throw tryHelp(program);
  return globals;
}
