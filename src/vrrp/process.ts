// SPDX-License-Identifier: MIT
/**
 * The daemon's side of the VRRP process: starts it, watches its signs of life, and cleans up after one that died or
 * hangs, so that the peers take over at once and no address stays on two nodes.
 */
import { type ChildProcess, fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import type { Log } from '../base/log.ts';
import type { InstanceConfiguration } from './configuration.ts';
import { BEAT, type FromVrrp, type LastMessage, type ToVrrp } from './messages.ts';
import { withdraw } from './withdraw.ts';

const FIRST_DELAY = 100;
const LONGEST_DELAY = 10_000;
/** Milliseconds of run time after which a restart is not delayed. */
const STABLE_TIME = 60_000;
/** Signs of life that may be missing before the process is killed: a second. */
const PATIENCE = 5;
/** Milliseconds for an orderly end before it is killed. */
const EXIT_TIME = 3000;
const STDERR_LENGTH = 400;

export interface VrrpProcessOptions {
  log: Log;
  /** Everything but signs of life and deposits. */
  onMessage(message: FromVrrp): void;
  /** The adverts of priority 0 that are sent if the process dies have changed. */
  onLastMessages?(messages: readonly LastMessage[]): void;
  /** The process has died; its addresses are about to be removed. */
  onEnd?(): void;
}

export class VrrpProcess {
  readonly #options: VrrpProcessOptions;
  #child: ChildProcess | undefined;
  #instances: InstanceConfiguration[] = [];
  #services: Extract<ToVrrp, { type: 'services' }> = { type: 'services', up: {}, checked: false };
  /** By instance. */
  readonly #lastMessages = new Map<string, LastMessage[]>();
  #missed = 0;
  #started = false;
  #watchdog: NodeJS.Timeout | undefined;
  #restart: NodeJS.Timeout | undefined;
  #delay = FIRST_DELAY;
  /** Cleans up after a process that died; the next one starts after that. */
  #cleaning = false;
  #stopped = false;

  constructor(options: VrrpProcessOptions) {
    this.#options = options;
  }

  get pid(): number | undefined {
    return this.#child?.pid;
  }

  /** Tells whether services that instances track have their quorum, and whether their first checks have been made. */
  services(up: Record<string, boolean>, checked: boolean): void {
    this.#services = { type: 'services', up, checked };
    this.send(this.#services);
  }

  /** Applies a configuration, and starts the process if it is not running. */
  configure(instances: InstanceConfiguration[]): void {
    this.#instances = instances;
    if (this.#child !== undefined) this.send({ type: 'configure', instances });
    else if (this.#restart === undefined && !this.#cleaning && !this.#stopped) this.#spawn();
  }

  send(message: ToVrrp): void {
    if (this.#child?.connected) this.#child.send(message, () => {});
  }

  /** Ends the process; its instances leave their roles, and their addresses are removed. */
  async stop(): Promise<void> {
    this.#stopped = true;
    clearTimeout(this.#restart);
    clearInterval(this.#watchdog);
    const child = this.#child;
    if (child === undefined) return;
    const ended = new Promise((resolve) => child.once('exit', resolve));
    const timer = setTimeout(() => child.kill('SIGKILL'), EXIT_TIME);
    if (child.connected) child.disconnect();
    await ended;
    clearTimeout(timer);
    await this.#cleanUp();
  }

  #spawn(): void {
    const path = fileURLToPath(new URL('../../dist/workers/vrrp.cjs', import.meta.url));
    const child = fork(path, [], {
      // A small heap, collected by the thread that runs the timers: helper threads have a lower priority.
      execArgv: ['--single-threaded-gc', '--max-old-space-size=64'],
      env: {},
      stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
    });
    const startedAt = performance.now();
    let stderr = '';
    child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      stderr = (stderr + text).slice(0, STDERR_LENGTH);
    });
    child.on('message', (message: FromVrrp) => this.#receive(child, message));
    const end = (how: string) => {
      if (this.#child !== child) return;
      this.#child = undefined;
      clearInterval(this.#watchdog);
      if (this.#stopped) return;
      this.#options.onEnd?.();
      const line = stderr.trim().split('\n', 1)[0];
      this.#options.log.error(`the VRRP process ended (${how}${line ? `: ${line}` : ''}): restarting it`);
      if (performance.now() - startedAt > STABLE_TIME) this.#delay = FIRST_DELAY;
      this.#cleaning = true;
      void this.#cleanUp().then(() => this.#startAgain());
    };
    // Without a process id it did not start, and no exit follows.
    child.on('error', (error) => child.pid === undefined && end(error.message));
    child.on('exit', (code, signal) => end(signal ?? `exit status ${code}`));
    this.#child = child;
    this.#started = false;
    this.#missed = 0;
    this.#watchdog = setInterval(() => this.#watch(), BEAT).unref();
  }

  #startAgain(): void {
    this.#cleaning = false;
    if (this.#stopped) return;
    this.#restart = setTimeout(() => {
      this.#restart = undefined;
      this.#spawn();
    }, this.#delay);
    this.#delay = Math.min(2 * this.#delay, LONGEST_DELAY);
  }

  #receive(child: ChildProcess, message: FromVrrp): void {
    if (this.#child !== child) return;
    this.#missed = 0;
    if (message.type === 'beat') return;
    if (message.type === 'last-messages') {
      this.#lastMessages.set(message.instance, message.messages);
      this.#options.onLastMessages?.([...this.#lastMessages.values()].flat());
      return;
    }
    if (message.type === 'started') {
      this.#started = true;
      this.send(this.#services);
      this.send({ type: 'configure', instances: this.#instances });
    }
    this.#options.onMessage(message);
  }

  /** Counts signs of life, not time: a delay of the daemon delays both. */
  #watch(): void {
    this.#missed += 1;
    // The first start may take longer on a busy machine.
    if (this.#missed < (this.#started ? PATIENCE : 10 * PATIENCE)) return;
    this.#options.log.error(`the VRRP process did not respond for ${(this.#missed * BEAT) / 1000} s: killing it`);
    this.#missed = 0;
    this.#child?.kill('SIGKILL');
  }

  /** Sends the adverts of priority 0 that the process left, and removes its addresses. */
  async #cleanUp(): Promise<void> {
    const messages = [...this.#lastMessages.values()].flat();
    this.#lastMessages.clear();
    await withdraw(messages, (text) => this.#options.log.error(`VRRP: ${text}`));
    this.#options.onLastMessages?.([]);
  }
}
