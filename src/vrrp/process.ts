// SPDX-License-Identifier: MIT
/**
 * The daemon's side of the VRRP process: starts it, watches its signs of life, and cleans up after one that died or
 * hangs, so that the peers take over at once and no address stays on two nodes.
 */
import { fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import type { Log } from '../base/log.ts';
import { SupervisedChild } from '../base/supervised-child.ts';
import type { InstanceConfiguration } from './configuration.ts';
import { BEAT, type FromVrrp, type LastMessage, type ToVrrp } from './messages.ts';
import { withdraw } from './withdraw.ts';

/** Signs of life that may be missing before the process is killed: a second. */
const PATIENCE = 5;

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
  readonly #child: SupervisedChild<FromVrrp>;
  #instances: InstanceConfiguration[] = [];
  #services: Extract<ToVrrp, { type: 'services' }> = { type: 'services', up: {}, checked: false };
  /** By instance. */
  readonly #lastMessages = new Map<string, LastMessage[]>();
  #missed = 0;
  #started = false;
  /** By lvsd, because it did not respond. */
  #killed = false;
  #watchdog: NodeJS.Timeout | undefined;

  constructor(options: VrrpProcessOptions) {
    this.#options = options;
    this.#child = new SupervisedChild<FromVrrp>({
      name: 'the VRRP process',
      log: options.log,
      fork: () =>
        fork(fileURLToPath(new URL('../../dist/workers/vrrp.cjs', import.meta.url)), [], {
          // A small heap, collected by the thread that runs the timers: helper threads have a lower priority.
          execArgv: ['--single-threaded-gc', '--max-old-space-size=64'],
          env: {},
          stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
        }),
      onStart: () => {
        this.#started = false;
        this.#missed = 0;
        this.#watchdog = setInterval(() => this.#watch(), BEAT).unref();
      },
      onMessage: (message) => this.#receive(message),
      onEnd: (how) => {
        clearInterval(this.#watchdog);
        if (how === undefined) return;
        if (how.startsWith('SIGKILL') && !this.#killed)
          options.log.error('lvsd did not kill the VRRP process: check for the OOM killer (dmesg), or who did');
        this.#killed = false;
        options.onEnd?.();
        return this.#cleanUp();
      },
    });
  }

  get pid(): number | undefined {
    return this.#child.pid;
  }

  get restarts(): number {
    return this.#child.restarts;
  }

  /** Tells whether services that instances track have their quorum, and whether their first checks have been made. */
  services(up: Record<string, boolean>, checked: boolean): void {
    this.#services = { type: 'services', up, checked };
    this.send(this.#services);
  }

  /** Applies a configuration, and starts the process if it is not running. */
  configure(instances: InstanceConfiguration[]): void {
    this.#instances = instances;
    this.send({ type: 'configure', instances });
    this.#child.start();
  }

  send(message: ToVrrp): void {
    this.#child.send(message);
  }

  /** Ends the process; its instances leave their roles, and their addresses are removed. */
  async stop(): Promise<void> {
    clearInterval(this.#watchdog);
    if (await this.#child.stop()) await this.#cleanUp();
  }

  #receive(message: FromVrrp): void {
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
    this.#options.log.error(
      `the VRRP process did not respond for ${(this.#missed * BEAT) / 1000} s: killing it; check whether the machine is overloaded`,
    );
    this.#missed = 0;
    this.#killed = true;
    this.#child.kill();
  }

  /** Sends the adverts of priority 0 that the process left, and removes its addresses. */
  async #cleanUp(): Promise<void> {
    const messages = [...this.#lastMessages.values()].flat();
    this.#lastMessages.clear();
    await withdraw(messages, (text) => this.#options.log.error(`VRRP: ${text}`));
    this.#options.onLastMessages?.([]);
  }
}
