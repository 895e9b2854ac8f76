// SPDX-License-Identifier: MIT
/** Keeps the state file up to date: at once and waited for when it is about whose things are, else soon after. */
import type { TargetState } from '../../health/types.ts';
import { writeState } from '../state-file.ts';
import type { Daemon } from './daemon.ts';
import { toState } from './memory.ts';
import { lineOf } from './reconciler.ts';
import type { Reporter } from './reporter.ts';

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

  constructor(options: SaverOptions) {
    this.#options = options;
    this.#health = options.health;
    this.#period = setInterval(() => this.request(), PERIOD).unref();
  }

  /** Soon: a burst of news makes one file. */
  request(): void {
    this.#soon ??= setTimeout(() => {
      this.#soon = undefined;
      void this.#refresh();
    }, SOON);
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
