// SPDX-License-Identifier: MIT
/** Keeps the state file up to date: at once when it is about whose things are, else after a moment, then every minute. */
import type { TargetState } from '../../health/types.ts';
import { writeState } from '../state-file.ts';
import type { Daemon } from './daemon.ts';
import { toSaved } from './memory.ts';
import { lineOf } from './reconciler.ts';
import type { Reporter } from './reporter.ts';

const SOON = 500;
const PERIOD = 60_000;

export class Saver {
  readonly #path: string;
  readonly #reporter: Reporter;
  #daemon: Daemon | undefined;
  #states: () => Promise<ReadonlyMap<string, TargetState>> = () => Promise.resolve(new Map());
  #health: ReadonlyMap<string, TargetState> = new Map();
  #owned = '';
  #timer: NodeJS.Timeout | undefined;
  #period: NodeJS.Timeout | undefined;
  #failing = false;

  constructor(path: string, reporter: Reporter) {
    this.#path = path;
    this.#reporter = reporter;
  }

  /** `health`: what is known until `states` says more. */
  attach(
    daemon: Daemon,
    states: () => Promise<ReadonlyMap<string, TargetState>>,
    health: ReadonlyMap<string, TargetState>,
  ): void {
    this.#daemon = daemon;
    this.#states = states;
    this.#health = health;
    this.#period = setInterval(() => this.request(), PERIOD);
    this.#period.unref();
  }

  /** What lvsd owns must be on disk before the kernel has it; what checks say may be half a second late. */
  request(): void {
    const owned = [...(this.#daemon?.remembered ?? [])].sort().join();
    if (owned !== this.#owned) {
      this.#owned = owned;
      this.#write();
    }
    this.#timer ??= setTimeout(() => {
      this.#timer = undefined;
      void this.#save();
    }, SOON);
  }

  async close(): Promise<void> {
    clearInterval(this.#period);
    clearTimeout(this.#timer);
    await this.#save();
    clearTimeout(this.#timer);
  }

  async #save(): Promise<void> {
    try {
      this.#health = await this.#states();
    } catch (error) {
      this.#reporter.log('daemon', 'warn', `the checks do not say how things are: ${lineOf(error)}`);
    }
    this.#write();
  }

  #write(): void {
    if (!this.#daemon) return;
    try {
      writeState(this.#path, toSaved(this.#daemon.situation, this.#daemon.remembered, this.#health));
      this.#failing = false;
    } catch (error) {
      if (!this.#failing) this.#reporter.log('daemon', 'error', `cannot write ${this.#path}: ${lineOf(error)}`);
      this.#failing = true;
    }
  }
}
