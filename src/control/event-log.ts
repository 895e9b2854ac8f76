// SPDX-License-Identifier: MIT
/** Keeps the last events of this run of the daemon and passes new ones to subscribers. */
import type { DaemonEvent, EventFields } from './messages.ts';

/** Events kept; older ones are in the log. */
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

  /** Adds an event with the current time: `text` for people, `fields` for programs. */
  add(kind: DaemonEvent['kind'], text: string, fields: EventFields = {}): DaemonEvent {
    const event: DaemonEvent = { sequence: this.#next++, at: Date.now(), kind, text, ...fields };
    this.#events.push(event);
    // Trimmed at twice the size, so that the cost per event is constant.
    if (this.#events.length >= 2 * this.#kept) this.#events.splice(0, this.#events.length - this.#kept);
    for (const listener of [...this.#listeners]) listener(event);
    return event;
  }

  /** Kept events with a sequence number above `after`, oldest first. */
  since(after = 0): DaemonEvent[] {
    return this.#events.slice(-this.#kept).filter(({ sequence }) => sequence > after);
  }

  /** Returns a function that ends the subscription. */
  subscribe(listener: EventListener): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }
}
