// SPDX-License-Identifier: MIT
/**
 * Decides whether the health worker works, from its heartbeats and its ends. A new process counts as working only after
 * it has run for a while: one that hangs or ends soon after each start would otherwise look healthy for ever.
 * Pure: time is counted in calls of `tick`, one per second, because a delay of the daemon delays them and heartbeats
 * alike.
 */

/** Ticks without a heartbeat after which it counts as stopped. */
const MAX_SILENT = 5;
/** Ticks without a heartbeat after which it is killed. */
export const MAX_MISSED = 15;
/** Ticks that a process must run, and then send a heartbeat, before it counts as working. */
const PROVEN = 15;
/** Ticks without a working process, restarts included, after which a restart of the daemon is the last resort. */
const DEAD = 40;

/** Why health checks have stopped. */
export interface Stop {
  /** Last heartbeat before it, or the start, by the clock `steady()`. */
  since: number;
  reason: string;
  /** Restarts of the health worker since then. */
  restarts: number;
}

export class Liveness {
  readonly #onChange: (stop: Stop | undefined) => void;
  #stop: Stop | undefined;
  /** Ticks since the last heartbeat, or the start of the process. */
  #missed = 0;
  /** Ticks since the process was started. */
  #age = 0;
  /** Ticks since a process that had run for `PROVEN` sent a heartbeat. */
  #idle = 0;
  #lastBeat: number;

  /** `onChange` is called when checks stop, and with undefined when they run again. */
  constructor(now: number, onChange: (stop: Stop | undefined) => void) {
    this.#lastBeat = now;
    this.#onChange = onChange;
  }

  /** False: it has not worked for a long time, although it was restarted. */
  get alive(): boolean {
    return this.#idle < DEAD;
  }

  /** Undefined while checks run. */
  get stop(): Stop | undefined {
    return this.#stop;
  }

  started(): void {
    this.#missed = 0;
    this.#age = 0;
    if (this.#stop) this.#stop.restarts++;
  }

  ended(how: string): void {
    this.#stopped(`the health worker ended (${how})`);
  }

  beat(now: number): void {
    this.#missed = 0;
    this.#lastBeat = now;
    if (this.#age < PROVEN) return;
    this.#idle = 0;
    if (!this.#stop) return;
    this.#stop = undefined;
    this.#onChange(undefined);
  }

  /** Returns whether the process has to be killed. */
  tick(): boolean {
    this.#missed++;
    this.#age++;
    this.#idle++;
    if (this.#missed >= MAX_SILENT) this.#stopped('the health worker does not respond');
    return this.#missed % MAX_MISSED === 0;
  }

  #stopped(reason: string): void {
    if (this.#stop) {
      this.#stop.reason = reason;
      return;
    }
    this.#stop = { since: this.#lastBeat, reason, restarts: 0 };
    this.#onChange(this.#stop);
  }
}
