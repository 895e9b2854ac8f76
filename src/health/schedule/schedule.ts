// SPDX-License-Identifier: MIT
/**
 * Decides when each target is probed. Pure: times are arguments (milliseconds of own time, see pace.ts), work is
 * returned. A target has fixed slots, one interval apart, and is never probed twice at the same time. Above the limit of
 * simultaneous probes, others wait in the order in which they became due; those that timed out last time come after all
 * others, because a silent target occupies a probe for the whole timeout and must not delay checks of healthy ones.
 */
import { Heap, type HeapItem } from './heap.ts';
import { nextSlot } from './spread.ts';

/** Groups of probes that share a limit: sockets and programs. */
export type Lane = 'sockets' | 'programs';

export interface Timing {
  interval: number;
  timeout: number;
  lane: Lane;
}

/** A target in the schedule. Modified only by the schedule. */
export interface Slot<T> extends HeapItem {
  readonly value: T;
  readonly timing: Timing;
  state: 'waiting' | 'queued' | 'running' | 'expired' | 'gone';
  /** When the current or next probe was due. */
  due: number;
  /** Its last probe timed out. */
  silent: boolean;
}

export interface Work<T> {
  /** Probes that timed out. The caller must end each and then call `finished`. */
  expired: T[];
  /** Probes to start. The caller must call `finished` for each. */
  started: T[];
}

interface LaneState<T> {
  name: Lane;
  limit: number;
  running: number;
  queued: number;
  /** Targets that answered last time, followed by those that timed out. */
  queues: readonly [Queue<Slot<T>>, Queue<Slot<T>>];
}

/** First in, first out. */
class Queue<T> {
  readonly #items: T[] = [];
  /** Index of the first item not taken yet. */
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
  readonly #onStart: (lane: Lane, late: number) => void;
  /** Longest wait of a due probe in milliseconds since this was last set to 0. */
  longestWait = 0;

  /** `onStart`: called for each probe that is started, with the milliseconds since it was due. */
  constructor(limits: Readonly<Record<Lane, number>>, onStart: (lane: Lane, late: number) => void = () => {}) {
    this.#onStart = onStart;
    const lane = (name: Lane): LaneState<T> => ({
      name,
      limit: limits[name],
      running: 0,
      queued: 0,
      queues: [new Queue(), new Queue()],
    });
    this.#lanes = { sockets: lane('sockets'), programs: lane('programs') };
  }

  limit(lane: Lane, most: number): void {
    this.#lanes[lane].limit = most;
  }

  limitOf(lane: Lane): number {
    return this.#lanes[lane].limit;
  }

  /**
   * The first probe is due at its position in the interval that starts now: `fraction`, from 0 to below 1. Targets may
   * share a timing.
   */
  add(value: T, timing: Timing, fraction: number, now: number): Slot<T> {
    const at = nextSlot(fraction * timing.interval, timing.interval, now);
    const slot: Slot<T> = { value, timing, state: 'waiting', due: at, silent: false, at, index: -1 };
    this.#heap.add(slot);
    return slot;
  }

  /** Removes a target. True if a probe is in progress: the caller must end it and then call `finished`. */
  remove(slot: Slot<T>): boolean {
    const { state } = slot;
    slot.state = 'gone';
    this.#heap.remove(slot);
    if (state === 'queued') this.#lanes[slot.timing.lane].queued--;
    return state === 'running' || state === 'expired';
  }

  /** Returns the work due at `now`. */
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

  /** Extends the deadline of a probe that timed out, until `at`. */
  extend(slot: Slot<T>, at: number): void {
    if (slot.state !== 'expired') return;
    slot.state = 'running';
    slot.at = at;
    this.#heap.add(slot);
  }

  /** Reports the end of a probe, and whether it timed out. */
  finished(slot: Slot<T>, now: number, silent = false): void {
    this.#lanes[slot.timing.lane].running--;
    slot.silent = silent;
    if (slot.state === 'gone') return;
    this.#heap.remove(slot);
    const { interval } = slot.timing;
    // A slightly missed slot is used at once; otherwise a timeout as long as the interval would skip every other probe.
    slot.due = Math.max(slot.due + interval, nextSlot(slot.due, interval, now - interval / 2));
    slot.at = slot.due;
    slot.state = 'waiting';
    this.#heap.add(slot);
  }

  /** When `advance` next has work; undefined if nothing is scheduled. */
  get wake(): number | undefined {
    const { sockets, programs } = this.#lanes;
    if (ready(sockets) || ready(programs)) return Number.NEGATIVE_INFINITY;
    return this.#heap.first?.at;
  }

  get running(): number {
    return this.#lanes.sockets.running + this.#lanes.programs.running;
  }

  /** Probes of a lane, and due ones that wait for its limit. */
  laneLoad(lane: Lane): { running: number; queued: number } {
    const { running, queued } = this.#lanes[lane];
    return { running, queued };
  }

  /** Due probes that wait for the limit. */
  get queued(): number {
    return this.#lanes.sockets.queued + this.#lanes.programs.queued;
  }

  #start(lane: LaneState<T>, now: number, started: T[]): void {
    const [first, then] = lane.queues;
    while (lane.running < lane.limit) {
      const slot = first.take() ?? then.take();
      if (!slot) break;
      // Removed while queued.
      if (slot.state !== 'queued') continue;
      lane.queued--;
      lane.running++;
      slot.state = 'running';
      slot.at = now + slot.timing.timeout;
      this.#heap.add(slot);
      const late = now - slot.due;
      this.longestWait = Math.max(this.longestWait, late);
      this.#onStart(lane.name, late);
      started.push(slot.value);
    }
  }
}

const ready = (lane: LaneState<unknown>): boolean => lane.queued > 0 && lane.running < lane.limit;
