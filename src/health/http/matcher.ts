// SPDX-License-Identifier: MIT
/**
 * Regular expressions against bodies that come from outside. Some expressions take years for some texts, so they run in
 * a thread of their own, and there for a bounded time: no other check waits for them. Whoever took too long is asked
 * again ever more rarely, so that a few of them do not keep the thread from all others.
 */
import { Worker } from 'node:worker_threads';
import { workerPath } from '../worker-path.ts';
import { MATCH_LIMIT, type MatchAnswer, type MatchRequest } from './match-messages.ts';

/** Milliseconds that a pattern of a target rests after its first match that took too long, and at most. */
const FIRST_REST = 1000;
const LONGEST_REST = 60_000;

/** `failed`: the thread has ended. `starved`: it had no time of the processor. */
export type MatchResult = MatchAnswer['result'] | 'failed';

export interface Pattern {
  test(body: Uint8Array): Promise<MatchResult>;
}

class Matcher {
  readonly limit = MATCH_LIMIT;
  #worker: Worker | undefined;
  #numbers = 0;
  readonly #waiting = new Map<number, (result: MatchResult) => void>();

  /** One for each target. Throws where this is no regular expression. */
  pattern(source: string): Pattern {
    new RegExp(source);
    let rest = 0;
    let restsUntil = 0;
    let waiting = false;
    return {
      test: async (body) => {
        if (performance.now() < restsUntil) return 'slow';
        // Of a probe that is over by now. One for each target bounds what the thread has before it.
        if (waiting) return 'starved';
        waiting = true;
        const result = await this.#ask(source, body);
        waiting = false;
        rest = result === 'slow' ? Math.min(LONGEST_REST, 2 * rest || FIRST_REST) : 0;
        if (rest > 0) restsUntil = performance.now() + rest;
        return result;
      },
    };
  }

  #ask(pattern: string, body: Uint8Array): Promise<MatchResult> {
    return new Promise((resolve) => {
      const number = ++this.#numbers;
      this.#waiting.set(number, resolve);
      this.#worker ??= this.#start();
      this.#worker.ref();
      this.#worker.postMessage({ number, pattern, body } satisfies MatchRequest);
    });
  }

  #start(): Worker {
    const worker = new Worker(workerPath('match'), { execArgv: [], resourceLimits: { maxOldGenerationSizeMb: 64 } });
    worker.on('message', ({ number, result }: MatchAnswer) => {
      this.#waiting.get(number)?.(result);
      this.#waiting.delete(number);
      if (this.#waiting.size === 0) worker.unref();
    });
    worker.on('error', () => {});
    worker.on('exit', () => {
      this.#worker = undefined;
      for (const resolve of this.#waiting.values()) resolve('failed');
      this.#waiting.clear();
    });
    return worker;
  }
}

export const matcher = new Matcher();
