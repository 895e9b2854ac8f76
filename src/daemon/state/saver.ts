// SPDX-License-Identifier: MIT
/**
 * Keeps the state file up to date. Changes of ownership are written at once and waited for; all other changes soon
 * after. A daemon killed before that would start with the previous health of a real server that has just gone down.
 */
import { monotonic, steady, wallTime } from '../../base/clock.ts';
import { errorLine } from '../../base/error-line.ts';
import type { FileProblem } from '../../control/messages.ts';
import type { TargetStates } from '../../health/types.ts';
import type { Reporter } from '../control/reporter.ts';
import type { Daemon } from '../daemon.ts';
import { keepAside, writeState } from './file.ts';
import { toState } from './snapshot.ts';

/** Milliseconds. */
const SOON = 500;
const PERIOD = 60_000;

export interface StateSaverOptions {
  path: string;
  reporter: Reporter;
  daemon: () => Daemon;
  /** Requests all health states from the health worker. */
  states: () => Promise<TargetStates>;
  /** Health states until the first answer. */
  health: TargetStates;
  /** The file was not accepted at the start, or not as a whole: it is kept under another name before it is replaced. */
  ignored?: boolean | undefined;
}

/** One is enough: the file is in memory (/run), and a later start of the later version does not use an old one. */
const ASIDE = '.ignored';

export class StateSaver {
  readonly #options: StateSaverOptions;
  #health: TargetStates;
  #soon: NodeJS.Timeout | undefined;
  readonly #period: NodeJS.Timeout;
  #failing: FileProblem | undefined;
  /** When it was last written on request. */
  #last = Number.NEGATIVE_INFINITY;
  #ignored: boolean;

  constructor(options: StateSaverOptions) {
    this.#options = options;
    this.#health = options.health;
    this.#ignored = options.ignored ?? false;
    this.#period = setInterval(() => this.request(), PERIOD).unref();
  }

  /** Empty, or why the file is older than the state. */
  get problems(): FileProblem[] {
    return this.#failing ? [{ ...this.#failing, since: wallTime(this.#failing.since) }] : [];
  }

  /** Writes at once, but at most every `SOON`: a burst of requests leads to two writes. */
  request(): void {
    const wait = Math.max(0, this.#last + SOON - monotonic());
    this.#soon ??= setTimeout(
      () => {
        this.#soon = undefined;
        this.#last = monotonic();
        void this.#refresh();
      },
      Math.min(wait, SOON),
    );
  }

  /** Writes the current state. Write errors are logged, not thrown. */
  async now(): Promise<void> {
    const { path, daemon, reporter } = this.#options;
    const { runtime, owned, sysctls } = daemon();
    try {
      await this.#keepIgnored();
      await writeState(path, toState(runtime, owned, this.#health, undefined, sysctls.changed));
      this.#failing = undefined;
    } catch (error) {
      if (!this.#failing) {
        const text = `cannot write the state file ${path}, a restart would use older health states: ${errorLine(error)}`;
        reporter.log('daemon', 'error', text, { file: path });
      }
      const since = this.#failing?.since ?? steady();
      this.#failing = { file: path, problem: 'state not saved', since, reason: errorLine(error) };
    }
  }

  async #keepIgnored(): Promise<void> {
    if (!this.#ignored) return;
    const { path, reporter } = this.#options;
    const file = `${path}${ASIDE}`;
    this.#ignored = false;
    try {
      if (!(await keepAside(path, file))) return;
      reporter.log('daemon', 'warn', `state file that was ignored: kept as ${file}`, { file });
    } catch (error) {
      // The state from now on counts more than the file.
      const text = `state file that was ignored: cannot be kept as ${file}, and is replaced: ${errorLine(error)}`;
      reporter.log('daemon', 'error', text, { file });
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
