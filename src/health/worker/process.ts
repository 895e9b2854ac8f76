// SPDX-License-Identifier: MIT
/**
 * Keeps the health worker running: sends its messages in order, watches its heartbeat, restarts it if it ends or hangs.
 */
import { fork } from 'node:child_process';
import { clockArgument, steady } from '../../base/clock.ts';
import type { Log } from '../../base/log.ts';
import { SupervisedChild } from '../../base/supervised-child.ts';
import { workerPath } from '../worker-path.ts';
import { Liveness, MAX_MISSED, type Stop } from './liveness.ts';
import type { FromWorker, ToWorker } from './messages.ts';

/** Milliseconds between checks of the heartbeat. */
const WATCH_INTERVAL = 1000;

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
  readonly #child: SupervisedChild<FromWorker>;
  /** Sent one per turn of the event loop. */
  #outbox: (() => ToWorker)[] = [];
  #watchdog: NodeJS.Timeout | undefined;
  readonly #liveness: Liveness;
  readonly #log: Log;

  constructor({ log, onStart, onMessage, onEnd, onStop }: HealthWorkerOptions) {
    this.#log = log;
    this.#liveness = new Liveness(steady(), onStop);
    this.#child = new SupervisedChild<FromWorker>({
      name: 'the health worker',
      log,
      fork: () =>
        fork(workerPath('health'), [clockArgument()], {
          // A small young generation: 58 instead of 85 MB with 40,000 targets, at the same CPU time for a check.
          execArgv: ['--max-semi-space-size=1'],
          // The daemon's environment (NOTIFY_SOCKET and the like) must not reach the programs that it starts.
          env: { PATH: '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin' },
          stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
        }),
      onStart: () => {
        this.#watchdog ??= setInterval(() => this.#watch(), WATCH_INTERVAL).unref();
        this.#liveness.started();
        onStart();
      },
      onMessage: (message) => {
        if (message.type === 'beat') this.#liveness.beat(steady());
        onMessage(message);
      },
      onEnd: (how) => {
        this.#outbox = [];
        onEnd();
        if (how !== undefined) this.#liveness.ended(how);
      },
    });
  }

  get pid(): number | undefined {
    return this.#child.pid;
  }

  get restarts(): number {
    return this.#child.restarts;
  }

  get running(): boolean {
    return this.#child.running;
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
    this.#child.start();
  }

  /** Dropped if the worker is not running: a new process gets all targets. */
  send(message: () => ToWorker): void {
    if (!this.#child.running) return;
    if (this.#outbox.push(message) === 1) setImmediate(() => this.#flush());
  }

  async stop(): Promise<void> {
    clearInterval(this.#watchdog);
    await this.#child.stop();
  }

  #flush(): void {
    const message = this.#outbox.shift();
    if (message === undefined || !this.#child.running) return;
    this.#child.send(message());
    if (this.#outbox.length > 0) setImmediate(() => this.#flush());
  }

  #watch(): void {
    if (!this.#liveness.tick() || !this.#child.running) return;
    this.#log.error(`the health worker did not respond for ${MAX_MISSED} s: killing and restarting it`);
    this.#child.kill();
  }
}
