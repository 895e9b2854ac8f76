// SPDX-License-Identifier: MIT
/** The program lvsadm: arguments in, exit status out. */
import { LvsdError } from '../base/errors.ts';
import { isSystemError } from '../base/native.ts';
import { parseGlobalOptions } from './command-line/global-options.ts';
import { Fatal, Rejected } from './errors.ts';
import { execute, parseLine, report } from './execute.ts';
import { enterNetns } from './netns.ts';
import { type Output, StandardOutput } from './output.ts';
import { Session, type SessionOptions } from './session.ts';
import { watch } from './watch.ts';

export interface MainOptions extends Pick<SessionOptions, 'input'> {
  /** The name it was called by: the prefix of messages. With `ipvsadm`, -v prints the line of the original. */
  program?: string;
  output?: Output;
}

/** Runs one command line; without words it lists the table. Prints errors as one line, never a stack trace. */
export async function main(
  words: readonly string[],
  { program = 'lvsadm', output = new StandardOutput(), input }: MainOptions = {},
): Promise<number> {
  let session: Session | undefined;
  try {
    const { rest, strict, netns } = parseGlobalOptions(words, program);
    session = new Session(program, output, { strict, input });
    if (netns !== undefined) enterNetns(netns);
    return await run(rest.length === 0 ? ['-L'] : rest, session);
  } catch (error) {
    const { status, message } = failure(error, program);
    output.err(`${message}\n`);
    return status;
  } finally {
    output.flush();
    session?.close();
  }
}

/**
 * Dispatches to a verb that ipvsadm does not have, to -R, or to one command of ipvsadm, which --watch repeats. Modules that few
 * commands need are imported on use, here and in execute.ts, because evaluating them would slow every start.
 */
async function run(words: readonly string[], session: Session): Promise<number> {
  // A first word that is not an option may be a verb; ipvsadm has none.
  if (!words[0]?.startsWith('-')) {
    const { runVerb } = await import('./rules/verbs.ts');
    const status = await runVerb(words, session);
    if (status !== undefined) return status;
  }
  const line = await parseLine(words, session);
  if (line.command === 'restore') {
    const { restore } = await import('./restore.ts');
    return restore(session.input, session);
  }
  const executeOnce = async () => report(await execute(line, session), session);
  return line.watch === undefined ? executeOnce() : watch(line.watch, session.output, executeOnce);
}

function failure(error: unknown, program: string): { status: number; message: string } {
  if (error instanceof Fatal || error instanceof Rejected) return error;
  if (error instanceof LvsdError) return { status: error.exitCode, message: `${program}: ${error.message}` };
  if (isSystemError(error)) return { status: 1, message: `${program}: ${error.message}` };
  const text = error instanceof Error ? `${error.name}: ${error.message}` : String(error);
  return { status: 1, message: `${program}: internal error: ${text.replaceAll('\n', ' ')}` };
}
