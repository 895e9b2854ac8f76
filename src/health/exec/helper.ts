// SPDX-License-Identifier: MIT
/**
 * Starts the exec helper with the first program, restarts it after it has ended or hangs, and runs programs through it.
 */
import { type ChildProcess, fork } from 'node:child_process';
import { inconclusive, type Verdict } from '../verdict.ts';
import { workerPath } from '../worker-path.ts';
import type { FromExec, Run, ToExec } from './messages.ts';
import { signalGroup, startTime } from './process-group.ts';

/** Milliseconds between two starts. */
const PAUSE = 1000;
/** Milliseconds between checks for a message from the helper. */
const WATCH_INTERVAL = 1000;
/**
 * Checks without a message after which it is killed. A count, not a time, because a delay of this process delays both.
 */
const MAX_MISSED = 5;
/** The same before its first message: on a busy machine it takes a while to start, and a restart would take as long. */
const MAX_MISSED_AT_START = 30;
/** Milliseconds for the helper to confirm that a program is still running. */
const ANSWER_TIME = 1000;

/** The verdict of a program whose helper has ended. */
export const ENDED = inconclusive('the exec helper has ended');

interface Running {
  ended: (verdict: Verdict) => void;
  /** Start of the program, by performance.now(). */
  startedAt: number | undefined;
  /** Leader of its process group. */
  leader: { pid: number; startTime: string } | undefined;
  /** Resolves the pending query. */
  answer: ((running: boolean) => void) | undefined;
}

export interface RunningProgram {
  /** Start of the program, by performance.now(); undefined if not started yet. */
  readonly startedAt: number | undefined;
  /** Whether the helper confirms that it is still running; false also without an answer. */
  stillRunning(): Promise<boolean>;
  stop(): void;
}

const NONE: RunningProgram = { startedAt: undefined, stillRunning: () => Promise.resolve(false), stop() {} };

class ExecHelper {
  #child: ChildProcess | undefined;
  #startedAt = Number.NEGATIVE_INFINITY;
  #numbers = 0;
  #watchdog: NodeJS.Timeout | undefined;
  /** Intervals without a message. */
  #missed = 0;
  readonly #running = new Map<number, Running>();

  /** Undefined: it does not run. */
  get pid(): number | undefined {
    return this.#child?.pid;
  }

  /** Calls back once all processes of the program have ended. */
  run(run: Run, ended: (verdict: Verdict) => void): RunningProgram {
    const child = this.#child ?? this.#start();
    if (!child) {
      ended(ENDED);
      return NONE;
    }
    const number = ++this.#numbers;
    const running: Running = { ended, startedAt: undefined, leader: undefined, answer: undefined };
    this.#running.set(number, running);
    child.channel?.ref();
    this.#watchdog ??= setInterval(() => this.#watch(), WATCH_INTERVAL).unref();
    send(child, { type: 'run', number, run });
    return {
      get startedAt() {
        return running.startedAt;
      },
      stillRunning: () =>
        new Promise((resolve) => {
          if (this.#running.get(number) !== running) return resolve(false);
          const timer = setTimeout(() => resolve(false), ANSWER_TIME);
          running.answer = (result) => {
            clearTimeout(timer);
            resolve(result);
          };
          send(child, { type: 'query', number });
        }),
      stop: () => send(child, { type: 'stop', number }),
    };
  }

  #start(): ChildProcess | undefined {
    if (performance.now() - this.#startedAt < PAUSE) return undefined;
    this.#startedAt = performance.now();
    const child = fork(workerPath('exec'), [], { execArgv: [], stdio: ['ignore', 'ignore', 'inherit', 'ipc'] });
    const end = (): void => {
      if (this.#child === child) this.#ended();
    };
    child.on('exit', end);
    child.on('error', end);
    child.on('message', (message: FromExec) => {
      if (this.#child === child) this.#receive(message);
    });
    // Keeps this process alive only while programs are running.
    child.unref();
    this.#missed = MAX_MISSED - MAX_MISSED_AT_START;
    this.#child = child;
    return child;
  }

  #receive(message: FromExec): void {
    this.#missed = 0;
    if (message.type === 'pong') return;
    const running = this.#running.get(message.number);
    if (!running) return;
    switch (message.type) {
      case 'started':
        running.startedAt = performance.now();
        running.leader = message;
        break;
      case 'running':
        running.answer?.(true);
        break;
      case 'ended':
        this.#running.delete(message.number);
        if (this.#running.size === 0) this.#becomeIdle();
        running.ended(message.verdict);
        running.answer?.(false);
    }
  }

  #watch(): void {
    const child = this.#child;
    if (!child) return;
    if (++this.#missed > MAX_MISSED) child.kill('SIGKILL');
    else send(child, { type: 'ping' });
  }

  #becomeIdle(): void {
    this.#child?.channel?.unref();
    clearInterval(this.#watchdog);
    this.#watchdog = undefined;
  }

  /** Kills programs that the ended helper left behind. */
  #ended(): void {
    this.#becomeIdle();
    this.#child = undefined;
    const running = [...this.#running.values()];
    this.#running.clear();
    for (const { leader } of running)
      if (leader && startTime(leader.pid) === leader.startTime) signalGroup(leader.pid, 'SIGKILL');
    for (const { ended, answer } of running) {
      ended(ENDED);
      answer?.(false);
    }
  }
}

function send(child: ChildProcess, message: ToExec): void {
  // An error means that it is exiting; its exit event follows.
  if (child.connected) child.send(message, () => {});
}

export const execHelper = new ExecHelper();
