// SPDX-License-Identifier: MIT
/** The thread that runs regular expressions, each for a limited time. */
import { readFileSync } from 'node:fs';
import { isNativeError } from 'node:util/types';
import { type Context, createContext, Script } from 'node:vm';
import { parentPort } from 'node:worker_threads';
import { MATCH_LIMIT, type MatchAnswer, type MatchRequest } from './match-messages.ts';

/** Attempts per expression: on a busy machine the clock advances while this thread does not run. */
const TRIES = 5;
/** Milliseconds per tick in /proc: USER_HZ is 100 wherever Node runs. */
const TICK = 10;

interface Sandbox {
  pattern: RegExp;
  text: string;
}

/** Serves match requests of the parent thread. */
export function serveMatches(): void {
  const sandbox: Sandbox = { pattern: /./, text: '' };
  // The timeout of a script also interrupts a running expression; nothing else can.
  const context = createContext(sandbox);
  const script = new Script('pattern.test(text)');
  parentPort?.on('message', ({ number, pattern, body }: MatchRequest) => {
    sandbox.pattern = new RegExp(pattern);
    sandbox.text = Buffer.from(body.buffer, body.byteOffset, body.length).toString('utf8');
    const before = { wall: performance.now(), own: threadTime() };
    const result = match(script, context);
    // On a busy machine the first is too much, and the second counts whole ticks.
    const cost = Math.min(performance.now() - before.wall, threadTime() - before.own + TICK);
    sandbox.text = '';
    parentPort?.postMessage({ number, result, cost } satisfies MatchAnswer);
  });
}

function match(script: Script, context: Context): MatchAnswer['result'] {
  let slow = 0;
  for (let tries = 0; tries < TRIES; tries++) {
    const before = threadTime();
    try {
      return script.runInContext(context, { timeout: MATCH_LIMIT }) === true;
    } catch (error) {
      // The expression exceeded its backtracking memory.
      if (!timeIsUp(error)) return 'slow';
      // In a virtual machine the time that the host takes away counts as this thread's, so once is no proof.
      if (threadTime() - before >= MATCH_LIMIT / 2) slow += 1;
      if (slow === 2) return 'slow';
    }
  }
  return 'starved';
}

/** Milliseconds of processor time of this thread, proc(5). */
function threadTime(): number {
  const text = readFileSync('/proc/thread-self/stat', 'latin1');
  // The name, in parentheses, may contain anything; utime and stime are the 12th and 13th field after it.
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
  return TICK * (Number(fields[11]) + Number(fields[12]));
}

function timeIsUp(error: unknown): boolean {
  // An Error of the other context, so instanceof does not apply.
  return isNativeError(error) && 'code' in error && error.code === 'ERR_SCRIPT_EXECUTION_TIMEOUT';
}
