// SPDX-License-Identifier: MIT
/** Keeps a child process with an IPC channel running: starts it again, with growing delays, when it ends. */
import type { ChildProcess } from 'node:child_process';
import type { Log } from './log.ts';

const FIRST_DELAY = 100;
const LONGEST_DELAY = 10_000;
/** Milliseconds of run time after which a restart is not delayed. */
const STABLE_TIME = 60_000;
/** Milliseconds for an orderly end before it is killed. */
const EXIT_TIME = 3000;
/** Characters of its stderr that are kept for the log. */
const STDERR_LENGTH = 400;

export interface SupervisedChildOptions<M> {
  /** As in the log: "the VRRP process". */
  name: string;
  log: Log;
  /** Starts the process, with stderr as a pipe. */
  fork(): ChildProcess;
  /** A new process runs. */
  onStart(): void;
  onMessage(message: M): void;
  /** It has ended. `how`: unless it was stopped; another one is started once the promise has resolved. */
  onEnd(how: string | undefined): Promise<void> | void;
}

export class SupervisedChild<M> {
  readonly #options: SupervisedChildOptions<M>;
  #child: ChildProcess | undefined;
  #restart: NodeJS.Timeout | undefined;
  #delay = FIRST_DELAY;
  /** Between the end of one process and the timer of the next. */
  #ending = false;
  #stopped = false;
  /** Started again so often. */
  restarts = 0;

  constructor(options: SupervisedChildOptions<M>) {
    this.#options = options;
  }

  get pid(): number | undefined {
    return this.#child?.pid;
  }

  get running(): boolean {
    return this.#child !== undefined;
  }

  /** No effect if it runs, is about to, or was stopped. */
  start(): void {
    if (this.#child || this.#restart || this.#ending || this.#stopped) return;
    this.#spawn();
  }

  /** Lost if it does not run. */
  send(message: object): void {
    // An error means that it is exiting; its exit event follows.
    if (this.#child?.connected) this.#child.send(message, () => {});
  }

  kill(): void {
    this.#child?.kill('SIGKILL');
  }

  /** Ends the process by closing its channel, and does not start another one. Returns whether it was running. */
  async stop(): Promise<boolean> {
    this.#stopped = true;
    clearTimeout(this.#restart);
    const child = this.#child;
    if (child === undefined) return false;
    const ended = new Promise((resolve) => child.once('exit', resolve));
    const timer = setTimeout(() => child.kill('SIGKILL'), EXIT_TIME);
    if (child.connected) child.disconnect();
    await ended;
    clearTimeout(timer);
    return true;
  }

  #spawn(): void {
    const child = this.#options.fork();
    const startedAt = performance.now();
    let stderr = '';
    child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      stderr = (stderr + text).slice(0, STDERR_LENGTH);
    });
    const end = (how: string) => {
      if (this.#child !== child) return;
      this.#child = undefined;
      const line = stderr.trim().split('\n', 1)[0];
      if (performance.now() - startedAt > STABLE_TIME) this.#delay = FIRST_DELAY;
      void this.#end(`${how}${line ? `: ${line}` : ''}`);
    };
    // Without a process id it did not start, and no exit follows.
    child.on('error', (error) => child.pid === undefined && end(error.message));
    child.on('exit', (code, signal) => end(signal ?? `exit status ${code}`));
    child.on('message', (message: M) => {
      if (this.#child === child) this.#options.onMessage(message);
    });
    this.#child = child;
    this.#options.onStart();
  }

  async #end(how: string): Promise<void> {
    const { name, log, onEnd } = this.#options;
    this.#ending = true;
    if (!this.#stopped) log.error(`${name} ended (${how}): restarting it`);
    await onEnd(this.#stopped ? undefined : how);
    this.#ending = false;
    if (this.#stopped) return;
    // Not from within the exit event: a process that cannot start would block all timers of this one.
    this.#restart = setTimeout(() => {
      this.#restart = undefined;
      this.restarts++;
      this.#spawn();
    }, this.#delay);
    this.#delay = Math.min(2 * this.#delay, LONGEST_DELAY);
  }
}
