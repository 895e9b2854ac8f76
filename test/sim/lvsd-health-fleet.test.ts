// SPDX-License-Identifier: MIT
// 1,000 targets on the real schedule, probe by probe: slow answers, a process that is stopped at times, reloads, and a
// limit of concurrent probes. LVSD_COUNTS=full: four hours instead of five minutes.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { next, unknown } from '../../src/health/machine.ts';
import { Heap, type HeapItem } from '../../src/health/schedule/heap.ts';
import { GRACE, Pace } from '../../src/health/schedule/pace.ts';
import { Schedule, type Slot } from '../../src/health/schedule/schedule.ts';
import { fraction } from '../../src/health/schedule/spread.ts';
import type { TargetState } from '../../src/health/types.ts';
import { instants, pick, type Random, seeded } from './random.ts';
import { SECOND } from './truth.ts';

const LENGTH = (process.env.LVSD_COUNTS === 'full' ? 240 : 5) * 60 * SECOND;
const TARGETS = 1000;
const RISE = 2;
const FALL = 3;
const TIMEOUT = 800;

interface Server {
  id: string;
  interval: number;
  slot: Slot<Server> | undefined;
  state: TargetState;
  /** Real time until which it does not answer. */
  silentUntil: number;
  silentSince: number;
  /** Time that the process had missed by then. */
  missedSince: number;
  /** Real time when the probe under way began; undefined: none is. */
  since: number | undefined;
  lastStart: number | undefined;
  latency: number;
  /** Number of the probe, so that an answer can be assigned to it. */
  turn: number;
}

interface Arrival extends HeapItem {
  server: Server;
  turn: number;
}

interface Options {
  seed: number;
  concurrency: number;
  /** Milliseconds between two stops of the process, and how long one is at most; none without. */
  stalls: { mean: number; longest: number } | undefined;
  /** Milliseconds between reloads that replace a tenth of the targets; none without. */
  reloads: number | undefined;
  /** Most milliseconds that an answer takes. */
  slowest: number;
}

class Fleet {
  readonly #random: Random;
  readonly #options: Options;
  readonly #schedule: Schedule<Server>;
  readonly #pace = new Pace(0);
  readonly #arrivals = new Heap<Arrival>();
  #servers: Server[] = [];
  #ids = 0;
  #real = 0;
  #running = 0;
  /** Real times of starts of the last second, for bursts. */
  readonly starts: number[] = [];
  probes = 0;
  downs = 0;
  mostRunning = 0;
  longestWait = 0;

  constructor(options: Options) {
    this.#options = options;
    this.#random = seeded(options.seed);
    this.#schedule = new Schedule({ sockets: options.concurrency, programs: 1 });
    for (let i = 0; i < TARGETS; i++) this.#add();
  }

  run(): void {
    const { stalls, reloads } = this.#options;
    const stops = stalls ? instants(this.#random, stalls.mean, LENGTH) : [];
    const changes = reloads ? instants(this.#random, reloads, LENGTH) : [];
    let [stop, change] = [0, 0];
    while (this.#real < LENGTH) {
      const own = this.#pace.now(this.#real);
      const sleep = this.#pace.sleepUntil(Math.min(Math.max(own, this.#schedule.wake ?? own + SECOND), own + SECOND));
      // Timers are whole milliseconds, and the socket that is ready first ends the sleep.
      let wake = Math.min(this.#real + Math.max(1, Math.ceil(sleep)), this.#arrivals.first?.at ?? Infinity);
      if ((stops[stop] ?? Infinity) <= wake) {
        stop++;
        wake += this.#random() * (stalls?.longest ?? 0);
      }
      this.#real = wake;
      if ((changes[change] ?? Infinity) <= wake) {
        change++;
        this.#reload();
      }
      // In the order of an event loop: timers first, then what has arrived.
      this.#timers();
      for (let first = this.#arrivals.first; first && first.at <= this.#real; first = this.#arrivals.first) {
        this.#arrivals.remove(first);
        if (first.turn === first.server.turn && first.server.since !== undefined) this.#end(first.server, true);
      }
      this.longestWait = Math.max(this.longestWait, this.#schedule.longestWait);
    }
  }

  #timers(): void {
    const { started, expired } = this.#schedule.advance(this.#pace.now(this.#real));
    for (const server of expired) {
      // A server that answers in time must not time out because the process did not run.
      assert.ok(server.latency > TIMEOUT - GRACE, `${server.id} answers after ${server.latency} and timed out`);
      this.#end(server, false);
    }
    for (const server of started) this.#start(server);
  }

  #start(server: Server): void {
    assert.equal(server.since, undefined, `${server.id} is probed twice at once`);
    this.#running++;
    assert.ok(this.#running <= this.#options.concurrency);
    this.mostRunning = Math.max(this.mostRunning, this.#running);
    this.probes++;
    if (!this.#options.stalls && server.lastStart !== undefined)
      assert.ok(
        this.#real - server.lastStart > server.interval / 2,
        `${server.id} is probed again after ${this.#real - server.lastStart}`,
      );
    server.since = this.#real;
    server.lastStart = this.#real;
    server.turn++;
    this.starts.push(this.#real);
    if (server.silentUntil < this.#real && this.#random() < 0.002) {
      server.silentSince = this.#real;
      server.missedSince = this.#pace.lost;
      server.silentUntil = this.#real + this.#random() * 30 * SECOND;
    }
    const silent = server.silentUntil >= this.#real;
    server.latency = silent ? Infinity : this.#random() ** 3 * this.#options.slowest;
    if (!silent) this.#arrivals.add({ at: this.#real + server.latency, index: -1, server, turn: server.turn });
  }

  #end(server: Server, ok: boolean): void {
    this.#running--;
    server.since = undefined;
    assert.ok(server.slot);
    this.#schedule.finished(server.slot, this.#pace.now(this.#real));
    const before = server.state;
    server.state = next(before, { at: this.#real, ok, reason: '', latency: 0 }, { rise: RISE, fall: FALL });
    if (before.up && !server.state.up) {
      this.downs++;
      assert.ok(server.latency === Infinity, `${server.id} answers`);
    }
    // Tolerance: the time in which the process did not run, and the wait in the queue.
    const slack = this.#pace.lost - server.missedSince + this.#schedule.longestWait + 2 * GRACE;
    if (server.state.up && server.latency === Infinity)
      assert.ok(
        this.#real < server.silentSince + FALL * server.interval + TIMEOUT + slack,
        `${server.id} is up and does not answer`,
      );
  }

  #add(): void {
    const id = `10.0.0.${++this.#ids} 80`;
    const interval = pick(this.#random, [SECOND, 2 * SECOND, 5 * SECOND]);
    const timing = { interval, timeout: TIMEOUT, lane: 'sockets' } as const;
    const server: Server = {
      id,
      interval,
      slot: undefined,
      state: unknown(id, true, 0),
      silentUntil: -1,
      silentSince: 0,
      missedSince: 0,
      since: undefined,
      lastStart: undefined,
      latency: 0,
      turn: 0,
    };
    server.slot = this.#schedule.add(server, timing, fraction(id), this.#pace.now(this.#real));
    this.#servers.push(server);
  }

  #reload(): void {
    const kept: Server[] = [];
    for (const server of this.#servers) {
      if (this.#random() > 0.1) {
        kept.push(server);
        continue;
      }
      if (!server.slot || !this.#schedule.remove(server.slot)) continue;
      // The worker ends the probe.
      server.turn++;
      server.since = undefined;
      this.#running--;
      this.#schedule.finished(server.slot, this.#pace.now(this.#real));
    }
    this.#servers = kept;
    while (this.#servers.length < TARGETS) this.#add();
  }
}

/** The most starts in any window of so many milliseconds. */
function busiest(starts: readonly number[], window: number): number {
  let [most, first] = [0, 0];
  for (let last = 0; last < starts.length; last++) {
    while ((starts[last] ?? 0) - (starts[first] ?? 0) > window) first++;
    most = Math.max(most, last - first + 1);
  }
  return most;
}

/** A third each of 1, 2 and 5 seconds. */
const RATE = (TARGETS * (1 + 1 / 2 + 1 / 5)) / 3 / 1000;

test('probes are spread evenly, in the expected number', () => {
  const fleet = new Fleet({ seed: 1, concurrency: 500, stalls: undefined, reloads: undefined, slowest: 50 });
  fleet.run();
  assert.ok(Math.abs(fleet.probes / (RATE * LENGTH) - 1) < 0.05, `${fleet.probes} of ${RATE * LENGTH}`);
  // The mean is 57; chance makes a few windows larger.
  assert.ok(busiest(fleet.starts, 100) < 100, `${busiest(fleet.starts, 100)}`);
  assert.ok(fleet.downs > 50 && fleet.longestWait < 10);
});

test('a process that is stopped repeatedly reports no false failure and makes no burst', () => {
  const fleet = new Fleet({
    seed: 2,
    concurrency: 500,
    stalls: { mean: 3 * SECOND, longest: 5 * SECOND },
    reloads: undefined,
    slowest: 600,
  });
  fleet.run();
  // Only probes that became due within the grace period start together.
  assert.ok(busiest(fleet.starts, 20) < 3 * RATE * GRACE, `${busiest(fleet.starts, 20)}`);
  assert.ok(fleet.downs > 10);
});

test('reloads cause no bursts and no second probe of a target', () => {
  const fleet = new Fleet({ seed: 3, concurrency: 500, stalls: undefined, reloads: 2 * SECOND, slowest: 300 });
  fleet.run();
  assert.ok(busiest(fleet.starts, 100) < 110, `${busiest(fleet.starts, 100)}`);
  assert.ok(fleet.downs > 10);
});

test('with a limit that is too low every target is probed in turn, and the limit is kept', () => {
  const fleet = new Fleet({ seed: 4, concurrency: 40, stalls: undefined, reloads: 30 * SECOND, slowest: 300 });
  fleet.run();
  assert.equal(fleet.mostRunning, 40);
});
