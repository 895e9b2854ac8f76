// SPDX-License-Identifier: MIT
/** The thread that runs regular expressions, each for a bounded time. */
import { readFileSync } from 'node:fs';
import { isNativeError } from 'node:util/types';
import { type Context, createContext, Script } from 'node:vm';
import { parentPort } from 'node:worker_threads';
import { MATCH_LIMIT, type MatchAnswer, type MatchRequest } from './match-messages.ts';

/** On a busy machine the clock goes on without this thread: an expression may begin so often before that is given up. */
const TRIES = 5;
/** Milliseconds a tick of /proc's times: USER_HZ is 100 wherever Node runs. */
const TICK = 10;

interface Sandbox {
  pattern: RegExp;
  text: string;
}

export function serveMatches(): void {
  const sandbox: Sandbox = { pattern: /./, text: '' };
  // The engine looks at the clock of a script while it is in an expression, too; nothing else could stop one.
  const context = createContext(sandbox);
  const script = new Script('pattern.test(text)');
  parentPort?.on('message', ({ number, pattern, body }: MatchRequest) => {
    sandbox.pattern = new RegExp(pattern);
    sandbox.text = Buffer.from(body.buffer, body.byteOffset, body.length).toString('utf8');
    const result = match(script, context);
    sandbox.text = '';
    parentPort?.postMessage({ number, result } satisfies MatchAnswer);
  });
}

function match(script: Script, context: Context): MatchAnswer['result'] {
  for (let tries = 0; tries < TRIES; tries++) {
    const before = threadTime();
    try {
      return script.runInContext(context, { timeout: MATCH_LIMIT }) === true;
    } catch (error) {
      // Out of time by the clock, or out of the memory that an expression may use to remember where it was.
      if (threadTime() - before >= MATCH_LIMIT / 2 || !timeIsUp(error)) return 'slow';
    }
  }
  return 'starved';
}

/** Milliseconds of processor time that this thread has had, proc(5). */
function threadTime(): number {
  const text = readFileSync('/proc/thread-self/stat', 'latin1');
  // The name, in parentheses, may have anything in it; utime and stime are the 12th and 13th field after it.
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
  return TICK * (Number(fields[11]) + Number(fields[12]));
}

function timeIsUp(error: unknown): boolean {
  // An Error of the other context, thus no instance of this one's.
  return isNativeError(error) && 'code' in error && error.code === 'ERR_SCRIPT_EXECUTION_TIMEOUT';
}
