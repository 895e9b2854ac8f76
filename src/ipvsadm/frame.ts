// SPDX-License-Identifier: MIT
/** What is around every run of the program: its session, and what becomes of an error. */
import { LvsdError } from '../base/errors.ts';
import { isSystemError } from '../base/native.ts';
import { type Globals, takeGlobals } from './globals.ts';
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

/** Runs `act` with what `words` say, and gives what it gives; an error is printed as one line and becomes a status. */
export async function framed<T>(
  words: readonly string[],
  { program = 'lvsadm', output = new StandardOutput(), input }: MainOptions,
  act: (globals: Globals, session: Session) => Promise<T> | T,
): Promise<T | number> {
  let session: Session | undefined;
  try {
    const globals = takeGlobals(words, program);
    session = new Session(program, output, { strict: globals.strict, input });
    return await act(globals, session);
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
