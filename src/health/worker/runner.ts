// SPDX-License-Identifier: MIT
/** Probes targets by schedule and keeps their states. Connects the pure parts with timers and sockets. */
import { steady } from '../../base/clock.ts';
import { formatDuration } from '../../base/durations.ts';
import { CheckCounts } from '../check-counts.ts';
import { type CheckHistory, History } from '../history.ts';
import { KINDS } from '../kinds.ts';
import { next, type Result } from '../machine.ts';
import { Pace } from '../schedule/pace.ts';
import { Schedule, type Slot, type Timing } from '../schedule/schedule.ts';
import { fraction } from '../schedule/spread.ts';
import type { Check, Inability, Target, TargetState, Transition } from '../types.ts';
import { failure, inconclusive, type Probe, type Prober, type Verdict } from '../verdict.ts';
import { ErrorReports } from './error-reports.ts';
import type { LaneLoads, Load } from './messages.ts';
import type { Prepare } from './probers.ts';

/** Milliseconds between runs of the schedule; probes due in between start together. */
const TICK = 20;
/** Maximum milliseconds between runs. */
const LONGEST_SLEEP = 1000;
/** Lost milliseconds in about a second that are reported as a whole, and for how long no late probe is reported then. */
const NOTABLE_LOSS = 1000;
const QUIET = 10_000;

export interface ProbeRunnerOptions<T extends Target = Target> {
  concurrency: number;
  /** Maximum of simultaneous programs. */
  programs: number;
  prepare: Prepare;
  /** `state` is the new state. */
  onTransition: (target: T, transition: Transition, state: TargetState) => void;
  /** A result was counted. */
  onResult?: (target: T) => void;
  /** The number of results that contradict the state changed, without a transition. */
  onProgress?: (target: T, state: TargetState) => void;
  /** `fall` probes in a row could not be made, or the reason changed; undefined: they can be made again. */
  onInability?: (target: T, inability: Inability | undefined) => void;
  /** Handshakes with a target negotiate something else than before (negotiated.ts). */
  onNegotiated?: (target: T, negotiated: number) => void;
  /** A rate-limited line for the operator. */
  onTrouble: (text: string) => void;
}

/** What all targets of a check share. */
interface Shared {
  prober: Prober;
  timing: Timing;
}

interface ProbedTarget<T extends Target> {
  readonly target: T;
  state: TargetState;
  readonly history: History;
  readonly prober: Prober;
  slot: Slot<ProbedTarget<T>> | undefined;
  /** The probe in progress. */
  probe: Probe | undefined;
  /** Incremented with each probe, to ignore late results of earlier ones. */
  turn: number;
  startedAt: number;
  /** Inconclusive probes since the last result, and the instant of the first. */
  inconclusive: { count: number; since: number } | undefined;
  /** As last reported. */
  inability: Inability | undefined;
  /** As last reported; 0: nothing yet. */
  negotiated: number;
}

/** Milliseconds of a monotonic clock. */
const clock = (): number => performance.now();

export class ProbeRunner<T extends Target = Target> {
  readonly #options: ProbeRunnerOptions<T>;
  readonly #schedule: Schedule<ProbedTarget<T>>;
  readonly counts = new CheckCounts();
  readonly #entries = new Map<string, ProbedTarget<T>>();
  readonly #shared = new WeakMap<Check, Shared>();
  // Own time begins with the time since the epoch, so that a restart leaves each target its place in the interval.
  readonly #pace = new Pace(clock(), steady());
  readonly #errors: ErrorReports;
  #timer: NodeJS.Timeout | undefined;
  /** Real time at which the timer fires. */
  #armed = Number.POSITIVE_INFINITY;
  #stopped = false;
  #probes = 0;
  #lost = 0;
  /** By `clock()`: until then late probes are the consequence of a reported overload. */
  #overloadedUntil = Number.NEGATIVE_INFINITY;

  constructor(options: ProbeRunnerOptions<T>) {
    this.#options = options;
    this.#schedule = new Schedule({ sockets: options.concurrency, programs: options.programs }, (lane, late) =>
      this.counts.started(lane, late),
    );
    this.#errors = new ErrorReports(options.onTrouble);
  }

  set concurrency(most: number) {
    this.#schedule.limit('sockets', most);
  }

  /** Adds a target; no effect if it is already there. */
  add(target: T, state: TargetState): void {
    if (this.#entries.has(target.id)) return;
    const { prober, timing } = this.#sharedBy(target.check);
    const entry: ProbedTarget<T> = {
      target,
      state,
      history: new History(),
      prober,
      slot: undefined,
      probe: undefined,
      turn: 0,
      startedAt: 0,
      inconclusive: undefined,
      inability: undefined,
      negotiated: 0,
    };
    entry.slot = this.#schedule.add(entry, timing, fraction(target.id), this.#now());
    this.#entries.set(target.id, entry);
    this.#arm();
  }

  #sharedBy(check: Check): Shared {
    let shared = this.#shared.get(check);
    if (!shared) {
      const { interval, timeout, type } = check;
      shared = { prober: this.#prober(check), timing: { interval, timeout, lane: KINDS[type].lane } };
      this.#shared.set(check, shared);
    }
    return shared;
  }

  /** If the check can never be made, each probe says why. */
  #prober(check: Check): Prober {
    try {
      return this.#options.prepare(check);
    } catch (error) {
      return {
        start() {
          throw error;
        },
      };
    }
  }

  remove(id: string): void {
    const entry = this.#entries.get(id);
    if (!entry?.slot) return;
    this.#entries.delete(id);
    if (!this.#schedule.remove(entry.slot)) return;
    // A probe that is already ending reports that itself.
    if (entry.probe) this.#end(entry);
  }

  state(id: string): TargetState | undefined {
    return this.#entries.get(id)?.state;
  }

  history(id: string): CheckHistory | undefined {
    return this.#entries.get(id)?.history.data();
  }

  get laneLoads(): LaneLoads {
    return { sockets: this.#schedule.laneLoad('sockets'), programs: this.#schedule.laneLoad('programs') };
  }

  /** Returns the load since the last call. */
  takeLoad(): Load {
    const schedule = this.#schedule;
    const load = {
      probes: this.#probes,
      running: schedule.running,
      queued: schedule.queued,
      limit: schedule.limitOf('sockets'),
      longestWait: Math.round(schedule.longestWait),
      lost: Math.round(this.#pace.lost - this.#lost),
    };
    this.#probes = 0;
    if (this.#overloaded()) this.#overloadedUntil = clock() + QUIET;
    this.#lost = this.#pace.lost;
    schedule.longestWait = 0;
    this.#errors.flush(clock());
    return load;
  }

  #overloaded(): boolean {
    return this.#pace.lost - this.#lost >= NOTABLE_LOSS;
  }

  /** Ends all probes and starts no more. */
  stop(): void {
    this.#stopped = true;
    clearTimeout(this.#timer);
    for (const id of [...this.#entries.keys()]) this.remove(id);
  }

  #now(): number {
    return this.#pace.now(clock());
  }

  #arm(): void {
    if (this.#stopped) return;
    const now = this.#now();
    const wake = Math.min(this.#schedule.wake ?? Number.POSITIVE_INFINITY, now + LONGEST_SLEEP);
    const at = clock() + Math.max(TICK, wake - now);
    if (at >= this.#armed) return;
    this.#armed = at;
    this.#pace.sleepUntil(Math.max(now + TICK, wake));
    clearTimeout(this.#timer);
    this.#timer = setTimeout(
      () => {
        this.#armed = Number.POSITIVE_INFINITY;
        this.#work();
        this.#arm();
      },
      Math.ceil(at - clock()),
    );
  }

  #work(): void {
    const { expired, started } = this.#schedule.advance(this.#now());
    for (const entry of expired) this.#expire(entry);
    for (const entry of started) this.#start(entry);
  }

  #start(entry: ProbedTarget<T>): void {
    const turn = ++entry.turn;
    entry.startedAt = clock();
    let over = false;
    const done = (verdict: Verdict, negotiated = 0): void => {
      if (over || entry.turn !== turn) return;
      over = true;
      entry.probe = undefined;
      this.#finished(entry);
      // Before the result: a transition finds it.
      if (negotiated !== 0 && negotiated !== entry.negotiated) this.#negotiated(entry, negotiated);
      this.#take(entry, verdict);
    };
    try {
      const probe = entry.prober.start(entry.target, done);
      if (!over) entry.probe = probe;
    } catch (error) {
      done(inconclusive(error instanceof Error ? error.message : String(error)));
    }
  }

  #expire(entry: ProbedTarget<T>): void {
    const { probe, slot, target, turn } = entry;
    if (!probe || !slot) return;
    const { timeout } = target.check;
    const left = probe.late ? (probe.startedAt ?? Number.NEGATIVE_INFINITY) + timeout - clock() : 0;
    if (left > TICK) {
      this.#schedule.extend(slot, this.#now() + left);
      this.#arm();
      return;
    }
    const reason = `no ${probe.waitsFor} within ${formatDuration(timeout)}`;
    const conclude = (late: boolean): void => {
      // A verdict may have arrived in the meantime.
      if (entry.turn !== turn || entry.probe !== probe) return;
      this.#end(entry, late);
      this.#take(entry, late ? failure('timeout', reason) : inconclusive(reason), true);
    };
    if (!probe.late) conclude(!probe.answered);
    else if (probe.startedAt === undefined) conclude(false);
    else void probe.late().then(conclude);
  }

  /** Ends the probe in progress and ignores its verdict. */
  #end(entry: ProbedTarget<T>, silent = false): void {
    const { probe } = entry;
    entry.turn++;
    entry.probe = undefined;
    const ending = probe?.cancel();
    if (ending) void ending.finally(() => this.#finished(entry, silent));
    else this.#finished(entry, silent);
  }

  #finished(entry: ProbedTarget<T>, silent = false): void {
    this.#probes++;
    if (!entry.slot) return;
    this.#schedule.finished(entry.slot, this.#now(), silent);
    this.#arm();
  }

  #unable(entry: ProbedTarget<T>, reason: string): void {
    entry.inconclusive ??= { count: 0, since: steady() };
    const { inconclusive, target } = entry;
    if (++inconclusive.count < target.check.fall || entry.inability?.reason === reason) return;
    entry.inability = { since: inconclusive.since, reason };
    this.#options.onInability?.(target, entry.inability);
  }

  #negotiated(entry: ProbedTarget<T>, negotiated: number): void {
    entry.negotiated = negotiated;
    if (this.#entries.get(entry.target.id) === entry) this.#options.onNegotiated?.(entry.target, negotiated);
  }

  #able(entry: ProbedTarget<T>): void {
    entry.inconclusive = undefined;
    if (!entry.inability) return;
    entry.inability = undefined;
    this.#options.onInability?.(entry.target, undefined);
  }

  /** `timedOut`: at the deadline, without an answer. */
  #take(entry: ProbedTarget<T>, { outcome, reason, code }: Verdict, timedOut = false): void {
    const { target } = entry;
    if (this.#entries.get(target.id) !== entry) return;
    if (outcome === 'inconclusive') {
      this.counts.result(target.check.type, timedOut ? 'discarded' : 'impossible');
      // An overload of this machine has its own line.
      const known = timedOut && (this.#overloaded() || clock() < this.#overloadedUntil);
      if (!known) this.#errors.add(reason, target.label, clock());
      this.#unable(entry, reason);
      return;
    }
    this.#able(entry);
    const latency = Math.round((clock() - entry.startedAt) * 1000) / 1000;
    const result: Result = { at: steady(), ok: outcome === 'success', reason, code, latency };
    this.counts.result(target.check.type, result.ok ? 'ok' : 'failed', { ...(code && { code }), latency });
    const before = entry.state;
    entry.state = next(before, result, target.check);
    entry.history.add(result);
    this.#options.onResult?.(target);
    if (entry.state.up === before.up) {
      if (entry.state.streak !== before.streak) this.#options.onProgress?.(target, entry.state);
      return;
    }
    this.#options.onTransition(target, { id: target.id, up: entry.state.up, reason, code, at: result.at }, entry.state);
  }
}
