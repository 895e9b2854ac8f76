// SPDX-License-Identifier: MIT
/** HUP, TERM and INT, heard from the moment this is made: a reload asked for during the start comes after it. */

export class Signals {
  /** Resolves with the signal that ends us. */
  readonly end: Promise<NodeJS.Signals>;
  #reload: (() => Promise<void>) | undefined;
  #asked = false;

  constructor() {
    process.on('SIGHUP', () => {
      if (this.#reload) void this.#reload();
      else this.#asked = true;
    });
    this.end = new Promise((resolve) => {
      for (const signal of ['SIGTERM', 'SIGINT'] as const) process.on(signal, () => resolve(signal));
    });
  }

  onReload(reload: () => Promise<void>): void {
    this.#reload = reload;
    if (this.#asked) void reload();
  }
}
