// SPDX-License-Identifier: MIT
/** The last events of this run of the daemon, and who wants to hear of the next. */
import type { DaemonEvent } from './messages.ts';

/** Enough for an operator who comes late; more is what the log is for. */
const KEPT = 1000;

export type EventListener = (event: DaemonEvent) => void;

export class EventLog {
  readonly #kept: number;
  readonly #events: DaemonEvent[] = [];
  readonly #listeners = new Set<EventListener>();
  #next = 1;

  constructor(kept = KEPT) {
    this.#kept = kept;
  }

  /** Notes what happened now: `text` is one sentence for people. */
  add(kind: DaemonEvent['kind'], text: string, service?: string): DaemonEvent {
    const event: DaemonEvent = { sequence: this.#next++, at: Date.now(), kind, service, text };
    this.#events.push(event);
    // Twice the size before a cut, so that each event costs a constant.
    if (this.#events.length >= 2 * this.#kept) this.#events.splice(0, this.#events.length - this.#kept);
    for (const listener of [...this.#listeners]) listener(event);
    return event;
  }

  /** Kept events with a sequence above `after`, the oldest first. */
  since(after = 0): DaemonEvent[] {
    return this.#events.slice(-this.#kept).filter(({ sequence }) => sequence > after);
  }

  /** Returns what ends the subscription. */
  subscribe(listener: EventListener): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }
}
