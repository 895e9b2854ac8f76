// SPDX-License-Identifier: MIT
/**
 * When each target is probed. Pure: instants come as arguments (milliseconds of own time, see pace.ts), what to do
 * comes back. A target has its fixed places in time, one interval apart, and is never probed twice at once. Past the
 * limit of probes under way the others wait in the order in which they fell due.
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
  /** Whoever fell due first; those that were removed lie in it as 'gone'. */
  queue: Slot<T>[];
  /** Index of the first of them that was not looked at. */
  head: number;
  queued: number;
}

export class Schedule<T> {
  readonly #heap = new Heap<Slot<T>>();
  readonly #lanes: Record<Lane, LaneState<T>>;
  /** The most milliseconds that a probe had to wait for its turn since this was last set to 0. */
  longestWait = 0;

  constructor(limits: Readonly<Record<Lane, number>>) {
    const lane = (limit: number): LaneState<T> => ({ limit, running: 0, queue: [], head: 0, queued: 0 });
    this.#lanes = { sockets: lane(limits.sockets), programs: lane(limits.programs) };
  }

  limit(lane: Lane, most: number): void {
    this.#lanes[lane].limit = most;
  }

  /** Its first probe comes at its place within the interval that begins now. */
  add(value: T, timing: Timing, now: number): Slot<T> {
    const at = nextSlot(timing.fraction * timing.interval, timing.interval, now);
    const slot: Slot<T> = { value, timing, state: 'waiting', due: at, at, index: -1 };
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
        lane.queue.push(slot);
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

  /** Says that the probe of this slot is over, whatever came of it. */
  finished(slot: Slot<T>, now: number): void {
    this.#lanes[slot.timing.lane].running--;
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
    const { queue } = lane;
    while (lane.running < lane.limit && lane.head < queue.length) {
      const slot = queue[lane.head++];
      if (slot?.state !== 'queued') continue;
      lane.queued--;
      lane.running++;
      slot.state = 'running';
      slot.at = now + slot.timing.timeout;
      this.#heap.add(slot);
      this.longestWait = Math.max(this.longestWait, now - slot.due);
      started.push(slot.value);
    }
    if (lane.head > 1024 || lane.head === queue.length) {
      queue.splice(0, lane.head);
      lane.head = 0;
    }
  }
}

const ready = (lane: LaneState<unknown>): boolean => lane.queued > 0 && lane.running < lane.limit;
