// SPDX-License-Identifier: MIT
/**
 * Matches regular expressions against bodies. Because some expressions need exponential time for some texts, they run
 * in a separate thread with a time limit and block no other check. Slow patterns are retried at increasing intervals,
 * so that they do not occupy the thread.
 */
import { Worker } from 'node:worker_threads';
import { workerPath } from '../worker-path.ts';
import { MATCH_LIMIT, type MatchAnswer, type MatchRequest } from './match-messages.ts';

/** Milliseconds that a target's pattern is suspended after its first slow match, and the maximum. */
const FIRST_PAUSE = 1000;
const LONGEST_PAUSE = 60_000;

/** `failed`: the thread has ended. `starved`: it got no processor time. */
export type MatchResult = MatchAnswer['result'] | 'failed';

export interface Pattern {
  test(body: Uint8Array): Promise<MatchResult>;
}

class Matcher {
  readonly limit = MATCH_LIMIT;
  #worker: Worker | undefined;
  #numbers = 0;
  readonly #waiting = new Map<number, (result: MatchResult) => void>();

  /** One per target. Throws if the text is not a regular expression. */
  pattern(source: string): Pattern {
    new RegExp(source);
    let pause = 0;
    let pausedUntil = 0;
    let waiting = false;
    return {
      test: async (body) => {
        if (performance.now() < pausedUntil) return 'slow';
        // The previous probe is over. One request per target limits the thread's queue.
        if (waiting) return 'starved';
        waiting = true;
        const result = await this.#request(source, body);
        waiting = false;
        pause = result === 'slow' ? Math.min(LONGEST_PAUSE, 2 * pause || FIRST_PAUSE) : 0;
        if (pause > 0) pausedUntil = performance.now() + pause;
        return result;
      },
    };
  }

  #request(pattern: string, body: Uint8Array): Promise<MatchResult> {
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
