// SPDX-License-Identifier: MIT
/** Keeps the last events of this run of the daemon and passes new ones to subscribers. */
import type { DaemonEvent, EventFields } from './messages.ts';

/** Events kept; older ones are in the log. */
const KEPT = 1000;
/** Part of them that one real server or address can have, so that a flapping one does not push out all others. */
const SHARE = 0.1;

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
    if (this.#events.length >= 2 * this.#kept) this.#events.splice(0, this.#events.length, ...this.#latest());
    for (const listener of [...this.#listeners]) listener(event);
    return event;
  }

  /** Kept events with a sequence number above `after`, oldest first. */
  since(after = 0): DaemonEvent[] {
    return this.#latest().filter(({ sequence }) => sequence > after);
  }

  #latest(): DaemonEvent[] {
    const counts = new Map<string, number>();
    const latest: DaemonEvent[] = [];
    for (let i = this.#events.length - 1; i >= 0 && latest.length < this.#kept; i--) {
      const event = this.#events[i] as DaemonEvent;
      const { virtual, address } = event;
      const count = (address === undefined ? 0 : counts.get(`${virtual} ${address}`)) ?? 0;
      if (count >= SHARE * this.#kept) continue;
      if (address !== undefined) counts.set(`${virtual} ${address}`, count + 1);
      latest.push(event);
    }
    return latest.reverse();
  }

  /** Returns a function that ends the subscription. */
  subscribe(listener: EventListener): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }
}
