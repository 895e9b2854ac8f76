// SPDX-License-Identifier: MIT
/** The program: words in, exit status out. */
import { LvsdError } from '../base/errors.ts';
import { isSystemError } from '../base/native.ts';
import { execute } from './execute.ts';
import { takeGlobals } from './globals.ts';
import { Fatal, Rejected } from './outcome.ts';
import { type Output, StandardOutput } from './output.ts';
import { Session } from './session.ts';

export interface MainOptions {
  /** The name that it was called by: messages have it, and `ipvsadm` answers -v as the original does. */
  program?: string;
  output?: Output;
  /** Rules of -R; standard input if not said. */
  input?: Iterable<Buffer | string> | AsyncIterable<Buffer | string>;
}

/** Runs one command line; without words it lists the table. Prints errors as one line, never a stack trace. */
export async function main(
  words: readonly string[],
  { program = 'lvsadm', output = new StandardOutput(), input }: MainOptions = {},
): Promise<number> {
  let session: Session | undefined;
  try {
    const { rest, strict, netns } = takeGlobals(words, program);
    if (netns !== undefined) (await import('./netns.ts')).enterNetns(netns);
    session = new Session(program, output, { strict, input });
    return await run(rest.length === 0 ? ['-L'] : rest, session);
  } catch (error) {
    if (error instanceof Fatal || error instanceof Rejected) {
      output.err(`${error.message}\n`);
      return error.status;
    }
    if (error instanceof LvsdError || isSystemError(error)) {
      output.err(`${program}: ${error.message}\n`);
      return error instanceof LvsdError ? error.exitCode : 1;
    }
    // A stack trace helps nobody at a prompt.
    const message = error instanceof Error ? `${error.name}: ${error.message}` : String(error);
    output.err(`${program}: a fault of its own: ${message.replaceAll('\n', ' ')}\n`);
    return 1;
  } finally {
    output.flush();
    session?.close();
  }
}

/** A first word that is no option may be a command of ours; ipvsadm has none. */
async function run(words: readonly string[], session: Session): Promise<number> {
  const verb = words[0]?.startsWith('-') ? undefined : await (await import('./rules/index.ts')).runVerb(words, session);
  return verb ?? execute(words, session);
}
