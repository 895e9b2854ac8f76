// SPDX-License-Identifier: MIT
/**
 * Keeps the state file up to date: at once and waited for when it is about whose things are, else soon after. A daemon
 * that is killed in between would take up a server that has just died.
 */
import type { TargetState } from '../../health/types.ts';
import type { Reporter } from '../control/reporter.ts';
import type { Daemon } from '../daemon.ts';
import { lineOf } from '../reconcile/reconciler.ts';
import { writeState } from './file.ts';
import { toState } from './snapshot.ts';

/** Milliseconds. */
const SOON = 500;
const PERIOD = 60_000;

export interface SaverOptions {
  path: string;
  reporter: Reporter;
  daemon: () => Daemon;
  /** What checks say; asked for when it is to be written. */
  states: () => Promise<ReadonlyMap<string, TargetState>>;
  /** What is known until they do. */
  health: ReadonlyMap<string, TargetState>;
}

export class Saver {
  readonly #options: SaverOptions;
  #health: ReadonlyMap<string, TargetState>;
  #soon: NodeJS.Timeout | undefined;
  readonly #period: NodeJS.Timeout;
  #failing = false;
  /** When it was written for a request; milliseconds. */
  #last = 0;

  constructor(options: SaverOptions) {
    this.#options = options;
    this.#health = options.health;
    this.#period = setInterval(() => this.request(), PERIOD).unref();
  }

  /** At once, but not again right away: a burst of news makes two files. */
  request(): void {
    const wait = Math.max(0, this.#last + SOON - Date.now());
    this.#soon ??= setTimeout(
      () => {
        this.#soon = undefined;
        this.#last = Date.now();
        void this.#refresh();
      },
      Math.min(wait, SOON),
    );
  }

  /** Resolves when the file says what the daemon knows now. A file that cannot be written is told, and lived with. */
  async now(): Promise<void> {
    const { path, daemon, reporter } = this.#options;
    const { situation, remembered } = daemon();
    try {
      await writeState(path, toState(situation, remembered, this.#health));
      this.#failing = false;
    } catch (error) {
      if (!this.#failing) reporter.log('daemon', 'error', `cannot write ${path}: ${lineOf(error)}`);
      this.#failing = true;
    }
  }

  async close(): Promise<void> {
    clearInterval(this.#period);
    clearTimeout(this.#soon);
    await this.#refresh();
  }

  async #refresh(): Promise<void> {
    this.#health = await this.#options.states();
    await this.now();
  }
}
