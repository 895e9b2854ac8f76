// SPDX-License-Identifier: MIT
/** Handlers of SIGHUP, SIGTERM and SIGINT. A reload requested during the start runs after it. */

export class Signals {
  /** Resolves with the signal that ends the daemon. */
  readonly end: Promise<NodeJS.Signals>;
  #reload: (() => Promise<void>) | undefined;
  #requested = false;

  constructor() {
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
