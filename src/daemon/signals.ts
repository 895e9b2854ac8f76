// SPDX-License-Identifier: MIT
/**
 * Handlers of SIGHUP, SIGTERM and SIGINT. A reload requested during the start runs after it. SIGUSR1 and SIGUSR2, with
 * which keepalived writes its data and statistics, have no effect.
 */

export class Signals {
  /** Resolves with the signal that ends the daemon. */
  readonly end: Promise<NodeJS.Signals>;
  #reload: (() => Promise<void>) | undefined;
  #requested = false;

  /** `ignored`: a signal without effect was received. */
  constructor(ignored: (signal: NodeJS.Signals) => void) {
    for (const signal of ['SIGUSR1', 'SIGUSR2'] as const) process.on(signal, () => ignored(signal));
    process.on('SIGHUP', () => {
      if (this.#reload) void this.#reload();
      else this.#requested = true;
    });
    this.end = new Promise((resolve) => {
      for (const signal of ['SIGTERM', 'SIGINT'] as const) process.on(signal, () => resolve(signal));
    });
  }

  onReload(reload: () => Promise<void>): void {
    this.#reload = reload;
    if (this.#requested) void reload();
  }
}
