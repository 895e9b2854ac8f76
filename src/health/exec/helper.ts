// SPDX-License-Identifier: MIT
/** The exec helper as the checker sees it: started when the first program is to run, and again when it ends. */
import { type ChildProcess, fork } from 'node:child_process';
import { inconclusive, type Verdict } from '../verdict.ts';
import { workerPath } from '../worker-path.ts';
import type { FromExec, ToExec } from './messages.ts';

/** Milliseconds between two starts. */
const PAUSE = 1000;

const ENDED = inconclusive('the exec helper has ended');

type Run = Omit<Extract<ToExec, { type: 'run' }>, 'type' | 'number'>;

class ExecHelper {
  #child: ChildProcess | undefined;
  #startedAt = Number.NEGATIVE_INFINITY;
  #numbers = 0;
  readonly #running = new Map<number, (verdict: Verdict) => void>();

  /** Calls back once nothing is left of the program; what is returned tells it to end. */
  run(run: Run, ended: (verdict: Verdict) => void): () => void {
    const child = this.#child ?? this.#start();
    if (!child) {
      ended(ENDED);
      return () => {};
    }
    const number = ++this.#numbers;
    this.#running.set(number, ended);
    child.channel?.ref();
    const send = (message: ToExec): void => {
      if (child.connected) child.send(message, () => {});
    };
    send({ type: 'run', number, ...run });
    return () => send({ type: 'stop', number });
  }

  #start(): ChildProcess | undefined {
    if (performance.now() - this.#startedAt < PAUSE) return undefined;
    this.#startedAt = performance.now();
    const child = fork(workerPath('exec'), [], { execArgv: [], stdio: ['ignore', 'ignore', 'inherit', 'ipc'] });
    const end = (): void => {
      if (this.#child !== child) return;
      this.#child = undefined;
      const waiting = [...this.#running.values()];
      this.#running.clear();
      for (const ended of waiting) ended(ENDED);
    };
    child.on('exit', end);
    child.on('error', end);
    child.on('message', ({ number, verdict }: FromExec) => {
      const ended = this.#running.get(number);
      this.#running.delete(number);
      if (this.#running.size === 0) child.channel?.unref();
      ended?.(verdict);
    });
    // It is there for programs under way, and is no reason to go on without any.
    child.unref();
    this.#child = child;
    return child;
  }
}

export const execHelper = new ExecHelper();
