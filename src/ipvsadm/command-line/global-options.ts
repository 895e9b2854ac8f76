// SPDX-License-Identifier: MIT
/**
 * Options before the command: --strict, and --netns NAME or PATH. ipvsadm requires a command as its first option, so
 * these conflict with none of its command lines.
 */
import { tryHelp, usage } from '../errors.ts';

export interface GlobalOptions {
  /** The remaining words. */
  rest: readonly string[];
  /** Avoid known defects of ipvsadm (docs/lvsadm.md). */
  strict: boolean;
  /** A name under /run/netns, or a path. */
  netns: string | undefined;
}

/** Throws Fatal. */
export function parseGlobalOptions(words: readonly string[], program: string): GlobalOptions {
  const globals: GlobalOptions = { rest: words, strict: false, netns: undefined };
  let at = 0;
  for (; at < words.length; at++) {
    const word = words[at] ?? '';
    if (word === '--strict') globals.strict = true;
    else if (word === '--netns') globals.netns = words[++at];
    else if (word.startsWith('--netns=')) globals.netns = word.slice('--netns='.length);
    else break;
    if (word.startsWith('--netns') && !globals.netns)
      throw usage('--netns: missing name or path of a network namespace');
  }
  globals.rest = words.slice(at);
  // Without a command, the error is the same as for any unknown option.
  if (at > 0 && globals.rest.length === 0) throw tryHelp(program);
  return globals;
}
