// SPDX-License-Identifier: MIT
/** The program: words in, exit status out. */
import { LvsdError } from '../base/errors.ts';
import { isSystemError } from '../base/native.ts';
import { execute } from './execute.ts';
import { Fatal, Rejected } from './outcome.ts';
import { StandardOutput } from './output.ts';
import { Session } from './session.ts';

/** Runs one command line; without words it lists the table. Prints errors as one line, never a stack trace. */
export async function main(words: readonly string[], program = 'lvsadm'): Promise<number> {
  const output = new StandardOutput();
  const session = new Session(program, output);
  try {
    return await run(words.length === 0 ? ['-L'] : words, session);
  } catch (error) {
    if (error instanceof Fatal || error instanceof Rejected) {
      output.err(`${error.message}\n`);
      return error.status;
    }
    if (error instanceof LvsdError || isSystemError(error)) {
      output.err(`${program}: ${error.message}\n`);
      return error instanceof LvsdError ? error.exitCode : 1;
    }
    throw error;
  } finally {
    output.flush();
    session.close();
  }
}

/** A first word that is no option may be a command of ours; ipvsadm has none. */
async function run(words: readonly string[], session: Session): Promise<number> {
  const verb = words[0]?.startsWith('-') ? undefined : await (await import('./rules/index.ts')).runVerb(words, session);
  return verb ?? execute(words, session);
}
