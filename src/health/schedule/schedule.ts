// SPDX-License-Identifier: MIT
/**
 * When each target is probed. Pure: instants come as arguments (milliseconds of own time, see pace.ts), what to do
 * comes back. A target has its fixed places in time, one interval apart, and is never probed twice at once. Past the
 * limit of probes under way the others wait in the order in which they fell due, those that were silent last time behind
 * all others: a silent target keeps its place for the whole time-out, and must not make the checks of healthy ones late.
 */
import { Heap, type HeapItem } from './heap.ts';
import { nextSlot } from './spread.ts';

/** Probes that share one limit: those that are sockets, and those that are programs. */
export type Lane = 'sockets' | 'programs';

export interface Timing {
  interval: number;
  timeout: number;
  lane: Lane;
  /** From 0 up to 1: where in its interval it is probed. */
  fraction: number;
}

/** A place in the schedule. Only the schedule writes it. */
export interface Slot<T> extends HeapItem {
  readonly value: T;
  readonly timing: Timing;
  state: 'waiting' | 'queued' | 'running' | 'expired' | 'gone';
  /** When the probe under way, or the next one, was to start. */
  due: number;
  /** Its last probe ended by its time-out. */
  silent: boolean;
}

export interface Work<T> {
  /** Probes whose time is over; each is to be ended, and `finished` said then. */
  expired: T[];
  /** Probes to start; each ends by `finished`. */
  started: T[];
}

interface LaneState<T> {
  limit: number;
  running: number;
  queued: number;
  /** Of those that answered last time, and behind them of those that were silent. */
  queues: readonly [Queue<Slot<T>>, Queue<Slot<T>>];
}

/** First in, first out. */
class Queue<T> {
  readonly #items: T[] = [];
  /** Index of the first that was not taken. */
  #head = 0;

  add(item: T): void {
    this.#items.push(item);
  }

  take(): T | undefined {
    const item = this.#items[this.#head];
    if (item !== undefined) this.#head++;
    if (this.#head > 1024 || this.#head === this.#items.length) {
      this.#items.splice(0, this.#head);
      this.#head = 0;
    }
    return item;
  }
}

export class Schedule<T> {
  readonly #heap = new Heap<Slot<T>>();
  readonly #lanes: Record<Lane, LaneState<T>>;
  /** The most milliseconds that a probe had to wait for its turn since this was last set to 0. */
  longestWait = 0;

  constructor(limits: Readonly<Record<Lane, number>>) {
    const lane = (limit: number): LaneState<T> => ({
      limit,
      running: 0,
      queued: 0,
      queues: [new Queue(), new Queue()],
    });
    this.#lanes = { sockets: lane(limits.sockets), programs: lane(limits.programs) };
  }

  limit(lane: Lane, most: number): void {
    this.#lanes[lane].limit = most;
  }

  limitOf(lane: Lane): number {
    return this.#lanes[lane].limit;
  }

  /** Its first probe comes at its place within the interval that begins now. */
  add(value: T, timing: Timing, now: number): Slot<T> {
    const at = nextSlot(timing.fraction * timing.interval, timing.interval, now);
    const slot: Slot<T> = { value, timing, state: 'waiting', due: at, silent: false, at, index: -1 };
    this.#heap.add(slot);
    return slot;
  }

  /** Takes it out. True when its probe is under way: it is to be ended, and `finished` said then. */
  remove(slot: Slot<T>): boolean {
    const { state } = slot;
    slot.state = 'gone';
    this.#heap.remove(slot);
    if (state === 'queued') this.#lanes[slot.timing.lane].queued--;
    return state === 'running' || state === 'expired';
  }

  /** What is to be done at `now`. */
  advance(now: number): Work<T> {
    const work: Work<T> = { expired: [], started: [] };
    for (let slot = this.#heap.first; slot && slot.at <= now; slot = this.#heap.first) {
      this.#heap.remove(slot);
      if (slot.state === 'running') {
        slot.state = 'expired';
        work.expired.push(slot.value);
      } else {
        slot.state = 'queued';
        const lane = this.#lanes[slot.timing.lane];
        lane.queues[slot.silent ? 1 : 0].add(slot);
        lane.queued++;
      }
    }
    this.#start(this.#lanes.sockets, now, work.started);
    this.#start(this.#lanes.programs, now, work.started);
    return work;
  }

  /** Gives a probe whose time was over more time, until `at`. */
  extend(slot: Slot<T>, at: number): void {
    if (slot.state !== 'expired') return;
    slot.state = 'running';
    slot.at = at;
    this.#heap.add(slot);
  }

  /** Says that the probe of this slot is over, and whether its time was. */
  finished(slot: Slot<T>, now: number, silent = false): void {
    this.#lanes[slot.timing.lane].running--;
    slot.silent = silent;
    if (slot.state === 'gone') return;
    this.#heap.remove(slot);
    const { interval } = slot.timing;
    // A place missed by little is made up for at once, or a timeout as long as the interval would cost every other probe.
    slot.due = Math.max(slot.due + interval, nextSlot(slot.due, interval, now - interval / 2));
    slot.at = slot.due;
    slot.state = 'waiting';
    this.#heap.add(slot);
  }

  /** When `advance` has something to do; undefined: never, as things are. */
  get wake(): number | undefined {
    const { sockets, programs } = this.#lanes;
    if (ready(sockets) || ready(programs)) return Number.NEGATIVE_INFINITY;
    return this.#heap.first?.at;
  }

  get running(): number {
    return this.#lanes.sockets.running + this.#lanes.programs.running;
  }

  /** Due, and waiting for their turn. */
  get queued(): number {
    return this.#lanes.sockets.queued + this.#lanes.programs.queued;
  }

  #start(lane: LaneState<T>, now: number, started: T[]): void {
    const [first, then] = lane.queues;
    while (lane.running < lane.limit) {
      const slot = first.take() ?? then.take();
      if (!slot) break;
      // Removed while it waited.
      if (slot.state !== 'queued') continue;
      lane.queued--;
      lane.running++;
      slot.state = 'running';
      slot.at = now + slot.timing.timeout;
      this.#heap.add(slot);
      this.longestWait = Math.max(this.longestWait, now - slot.due);
      started.push(slot.value);
    }
  }
}

const ready = (lane: LaneState<unknown>): boolean => lane.queued > 0 && lane.running < lane.limit;
