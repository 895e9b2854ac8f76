// SPDX-License-Identifier: MIT
/** The checker process, kept running: messages to it in order, its signs of life, a new one when it ends or hangs. */
import { type ChildProcess, fork } from 'node:child_process';
import type { Log } from '../../base/log.ts';
import { workerPath } from '../worker-path.ts';
import type { FromChecker, ToChecker } from './messages.ts';

/** Milliseconds between two looks for a sign of life. */
const LOOK = 1000;
/** Looks without one, after which it is killed. Looks are counted rather than time: if this process is held up, so are they. */
const PATIENCE = 15;
/** Looks without one, a new start in between, after which something is wrong that a new start does not cure. */
const DEAD = 40;
const FIRST_DELAY = 100;
const LONGEST_DELAY = 10_000;
/** One that ran for so long starts again without delay when it ends. */
const STEADY = 60_000;
/** How long it may take to end when asked to. */
const GOODBYE = 3000;
/** What it wrote to stderr before it ended, in characters. */
const LAST_WORDS = 400;

export interface CheckerProcessOptions {
  log: Log;
  /** It starts from nothing: send it everything. */
  onStart: () => void;
  onMessage: (message: FromChecker) => void;
  onEnd: () => void;
}

export class CheckerProcess {
  readonly #options: CheckerProcessOptions;
  #child: ChildProcess | undefined;
  /** Written out one a turn of the event loop. */
  #outbox: (() => ToChecker)[] = [];
  #restart: NodeJS.Timeout | undefined;
  #look: NodeJS.Timeout | undefined;
  #missed = 0;
  #delay = FIRST_DELAY;
  #stopped = false;

  constructor(options: CheckerProcessOptions) {
    this.#options = options;
  }

  get running(): boolean {
    return this.#child !== undefined;
  }

  /** True as well while nothing has been started. */
  get alive(): boolean {
    return this.#missed < DEAD;
  }

  /** Nothing happens when it runs, or is about to. */
  start(): void {
    if (this.#child || this.#restart || this.#stopped) return;
    this.#look ??= setInterval(() => this.#watch(), LOOK).unref();
    this.#spawn();
  }

  /** Messages to a process that is not there are dropped: a new one is told everything. */
  send(message: () => ToChecker): void {
    if (!this.#child) return;
    if (this.#outbox.push(message) === 1) setImmediate(() => this.#flush());
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    clearTimeout(this.#restart);
    clearInterval(this.#look);
    const child = this.#child;
    if (!child) return;
    const ended = new Promise((resolve) => child.once('exit', resolve));
    const timer = setTimeout(() => child.kill('SIGKILL'), GOODBYE);
    if (child.connected) child.disconnect();
    await ended;
    clearTimeout(timer);
  }

  #spawn(): void {
    const child = fork(workerPath('health'), [], {
      // A small young generation: 58 instead of 85 MB with 40,000 targets, at the same CPU time for a check.
      execArgv: ['--max-semi-space-size=1'],
      // Nothing of the daemon's environment reaches what it starts, NOTIFY_SOCKET and the like.
      env: { PATH: '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin' },
      stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
    });
    const startedAt = performance.now();
    let lastWords = '';
    let over = false;
    const end = (how: string): void => {
      if (over) return;
      over = true;
      if (this.#child === child) this.#child = undefined;
      this.#outbox = [];
      this.#options.onEnd();
      if (this.#stopped) return;
      if (performance.now() - startedAt > STEADY) this.#delay = FIRST_DELAY;
      const words = lastWords.trim().split('\n', 1)[0];
      this.#options.log.error(`the checker process ended (${how}${words ? `: ${words}` : ''}), it is started again`);
      // Never from within the exit event: a process that cannot start would keep every timer of this one from firing.
      this.#restart = setTimeout(() => {
        this.#restart = undefined;
        this.#spawn();
      }, this.#delay);
      this.#delay = Math.min(2 * this.#delay, LONGEST_DELAY);
    };
    child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      lastWords = (lastWords + text).slice(0, LAST_WORDS);
    });
    child.on('error', (error) => end(error.message));
    child.on('exit', (code, signal) => end(signal ?? `exit status ${code}`));
    child.on('message', (message: FromChecker) => {
      if (over || this.#child !== child) return;
      if (message.type === 'beat') this.#missed = 0;
      this.#options.onMessage(message);
    });
    this.#child = child;
    this.#options.onStart();
  }

  #flush(): void {
    const message = this.#outbox.shift();
    const child = this.#child;
    if (!message || !child) return;
    // An error means that it is ending: its exit says the rest.
    if (child.connected) child.send(message(), () => {});
    if (this.#outbox.length > 0) setImmediate(() => this.#flush());
  }

  #watch(): void {
    this.#missed++;
    if (this.#missed % PATIENCE !== 0 || !this.#child) return;
    this.#options.log.error(`the checker process gave no sign of life for ${PATIENCE} s, it is killed`);
    this.#child.kill('SIGKILL');
  }
}
