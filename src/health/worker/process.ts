// SPDX-License-Identifier: MIT
/**
 * Keeps the health worker running: sends its messages in order, watches its heartbeat, restarts it if it ends or hangs.
 */
import { type ChildProcess, fork } from 'node:child_process';
import { clockEnvironment, steady } from '../../base/clock.ts';
import type { Log } from '../../base/log.ts';
import { workerPath } from '../worker-path.ts';
import { Liveness, MAX_MISSED, type Stop } from './liveness.ts';
import type { FromWorker, ToWorker } from './messages.ts';

/** Milliseconds between checks of the heartbeat. */
const WATCH_INTERVAL = 1000;
const FIRST_DELAY = 100;
const LONGEST_DELAY = 10_000;
/** Milliseconds of run time after which a restart is not delayed. */
const STABLE_TIME = 60_000;
/** Milliseconds for it to exit before it is killed. */
const EXIT_TIME = 3000;
/** Characters of its stderr that are kept for the log. */
const STDERR_LENGTH = 400;

export interface HealthWorkerOptions {
  log: Log;
  /** A new process is running and needs all targets. */
  onStart: () => void;
  onMessage: (message: FromWorker) => void;
  onEnd: () => void;
  /** Checks have stopped; with undefined: they run again. */
  onStop: (stop: Stop | undefined) => void;
}

export class HealthWorker {
  readonly #options: HealthWorkerOptions;
  #child: ChildProcess | undefined;
  /** Sent one per turn of the event loop. */
  #outbox: (() => ToWorker)[] = [];
  #restart: NodeJS.Timeout | undefined;
  #watchdog: NodeJS.Timeout | undefined;
  readonly #liveness: Liveness;
  #delay = FIRST_DELAY;
  #stopped = false;

  constructor(options: HealthWorkerOptions) {
    this.#options = options;
    this.#liveness = new Liveness(steady(), options.onStop);
  }

  get running(): boolean {
    return this.#child !== undefined;
  }

  /** Also true before the first start. */
  get alive(): boolean {
    return this.#liveness.alive;
  }

  /** Why checks have stopped; undefined while they run. */
  get checksStop(): Stop | undefined {
    return this.#liveness.stop;
  }

  /** No effect if it is running or about to start. */
  start(): void {
    if (this.#child || this.#restart || this.#stopped) return;
    this.#watchdog ??= setInterval(() => this.#watch(), WATCH_INTERVAL).unref();
    this.#spawn();
  }

  /** Dropped if the worker is not running: a new process gets all targets. */
  send(message: () => ToWorker): void {
    if (!this.#child) return;
    if (this.#outbox.push(message) === 1) setImmediate(() => this.#flush());
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    clearTimeout(this.#restart);
    clearInterval(this.#watchdog);
    const child = this.#child;
    if (!child) return;
    const ended = new Promise((resolve) => child.once('exit', resolve));
    const timer = setTimeout(() => child.kill('SIGKILL'), EXIT_TIME);
    if (child.connected) child.disconnect();
    await ended;
    clearTimeout(timer);
  }

  #spawn(): void {
    const child = fork(workerPath('health'), [], {
      // A small young generation: 58 instead of 85 MB with 40,000 targets, at the same CPU time for a check.
      execArgv: ['--max-semi-space-size=1'],
      // The daemon's environment (NOTIFY_SOCKET and the like) must not reach the programs that it starts.
      env: { PATH: '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin', ...clockEnvironment() },
      stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
    });
    const startedAt = performance.now();
    let stderr = '';
    let over = false;
    const end = (how: string): void => {
      if (over) return;
      over = true;
      if (this.#child === child) this.#child = undefined;
      this.#outbox = [];
      this.#options.onEnd();
      if (this.#stopped) return;
      if (performance.now() - startedAt > STABLE_TIME) this.#delay = FIRST_DELAY;
      const line = stderr.trim().split('\n', 1)[0];
      const why = `${how}${line ? `: ${line}` : ''}`;
      this.#options.log.error(`the health worker ended (${why}): restarting it`);
      this.#liveness.ended(why);
      // Not from within the exit event: a process that cannot start would block all timers of this one.
      this.#restart = setTimeout(() => {
        this.#restart = undefined;
        this.#spawn();
      }, this.#delay);
      this.#delay = Math.min(2 * this.#delay, LONGEST_DELAY);
    };
    child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      stderr = (stderr + text).slice(0, STDERR_LENGTH);
    });
    child.on('error', (error) => end(error.message));
    child.on('exit', (code, signal) => end(signal ?? `exit status ${code}`));
    child.on('message', (message: FromWorker) => {
      if (over || this.#child !== child) return;
      if (message.type === 'beat') this.#liveness.beat(steady());
      this.#options.onMessage(message);
    });
    this.#child = child;
    this.#liveness.started();
    this.#options.onStart();
  }

  #flush(): void {
    const message = this.#outbox.shift();
    const child = this.#child;
    if (!message || !child) return;
    // An error means that it is exiting; its exit event follows.
    if (child.connected) child.send(message(), () => {});
    if (this.#outbox.length > 0) setImmediate(() => this.#flush());
  }

  #watch(): void {
    if (!this.#liveness.tick() || !this.#child) return;
    this.#options.log.error(`the health worker did not respond for ${MAX_MISSED} s: killing and restarting it`);
    this.#child.kill('SIGKILL');
  }
}
