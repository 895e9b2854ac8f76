// SPDX-License-Identifier: MIT
/** Reads the file, at start and at each reload; one reload at a time, and a wrong file changes nothing. */
import { resolve } from 'node:path';
import { LvsdError } from '../base/errors.ts';
import { Rereader } from '../config/index.ts';
import type { Config } from '../config/types.ts';
import type { Reporter } from './control/reporter.ts';
import type { CycleResult } from './reconcile/reconciler.ts';
import { lineOf } from './reconcile/reconciler.ts';

export class Loader {
  readonly file: string;
  readonly #reader: Rereader;
  #apply: ((config: Config) => Promise<CycleResult>) | undefined;
  #reporter: Reporter | undefined;
  #running: Promise<unknown> = Promise.resolve();
  loadedAt = Date.now();
  /** Why the file was not taken, at the last reload. */
  error: string | undefined;

  constructor(file: string, node: string | undefined) {
    this.file = resolve(file);
    this.#reader = new Rereader(this.file, node === undefined ? {} : { node });
  }

  /** Throws ConfigError. */
  read(): Config {
    return this.#reader.read();
  }

  onReload(apply: (config: Config) => Promise<CycleResult>, reporter: Reporter): void {
    this.#apply = apply;
    this.#reporter = reporter;
  }

  /** Throws ConfigError with everything as it was. */
  reload(): Promise<CycleResult> {
    const next = this.#running.then(() => this.#reload());
    this.#running = next.catch(() => {});
    return next;
  }

  async #reload(): Promise<CycleResult> {
    if (!this.#apply) throw new LvsdError('ERR_LVSD_STARTING', 'lvsd is still starting: try again');
    let config: Config;
    try {
      config = this.read();
    } catch (error) {
      this.error = lineOf(error);
      this.#reporter?.reload(`${this.file} is not taken, everything stays as it was: ${this.error}`, false);
      throw error;
    }
    this.error = undefined;
    this.loadedAt = Date.now();
    const result = await this.#apply(config);
    const count = result.done.length;
    this.#reporter?.reload(
      `${this.file} read again: ${count} operation${count === 1 ? '' : 's'}, ${result.failed.length} failed`,
      result.failed.length === 0,
    );
    return result;
  }
}
