// SPDX-License-Identifier: MIT
/** The thread that runs regular expressions, each for a bounded time. */
import { createContext, Script } from 'node:vm';
import { parentPort } from 'node:worker_threads';
import { MATCH_LIMIT, type MatchAnswer, type MatchRequest } from './match-messages.ts';

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
    let result: MatchAnswer['result'] = 'slow';
    sandbox.pattern = new RegExp(pattern);
    sandbox.text = Buffer.from(body.buffer, body.byteOffset, body.length).toString('utf8');
    try {
      result = script.runInContext(context, { timeout: MATCH_LIMIT }) === true;
    } catch {
      // Out of time, or out of the memory that an expression may use to remember where it was.
    }
    sandbox.text = '';
    parentPort?.postMessage({ number, result } satisfies MatchAnswer);
  });
}
