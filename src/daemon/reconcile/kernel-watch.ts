// SPDX-License-Identifier: MIT
/**
 * Watches for changes by other programs in the kernel. The kernel sends notifications of address changes. A patched IPVS
 * counts its changes (the generation, polled every second). On a stock one the whole table is read periodically.
 */
import { monotonic } from '../../base/clock.ts';
import { errorLine } from '../../base/error-line.ts';
import type { Reporter } from '../control/reporter.ts';
import type { Daemon } from '../daemon.ts';
import type { Kernel } from './kernel.ts';

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
      () => daemon.reconciler.request({ refresh: 'addresses' }),
      (error) =>
        reporter.log(
          'kernel',
          'error',
          `the subscription to address changes failed: until lvsd is restarted, changes are found by resync only: ${errorLine(error)}`,
        ),
    );
    this.configure();
  }

  /** Applies `resync` of the current configuration. */
  configure(): void {
    clearInterval(this.#resync);
    this.#resync = setInterval(() => this.#daemon.reconciler.request({ refresh: 'all' }), this.#daemon.config.resync);
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
    Promise.all([this.#daemon.tick(monotonic()), this.#pollGeneration()])
      .catch((error: unknown) =>
        this.#reporter.log('kernel', 'warn', `cannot read the kernel's table: ${errorLine(error)}`),
      )
      .finally(() => {
        this.#ticking = false;
      });
  }

  async #pollGeneration(): Promise<void> {
    const { generation } = await this.#kernel.ipvs.info();
    if (generation === undefined) return;
    const { writes, busy } = this.#daemon.reconciler;
    const before = this.#seen;
    this.#seen = busy ? undefined : { generation, writes };
    // Our own writes change it too: foreign changes at the same moment are left to the next full read.
    if (before && !busy && before.writes === writes && before.generation !== generation)
      this.#daemon.reconciler.request({ refresh: 'all' });
  }
}
