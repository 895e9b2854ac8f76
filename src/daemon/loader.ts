// SPDX-License-Identifier: MIT
/** Loads the configuration at start and at each reload. Reloads run one at a time; an invalid file changes nothing. */
import { resolve } from 'node:path';
import { steady } from '../base/clock.ts';
import { errorLine } from '../base/error-line.ts';
import { LvsdError } from '../base/errors.ts';
import { count } from '../base/words.ts';
import { Rereader } from '../config/index.ts';
import type { Config } from '../config/types.ts';
import type { Reporter } from './control/reporter.ts';
import type { CycleResult } from './reconcile/reconciler.ts';

export class Loader {
  readonly file: string;
  readonly #rereader: Rereader;
  #apply: ((config: Config) => Promise<CycleResult>) | undefined;
  #reporter: Reporter | undefined;
  #running: Promise<unknown> = Promise.resolve();
  /** By the clock `steady()`. */
  loadedAt = steady();
  /** The reason why the last reload was rejected; undefined if it was not. */
  error: string | undefined;
  /** `refused`: the kernel refused a change; `rejected`: the file is not valid. */
  readonly reloads = { done: 0, refused: 0, rejected: 0 };
  /** Of the text of the configuration in effect; twelve hexadecimal digits. */
  digest = '';

  constructor(file: string, node: string | undefined) {
    this.file = resolve(file);
    this.#rereader = new Rereader(this.file, {
      trusted: true,
      ...(node === undefined ? {} : { node, requireNode: true }),
    });
  }

  /** Throws ConfigError. */
  read(): Config {
    const config = this.#rereader.read();
    this.digest ||= this.#rereader.digest;
    return config;
  }

  onReload(apply: (config: Config) => Promise<CycleResult>, reporter: Reporter): void {
    this.#apply = apply;
    this.#reporter = reporter;
  }

  /** Throws ConfigError if the file is invalid; the running configuration stays. */
  reload(): Promise<CycleResult> {
    const next = this.#running.then(() => this.#reload());
    this.#running = next.catch(() => {});
    return next;
  }

  async #reload(): Promise<CycleResult> {
    if (!this.#apply) throw new LvsdError('ERR_LVSD_STARTING', 'lvsd is still starting: try again in a few seconds');
    const { file } = this;
    let config: Config;
    try {
      config = this.read();
    } catch (error) {
      this.error = errorLine(error);
      this.reloads.rejected++;
      const text = `${file} rejected; keeping the running configuration: ${this.error}`;
      this.#reporter?.reload(text, { file, state: 'rejected', reason: this.error }, false);
      throw error;
    }
    this.error = undefined;
    this.digest = this.#rereader.digest;
    this.loadedAt = steady();
    for (const line of config.warnings) this.#reporter?.log('config', 'warn', line);
    const result = await this.#apply(config);
    const [operations, failed] = [result.done.length, result.failed.length];
    this.reloads[failed === 0 ? 'done' : 'refused']++;
    const text = `${file} reloaded: ${count(operations, 'operation')}, ${failed} failed`;
    this.#reporter?.reload(
      text,
      { file, state: failed === 0 ? 'applied' : 'failed', operations, failed },
      failed === 0,
    );
    return result;
  }
}
