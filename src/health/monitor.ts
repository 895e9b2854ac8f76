// SPDX-License-Identifier: MIT
/**
 * The daemon's interface to checks: targets in, transitions out. A separate process makes the probes, so that thousands
 * per second do not load the daemon. States are kept here as well, so that a restarted health worker continues where
 * the last one ended and no target flaps.
 */
import { steady } from '../base/clock.ts';
import type { Log } from '../base/log.ts';
import { CheckCounts, type CheckTotals } from './check-counts.ts';
import { type CheckHistory, EMPTY_HISTORY } from './history.ts';
import { resumed, unknown } from './machine.ts';
import type { Check, Inability, Target, TargetState, TargetStates, Transition } from './types.ts';
import type { Stop } from './worker/liveness.ts';
import { LoadWatch } from './worker/load-watch.ts';
import type { FromWorker, LaneLoads, Load, StateRow, ToWorker, WireTarget } from './worker/messages.ts';
import { fromRow } from './worker/messages.ts';
import { HealthWorker } from './worker/process.ts';

/** Targets per message, so that neither side is blocked by a long one. */
const TARGETS = 1000;
/** Milliseconds to wait for a snapshot before falling back to the state known here. */
const SNAPSHOT_TIMEOUT = 5000;

export interface HealthMonitorOptions {
  /** Maximum of simultaneous probes; programs of exec checks have a separate limit. */
  concurrency: number;
  log: Log;
}

/** Transitions kept for each target that has any. */
const TRANSITIONS = 20;

interface MonitoredTarget {
  number: number;
  target: Target;
  state: TargetState;
  /** The last transitions, oldest first. */
  transitions: Omit<Transition, 'id'>[] | undefined;
  /** All since lvsd started. */
  transitionCount: number;
  inability: Inability | undefined;
  /** What handshakes negotiate (negotiated.ts); 0: not known. */
  negotiated: number;
}

/** History of a target since the daemon started; without its transitions, since the health worker started. */
export interface TargetHistory extends CheckHistory {
  state: TargetState;
  transitions: Omit<Transition, 'id'>[];
}

/** Called when all checks stop, and with undefined when they run again. */
export type StopListener = (stop: Stop | undefined) => void;
export type InabilityListener = (id: string, inability: Inability | undefined) => void;

/** One string for equal texts: tens of thousands of targets have few reasons. */
class SharedTexts {
  readonly #texts = new Map<string, string>();

  shared(text: string): string {
    const known = this.#texts.get(text);
    if (known !== undefined) return known;
    if (this.#texts.size >= 1000) this.#texts.clear();
    this.#texts.set(text, text);
    return text;
  }
}

/** What checks have counted since lvsd started. */
export interface CheckNumbers extends CheckTotals {
  lanes: LaneLoads;
  /** Seconds in which the health worker was ready but did not run. */
  lost: number;
  /** Results that changed a state. */
  transitions: { up: number; down: number };
  /** Process ids, and how often the health worker was started again. */
  worker: number | undefined;
  helper: number | undefined;
  restarts: number;
}

function statesOf(targets: ReadonlyMap<string, MonitoredTarget>): TargetStates {
  return {
    get size() {
      return targets.size;
    },
    get: (id) => targets.get(id)?.state,
    *values() {
      for (const { state } of targets.values()) yield state;
    },
  };
}

interface Snapshot {
  request: number;
  answer: Promise<void>;
  done: () => void;
}

const NO_LANES: LaneLoads = { sockets: { running: 0, queued: 0 }, programs: { running: 0, queued: 0 } };

export class HealthMonitor {
  readonly #log: Log;
  readonly #worker: HealthWorker;
  readonly #byId = new Map<string, MonitoredTarget>();
  readonly #byNumber = new Map<number, MonitoredTarget>();
  readonly #states = statesOf(this.#byId);
  readonly #listeners = new Set<(transition: Transition) => void>();
  readonly #inabilityListeners = new Set<InabilityListener>();
  readonly #negotiatedListeners = new Set<(id: string, negotiated: number) => void>();
  readonly #stopListeners = new Set<StopListener>();
  readonly #loadWatch = new LoadWatch();
  #concurrency: number;
  #numbers = 0;
  #requests = 0;
  #snapshot: Snapshot | undefined;
  /** Requests for histories that wait for their answer. */
  readonly #histories = new Map<number, (found: ReadonlyMap<number, CheckHistory>) => void>();
  readonly #reasons = new SharedTexts();
  readonly #counts = new CheckCounts();
  readonly #transitions = { up: 0, down: 0 };
  #lanes: LaneLoads = NO_LANES;
  #lost = 0;
  #helper: number | undefined;
  #load: Load = { probes: 0, running: 0, queued: 0, limit: 0, longestWait: 0, lost: 0 };

  constructor({ concurrency, log }: HealthMonitorOptions) {
    this.#log = log;
    this.#concurrency = concurrency;
    this.#worker = new HealthWorker({
      log,
      onStart: () => this.#send([...this.#byId.values()], []),
      onMessage: (message) => this.#receive(message),
      onEnd: () => {
        this.#lanes = NO_LANES;
        this.#helper = undefined;
        this.#snapshot?.done();
        for (const done of [...this.#histories.values()]) done(new Map());
      },
      onStop: (stop) => {
        for (const listener of this.#stopListeners) listener(stop);
      },
    });
  }

  /** Takes effect with the next `configure`. */
  set concurrency(most: number) {
    this.#concurrency = most;
  }

  /**
   * Replaces the set of targets. Existing targets keep their state and their place in the schedule, except unprobed
   * ones that counted as down and now are `initiallyUp`. New ones continue from `history` if they are in it; their
   * first probes are spread over the interval.
   */
  configure(targets: readonly Target[], history: ReadonlyMap<string, TargetState> = new Map()): void {
    const now = steady();
    const wanted = new Map(targets.map((target) => [target.id, target]));
    const removed: number[] = [];
    for (const [id, { number, state }] of this.#byId) {
      const stays = wanted.get(id);
      if (stays && (state.up || state.probed || !stays.initiallyUp)) continue;
      this.#byId.delete(id);
      this.#byNumber.delete(number);
      removed.push(number);
    }
    const added: MonitoredTarget[] = [];
    for (const target of targets) {
      const there = this.#byId.get(target.id);
      if (there) {
        there.target = target;
        continue;
      }
      const past = history.get(target.id);
      const state = past ? resumed(past, now, target.check) : unknown(target.id, target.initiallyUp, now);
      const known: MonitoredTarget = {
        number: ++this.#numbers,
        target,
        state,
        transitions: undefined,
        transitionCount: 0,
        inability: undefined,
        negotiated: 0,
      };
      this.#byId.set(target.id, known);
      this.#byNumber.set(known.number, known);
      added.push(known);
    }
    // A new process needs all targets.
    if (this.#worker.running) this.#send(added, removed);
    else if (this.#byId.size > 0) this.#worker.start();
  }

  /** The state known here: `up`, `since` and `streak` are current, the rest is as of their last change or snapshot. */
  state(id: string): TargetState | undefined {
    return this.#byId.get(id)?.state;
  }

  /** The states, current when this resolves, or as they are known here if the health worker does not answer. */
  async states(): Promise<TargetStates> {
    if (this.#worker.running && this.#byId.size > 0) {
      this.#snapshot ??= this.#requestSnapshot();
      await this.#snapshot.answer;
    }
    return this.#states;
  }

  /** History of these targets, by id. If the health worker does not answer, only what is known here. */
  async history(ids: readonly string[]): Promise<ReadonlyMap<string, TargetHistory>> {
    const known = ids.flatMap((id) => this.#byId.get(id) ?? []);
    const [found] = await Promise.all([this.#requestHistory(known), this.states()]);
    return new Map(
      known.map(({ number, target, state, transitions = [] }) => {
        const current = this.#byId.get(target.id)?.state ?? state;
        return [target.id, { ...(found.get(number) ?? EMPTY_HISTORY), state: current, transitions: [...transitions] }];
      }),
    );
  }

  /** Calls back for each target that changes its state. Returns a function that unsubscribes. */
  onTransition(callback: (transition: Transition) => void): () => void {
    this.#listeners.add(callback);
    return () => this.#listeners.delete(callback);
  }

  /** The reason why the checks of a target cannot be made; undefined if they can. */
  inability(id: string): Inability | undefined {
    return this.#byId.get(id)?.inability;
  }

  /**
   * Calls back when checks of a target cannot be made, when the reason changes, and when they can again (undefined).
   */
  onInability(callback: InabilityListener): void {
    this.#inabilityListeners.add(callback);
  }

  /** Result of the handshakes with a target as a number of negotiated.ts; 0: not known. */
  negotiated(id: string): number {
    return this.#byId.get(id)?.negotiated ?? 0;
  }

  /** Calls back when handshakes with a target negotiate something else than before. */
  onNegotiated(callback: (id: string, negotiated: number) => void): void {
    this.#negotiatedListeners.add(callback);
  }

  /** Why no checks are made; undefined while the health worker runs. */
  get checksStop(): Stop | undefined {
    return this.#worker.checksStop;
  }

  onStop(callback: StopListener): void {
    this.#stopListeners.add(callback);
  }

  /** False if the health worker has not worked for 40 s although it was restarted. For a watchdog. */
  get alive(): boolean {
    return this.#worker.alive;
  }

  /** Load of the health worker in the last second. */
  get load(): Readonly<Load> {
    return this.#load;
  }

  /** Transitions of a target since lvsd started. */
  transitionsOf(id: string): number {
    return this.#byId.get(id)?.transitionCount ?? 0;
  }

  get numbers(): CheckNumbers {
    return {
      ...this.#counts.totals,
      lanes: this.#lanes,
      lost: this.#lost / 1000,
      transitions: { ...this.#transitions },
      worker: this.#worker.pid,
      helper: this.#helper,
      restarts: this.#worker.restarts,
    };
  }

  /** Stops the health worker and all probes. */
  async stop(): Promise<void> {
    await this.#worker.stop();
  }

  #send(added: readonly MonitoredTarget[], removed: number[]): void {
    const messages = Math.max(1, Math.ceil(added.length / TARGETS));
    for (let i = 0; i < messages; i++) {
      const part = added.slice(i * TARGETS, (i + 1) * TARGETS);
      // Composed when it is sent, because targets may be removed or change their state before that.
      this.#worker.send(() => this.#targets(part, i === 0 ? removed : []));
    }
  }

  #targets(part: readonly MonitoredTarget[], remove: number[]): ToWorker {
    const checks: Check[] = [];
    const places = new Map<Check, number>();
    const add: WireTarget[] = [];
    for (const known of part) {
      const { number, target, state } = known;
      if (this.#byNumber.get(number) !== known) continue;
      let check = places.get(target.check);
      if (check === undefined) {
        check = checks.push(target.check) - 1;
        places.set(target.check, check);
      }
      const { id, address, port, label } = target;
      add.push({ number, id, address, port, check, label, state });
    }
    return { type: 'targets', concurrency: this.#concurrency, checks, add, remove };
  }

  #requestSnapshot(): Snapshot {
    const request = ++this.#requests;
    let done = (): void => {};
    const answer = new Promise<void>((resolve) => {
      const timer = setTimeout(() => done(), SNAPSHOT_TIMEOUT);
      done = () => {
        clearTimeout(timer);
        this.#snapshot = undefined;
        resolve();
      };
    });
    this.#requestPart(request);
    return { request, answer, done };
  }

  /** One part at a time, so that other work gets its turns between them. */
  #requestPart(request: number): void {
    this.#worker.send(() => ({ type: 'snapshot', request }));
  }

  #requestHistory(known: readonly MonitoredTarget[]): Promise<ReadonlyMap<number, CheckHistory>> {
    if (!this.#worker.running || known.length === 0) return Promise.resolve(new Map());
    const request = ++this.#requests;
    const numbers = known.map(({ number }) => number);
    return new Promise((resolve) => {
      const done = (found: ReadonlyMap<number, CheckHistory>) => {
        clearTimeout(timer);
        this.#histories.delete(request);
        resolve(found);
      };
      const timer = setTimeout(() => done(new Map()), SNAPSHOT_TIMEOUT);
      this.#histories.set(request, done);
      this.#worker.send(() => ({ type: 'history', request, numbers }));
    });
  }

  #receive(message: FromWorker): void {
    switch (message.type) {
      case 'transitions':
        for (const { number, latency, ...transition } of message.list) this.#addTransition(number, transition, latency);
        break;
      case 'inability':
        this.#setInability(message.number, message.inability);
        break;
      case 'negotiated':
        for (const [number, negotiated] of message.rows) this.#setNegotiated(number, negotiated);
        break;
      case 'progress':
        this.#setStates(message.rows);
        break;
      case 'states':
        this.#setStates(message.rows);
        if (this.#snapshot?.request !== message.request) break;
        if (message.last) this.#snapshot.done();
        else this.#requestPart(message.request);
        break;
      case 'history':
        this.#histories.get(message.request)?.(new Map(message.list.map(({ number, history }) => [number, history])));
        break;
      case 'beat':
        this.#beat(message);
        break;
      case 'log':
        this.#log[message.level](message.text);
        break;
    }
  }

  #setStates(rows: readonly StateRow[]): void {
    for (const row of rows) {
      const known = this.#byNumber.get(row[0]);
      if (known) known.state = fromRow(known.target.id, row, (reason) => this.#reasons.shared(reason));
    }
  }

  /** A restarted health worker reports all of them again. */
  #setNegotiated(number: number, negotiated: number): void {
    const known = this.#byNumber.get(number);
    if (!known || known.negotiated === negotiated) return;
    known.negotiated = negotiated;
    for (const listener of this.#negotiatedListeners) listener(known.target.id, negotiated);
  }

  #setInability(number: number, inability: Inability | undefined): void {
    const known = this.#byNumber.get(number);
    if (!known) return;
    // A restarted health worker reports it again.
    const isNew = known.inability?.reason !== inability?.reason;
    known.inability = inability && { ...inability, since: known.inability?.since ?? inability.since };
    if (isNew) for (const listener of this.#inabilityListeners) listener(known.target.id, known.inability);
  }

  #beat({ load, counts, lanes, helper }: Extract<FromWorker, { type: 'beat' }>): void {
    this.#load = load;
    this.#counts.add(counts);
    this.#lanes = lanes;
    this.#lost += load.lost;
    this.#helper = helper;
    const line = this.#loadWatch.check(load, performance.now());
    if (line !== undefined) this.#log.warn(line);
  }

  #addTransition(number: number, { up, reason, code, at }: Omit<Transition, 'id'>, latency: number): void {
    const known = this.#byNumber.get(number);
    if (!known) return;
    this.#transitions[up ? 'up' : 'down']++;
    const { target, state } = known;
    const last = { at, ok: up, reason, code, latency };
    known.state = { ...state, up, streak: 0, since: at, probed: true, last };
    known.transitionCount++;
    known.transitions ??= [];
    if (known.transitions.length >= TRANSITIONS) known.transitions.shift();
    known.transitions.push({ up, reason, code, at });
    for (const listener of this.#listeners) listener({ id: target.id, up, reason, code, at });
  }
}
