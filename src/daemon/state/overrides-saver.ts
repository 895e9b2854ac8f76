// SPDX-License-Identifier: MIT
/** Writes the overrides to their file, and tries again until that succeeds: a drain must not end with a reboot. */
import { steady, wallTime } from '../../base/clock.ts';
import { errorLine } from '../../base/error-line.ts';
import type { FileProblem } from '../../control/messages.ts';
import type { Reporter } from '../control/reporter.ts';
import type { Override } from '../model/overrides.ts';
import { retryDelay } from '../reconcile/backoff.ts';
import { keepAside } from './file.ts';
import { writeOverrides } from './overrides-file.ts';

export interface OverridesSaverOptions {
  /** Undefined: overrides are kept in the state file only. */
  path: string | undefined;
  reporter: Reporter;
  overrides: () => readonly Override[];
  /** The reason why the file was not accepted at the start: it is kept under another name before it is replaced. */
  ignored?: string | undefined;
}

export class OverridesSaver {
  readonly #options: OverridesSaverOptions;
  /** `since` by the clock `steady()`. */
  #ignored: FileProblem | undefined;
  #unsaved: FileProblem | undefined;
  #attempts = 0;
  #retry: NodeJS.Timeout | undefined;

  constructor(options: OverridesSaverOptions) {
    this.#options = options;
    const { path: file, ignored: reason } = options;
    if (file !== undefined && reason !== undefined)
      this.#ignored = { file, problem: 'ignored', since: steady(), reason };
  }

  get problems(): FileProblem[] {
    const all = [this.#ignored, this.#unsaved].filter((one) => one !== undefined);
    return all.map((one) => ({ ...one, since: wallTime(one.since) }));
  }

  /** Returns the reason if they could not be saved; it is reported, and saving them is tried again. */
  async save(): Promise<string | undefined> {
    const { path, overrides } = this.#options;
    if (path === undefined) return undefined;
    clearTimeout(this.#retry);
    try {
      await this.#keepIgnored(path);
      await writeOverrides(path, overrides());
      this.#saved(path);
      return undefined;
    } catch (error) {
      return this.#failed(path, errorLine(error));
    }
  }

  /** Tries for the last time what is not saved. */
  async close(): Promise<void> {
    if (this.#unsaved) await this.save();
    clearTimeout(this.#retry);
  }

  async #keepIgnored(path: string): Promise<void> {
    if (!this.#ignored || this.#ignored.keptAs !== undefined) return;
    const keptAs = `${path}.ignored-${new Date().toISOString().replace(/[-:]|\..*/g, '')}`;
    if (!(await keepAside(path, keptAs))) return;
    this.#ignored = { ...this.#ignored, keptAs };
    this.#options.reporter.log('control', 'warn', `file of overrides that was ignored: kept as ${keptAs}`, {
      file: keptAs,
    });
  }

  #saved(file: string): void {
    this.#attempts = 0;
    if (!this.#unsaved) return;
    this.#unsaved = undefined;
    this.#options.reporter.daemon('file.saved', 'the overrides are saved again', { file, state: 'overrides saved' });
  }

  #failed(file: string, reason: string): string {
    if (this.#unsaved?.reason !== reason) {
      const text = `cannot save the overrides, a reboot would end them; trying again: ${reason}`;
      this.#options.reporter.daemon('file.not_saved', text, { file, state: 'overrides not saved', reason }, 'error');
    }
    this.#unsaved = { file, problem: 'not saved', since: this.#unsaved?.since ?? steady(), reason };
    clearTimeout(this.#retry);
    this.#retry = setTimeout(() => void this.save(), retryDelay(++this.#attempts)).unref();
    return reason;
  }
}
