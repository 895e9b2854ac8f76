// SPDX-License-Identifier: MIT
/**
 * Limits events that any router on the link can cause: one of each kind, then one a minute with their number, so that they
 * leave room for others among the events that lvsd keeps.
 */
import { count } from '../base/words.ts';

/** Milliseconds. */
const PERIOD = 60_000;

interface Open<E> {
  event: E;
  timer: NodeJS.Timeout;
  more: number;
  /** Of the latest one. */
  reason: string;
}

export class EventReports<E extends string> {
  readonly #report: (event: E, reason: string) => void;
  readonly #open = new Map<E, Open<E>>();

  constructor(report: (event: E, reason: string) => void) {
    this.#report = report;
  }

  add(event: E, reason: string): void {
    const open = this.#open.get(event);
    if (open === undefined) {
      this.#report(event, reason);
      this.#open.set(event, { event, timer: this.#timer(event), more: 0, reason });
      return;
    }
    open.more += 1;
    open.reason = reason;
  }

  /** Drops what was not reported. */
  close(): void {
    for (const { timer } of this.#open.values()) clearTimeout(timer);
    this.#open.clear();
  }

  #timer(event: E): NodeJS.Timeout {
    return setTimeout(() => this.#flush(event), PERIOD).unref();
  }

  #flush(event: E): void {
    const open = this.#open.get(event);
    if (open === undefined) return;
    if (open.more === 0) {
      this.#open.delete(event);
      return;
    }
    this.#report(event, `${open.reason} (${count(open.more, 'time')} in the last ${PERIOD / 1000} s)`);
    open.more = 0;
    open.timer = this.#timer(event);
  }
}
