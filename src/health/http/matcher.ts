// SPDX-License-Identifier: MIT
/**
 * Matches regular expressions against bodies. Because some expressions need exponential time for some texts, they run
 * in a separate thread with a time limit and block no other check. Targets whose bodies cost much time wait for those
 * whose bodies cost little, and slow ones are retried at increasing intervals: a hostile real server chooses its bodies.
 */
import { Worker } from 'node:worker_threads';
import { Heap, type HeapItem } from '../schedule/heap.ts';
import { workerPath } from '../worker-path.ts';
import { MATCH_LIMIT, type MatchAnswer, type MatchRequest } from './match-messages.ts';

/** Milliseconds that a target's pattern is suspended after its first slow match, and the maximum. */
const FIRST_PAUSE = 1000;
const LONGEST_PAUSE = 60_000;
/** A request waits for those that arrive this many times its cost later. */
const HANDICAP = 50;
/** Part of the cost of earlier matches that counts for the next. */
const MEMORY = 0.9;

/** `failed`: the thread has ended. `starved`: it got no processor time. */
export type MatchResult = MatchAnswer['result'] | 'failed';

export interface Pattern {
  /** `target`: whose body it is. A request that is not `wanted` any more when its turn comes is starved. */
  test(target: object, body: Uint8Array, wanted?: () => boolean): Promise<MatchResult>;
}

/** Statistics of the bodies of one target. */
interface Bodies {
  /** Milliseconds of processor time of a match, of which later ones count most. */
  cost: number;
  /** Milliseconds of the present pause, and its end by performance.now(). */
  pause: number;
  pausedUntil: number;
  /** A request is waiting or running. */
  busy: boolean;
}

/** `at`: its place in the queue. */
interface Waiting extends HeapItem {
  pattern: string;
  body: Uint8Array;
  wanted: () => boolean;
  resolve: (result: MatchResult, cost: number) => void;
}

class Matcher {
  readonly limit = MATCH_LIMIT;
  #worker: Worker | undefined;
  #numbers = 0;
  readonly #queue = new Heap<Waiting>();
  /** The thread has one request at a time: those behind it can still be overtaken. */
  #running: { number: number; request: Waiting } | undefined;

  /** One per check. Throws if the text is not a regular expression. */
  pattern(source: string): Pattern {
    new RegExp(source);
    const known = new WeakMap<object, Bodies>();
    return {
      test: async (target, body, wanted = () => true) => {
        const bodies = known.get(target) ?? { cost: 0, pause: 0, pausedUntil: 0, busy: false };
        known.set(target, bodies);
        if (performance.now() < bodies.pausedUntil) return 'slow';
        // The previous probe is over. One request per target limits the queue.
        if (bodies.busy) return 'starved';
        bodies.busy = true;
        const result = await this.#request(source, bodies, body, wanted);
        bodies.busy = false;
        bodies.pause = result === 'slow' ? Math.min(LONGEST_PAUSE, 2 * bodies.pause || FIRST_PAUSE) : 0;
        if (bodies.pause > 0) bodies.pausedUntil = performance.now() + bodies.pause;
        return result;
      },
    };
  }

  #request(pattern: string, bodies: Bodies, body: Uint8Array, wanted: () => boolean): Promise<MatchResult> {
    return new Promise((resolve) => {
      this.#queue.add({
        at: performance.now() + HANDICAP * bodies.cost,
        index: -1,
        pattern,
        body,
        wanted,
        resolve: (result, cost) => {
          bodies.cost = Math.max(cost, MEMORY * bodies.cost);
          resolve(result);
        },
      });
      this.#next();
    });
  }

  #next(): void {
    while (!this.#running) {
      const request = this.#queue.first;
      if (!request) break;
      this.#queue.remove(request);
      if (!request.wanted()) {
        request.resolve('starved', 0);
        continue;
      }
      const number = ++this.#numbers;
      this.#running = { number, request };
      this.#worker ??= this.#start();
      this.#worker.ref();
      const { pattern, body } = request;
      this.#worker.postMessage({ number, pattern, body } satisfies MatchRequest);
    }
  }

  #finish(result: MatchResult, cost: number): void {
    const running = this.#running;
    this.#running = undefined;
    running?.request.resolve(result, cost);
    this.#next();
  }

  #start(): Worker {
    const worker = new Worker(workerPath('match'), { execArgv: [], resourceLimits: { maxOldGenerationSizeMb: 64 } });
    worker.on('message', ({ number, result, cost }: MatchAnswer) => {
      if (number === this.#running?.number) this.#finish(result, cost);
      if (!this.#running) worker.unref();
    });
    worker.on('error', () => {});
    worker.on('exit', () => {
      this.#worker = undefined;
      this.#finish('failed', 0);
    });
    return worker;
  }
}

export const matcher = new Matcher();
