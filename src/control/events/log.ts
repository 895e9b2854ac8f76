// SPDX-License-Identifier: MIT
/**
 * Events of the daemon: the last ones in memory, older ones in the store. A reader has a cursor and no queue of its own, so
 * that a slow one costs nothing; missed events are reported as gaps.
 */
import { randomBytes } from 'node:crypto';
import { shortened } from '../../base/printable.ts';
import type { Kind } from './kinds.ts';
import type { EventsQuery } from './query.ts';
import type { DaemonEvent, EventFields, EventItem, Severity } from './types.ts';

/** Events kept in memory. */
const KEPT = 5000;
/** Characters of a text or a reason: that of a rejected file has a line for each problem. */
const LONGEST_TEXT = 2000;
/** Events that a reader gets at once. */
const BATCH = 500;

/** `next`: the cursor after them. */
export interface EventBatch {
  items: EventItem[];
  next: string;
}

/** Events on disk. */
export interface EventStore {
  readonly epoch: string;
  /** The number of the next event. */
  readonly next: number;
  /** The last stored events, oldest first. */
  readonly tail: readonly DaemonEvent[];
  append(events: readonly DaemonEvent[]): void;
  /** Events that could not be stored. */
  readonly dropped: number;
  /** Marks a clean shutdown. */
  close(): void;
  /** Stored events with a higher number than `after`, oldest first. */
  read(after: number): AsyncIterable<DaemonEvent>;
}

export class EventLog {
  readonly #kept: number;
  #events: DaemonEvent[] = [];
  /** Not yet stored or sent. */
  #new: DaemonEvent[] = [];
  #flush: NodeJS.Immediate | undefined;
  #store: EventStore | undefined;
  #epoch = randomBytes(4).toString('hex');
  #next = 1;
  readonly #counts = new Map<Kind, number>();
  readonly #waiting = new Set<() => void>();

  constructor(kept = KEPT) {
    this.#kept = kept;
  }

  /** Events of this run by kind. */
  get counts(): ReadonlyMap<Kind, number> {
    return this.#counts;
  }

  /** Events that could not be stored. */
  get dropped(): number {
    return this.#store?.dropped ?? 0;
  }

  /** The place after the last event: 'EPOCH:NUMBER'. */
  get cursor(): string {
    return `${this.#epoch}:${this.#next - 1}`;
  }

  /** Goes on from the store of earlier runs. Call it before any client can have read an event. */
  attach(store: EventStore): void {
    this.#store = store;
    const early = [...this.#events, ...this.#new];
    this.#epoch = store.epoch;
    this.#next = store.next;
    this.#events = [...store.tail];
    this.#new = early.map((event) => ({ ...event, epoch: store.epoch, sequence: this.#next++ }));
    this.flush();
  }

  /** Adds an event with the current time: `text` for people, `fields` for programs. Returns its number. */
  add(kind: Kind, severity: Severity, text: string, fields: EventFields = {}): number {
    this.#counts.set(kind, (this.#counts.get(kind) ?? 0) + 1);
    const event = { sequence: this.#next++, epoch: this.#epoch, at: Date.now(), kind, severity };
    const { reason } = fields;
    this.#new.push({
      ...event,
      text: shortened(text, LONGEST_TEXT),
      ...fields,
      ...(reason !== undefined && { reason: shortened(reason, LONGEST_TEXT) }),
    });
    this.#flush ??= setImmediate(() => this.flush());
    return event.sequence;
  }

  /** Stores new events, then passes them to readers: once for each turn of the event loop, and before the end. */
  flush(): void {
    clearImmediate(this.#flush);
    this.#flush = undefined;
    if (this.#new.length === 0) return;
    const added = this.#new;
    this.#new = [];
    this.#store?.append(added);
    for (const event of added) this.#events.push(event);
    // Trimmed at twice the size, so that the cost per event is constant.
    if (this.#events.length >= 2 * this.#kept) this.#events = this.#events.slice(-this.#kept);
    for (const wake of [...this.#waiting]) wake();
  }

  /** Stores the last events. */
  close(): void {
    this.flush();
    this.#store?.close();
    this.#store = undefined;
  }

  /** Kept events with a sequence number above `after`, oldest first. */
  since(after = 0): readonly DaemonEvent[] {
    this.flush();
    return this.#events.slice(this.#indexAfter(after));
  }

  /** The stored events that are selected, and gaps; the next batch is read when it is asked for. */
  async *read({ after, limit: most, within, selects }: EventsQuery): AsyncGenerator<EventBatch> {
    let limit = most;
    this.flush();
    let from: number | undefined;
    if (after) {
      const { epoch = this.#epoch, sequence } = after;
      if (epoch === this.#epoch && sequence < this.#next) from = sequence;
      else {
        yield { items: [{ gap: { cursor: `${epoch}:${sequence}` } }], next: `${this.#epoch}:0` };
        // All that is stored follows.
        limit = undefined;
      }
    } else if (!selects && limit !== undefined && limit < this.#events.length) {
      // All of the last ones are in memory.
      from = this.#events.at(-limit - 1)?.sequence;
    }
    // The events before it are neither read nor a gap.
    const skipped = from === undefined && within !== undefined ? Math.max(0, this.#next - 1 - within) : 0;
    if (limit === undefined) {
      yield* this.#batches(from, selects, skipped);
      return;
    }
    let [last, next]: [EventItem[], string] = [[], this.cursor];
    for await (const batch of this.#batches(from, selects, skipped)) {
      last.push(...batch.items);
      next = batch.next;
      if (last.length > 2 * limit + BATCH) last = last.slice(-limit);
    }
    for (let at = Math.max(0, last.length - limit); at < last.length; at += BATCH)
      yield { items: last.slice(at, at + BATCH), next };
  }

  /** Selected events after `cursor`, which `read` or `cursor` gave, until `signal` ends it. */
  async *follow({ selects }: EventsQuery, cursor: string, signal: AbortSignal): AsyncGenerator<EventBatch> {
    let at = Number(cursor.split(':')[1]);
    while (!signal.aborted) {
      for await (const batch of this.#batches(at, selects)) {
        at = Number(batch.next.split(':')[1]);
        if (batch.items.length > 0) yield batch;
        if (signal.aborted) return;
      }
      // The reader has all events.
      if ((this.#events.at(-1)?.sequence ?? 0) <= at) await this.#flushed(signal);
    }
  }

  /**
   * Batches up to the present end; one may be empty, as its events were not selected. `at`: the number of the last event
   * that was read; undefined: none, and those up to `skipped` are not read.
   */
  async *#batches(at: number | undefined, selects: EventsQuery['selects'], skipped = 0): AsyncGenerator<EventBatch> {
    let items: EventItem[] = [];
    const take = (event: DaemonEvent) => {
      if (at !== undefined && event.sequence > at + 1) items.push({ gap: { from: at + 1, to: event.sequence - 1 } });
      at = event.sequence;
      if (!selects || selects(event)) items.push(event);
    };
    const batch = (): EventBatch => {
      const taken = { items, next: `${this.#epoch}:${at ?? skipped}` };
      items = [];
      return taken;
    };
    for (;;) {
      const first = this.#events[0]?.sequence;
      if (first === undefined) return;
      const before = at;
      if (this.#store && (at ?? skipped) + 1 < first)
        for await (const event of this.#store.read(at ?? skipped)) {
          // The rest is in memory.
          if (event.sequence >= first) break;
          take(event);
          if (items.length >= BATCH) yield batch();
        }
      // Memory was trimmed during the read; the store has those events.
      if (at !== before && (at ?? skipped) + 1 < (this.#events[0]?.sequence ?? 0)) continue;
      const index = this.#indexAfter(at ?? skipped);
      for (const event of this.#events.slice(index, index + BATCH)) take(event);
      yield batch();
      if ((this.#events.at(-1)?.sequence ?? 0) <= (at ?? skipped)) return;
    }
  }

  /** Resolves at the next flush, or with the signal. */
  #flushed(signal: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      const wake = () => {
        this.#waiting.delete(wake);
        signal.removeEventListener('abort', wake);
        resolve();
      };
      this.#waiting.add(wake);
      signal.addEventListener('abort', wake);
    });
  }

  /** Index of the first event with a higher number: binary search, as numbers grow. */
  #indexAfter(after: number): number {
    let [low, high] = [0, this.#events.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((this.#events[middle] as DaemonEvent).sequence > after) high = middle;
      else low = middle + 1;
    }
    return low;
  }
}
