// SPDX-License-Identifier: MIT
/**
 * Notices what others change. The kernel tells of addresses and devices; of its IPVS table a patched one tells at least
 * that it changed (the generation, asked for every second); for the rest the whole table is read now and then.
 */

import type { Reporter } from '../control/reporter.ts';
import type { Daemon } from '../daemon.ts';
import type { Kernel } from './kernel.ts';
import { lineOf } from './reconciler.ts';

const TICK = 1000;

export class KernelWatch {
  readonly #kernel: Kernel;
  readonly #daemon: Daemon;
  readonly #reporter: Reporter;
  readonly #tick: NodeJS.Timeout;
  readonly #addresses: { close(): void };
  #resync: NodeJS.Timeout | undefined;
  #seen: { generation: number; writes: number } | undefined;
  #ticking = false;

  constructor(kernel: Kernel, daemon: Daemon, reporter: Reporter) {
    this.#kernel = kernel;
    this.#daemon = daemon;
    this.#reporter = reporter;
    this.#tick = setInterval(() => this.#onTick(), TICK);
    this.#addresses = kernel.addresses.subscribe(
      () => daemon.reconciler.request({ look: 'addresses' }),
      (error) => reporter.log('kernel', 'error', `changes of addresses are no longer heard of: ${lineOf(error)}`),
    );
    this.configure();
  }

  /** Takes the configuration's period. */
  configure(): void {
    clearInterval(this.#resync);
    this.#resync = setInterval(() => this.#daemon.reconciler.request({ look: 'all' }), this.#daemon.config.resync);
  }

  stop(): void {
    clearInterval(this.#tick);
    clearInterval(this.#resync);
    this.#addresses.close();
  }

  #onTick(): void {
    // On a slow machine a tick may last longer than its period.
    if (this.#ticking) return;
    this.#ticking = true;
    Promise.all([this.#daemon.tick(Date.now()), this.#askGeneration()])
      .catch((error: unknown) =>
        this.#reporter.log('kernel', 'warn', `cannot look at the kernel's table: ${lineOf(error)}`),
      )
      .finally(() => {
        this.#ticking = false;
      });
  }

  async #askGeneration(): Promise<void> {
    const { generation } = await this.#kernel.ipvs.info();
    if (generation === undefined) return;
    const { writes, busy } = this.#daemon.reconciler;
    const before = this.#seen;
    this.#seen = busy ? undefined : { generation, writes };
    // Our own writes change it too: what others do at that very moment is left to the next whole look.
    if (before && !busy && before.writes === writes && before.generation !== generation)
      this.#daemon.reconciler.request({ look: 'all' });
  }
}
