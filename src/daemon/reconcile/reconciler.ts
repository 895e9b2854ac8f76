// SPDX-License-Identifier: MIT
/**
 * Keeps the kernel as desired. One cycle at a time: what is desired now, against the table as known; the difference is
 * carried out; what was touched is read again. Whatever asks for a cycle while one runs gets the next one.
 */

import { LvsdError } from '../../base/errors.ts';
import { isSystemError } from '../../base/native.ts';
import { serviceKeyText } from '../../ipvs/index.ts';
import { apply, type Changer, type Concerns, describe, difference, drift, nameOf } from '../../plan/index.ts';
import type { Actual, Desired, Operation, OperationResult, Ownership, Plan } from '../../plan/types.ts';
import type { Reporter } from '../control/reporter.ts';
import { Backoff } from './backoff.ts';
import type { KnownTable } from './table-cache.ts';

export interface Wishes {
  desired(): Desired;
  ownership(): Ownership;
  /** Whose changes are worth a word. */
  concerns(): Concerns;
  /** Services that are gone. */
  forget(services: readonly string[]): void;
}

export interface CycleResult {
  done: readonly Operation[];
  failed: readonly { service: string | undefined; text: string; error: string }[];
}

/** What of the kernel's state is read before a cycle: nothing, if what is known of it is good enough. */
export type Look = 'all' | 'addresses' | 'nothing';

const NOTHING: CycleResult = { done: [], failed: [] };
/** Cycles in a row: one should do, a second one finds nothing. More means that someone works against us. */
const MOST_ROUNDS = 4;
/** Operations of one cycle that get a line each. */
const MOST_LINES = 200;

export class Reconciler {
  readonly #table: KnownTable;
  readonly #changer: Changer;
  readonly #wishes: Wishes;
  readonly #reporter: Reporter;
  readonly backoff = new Backoff();
  #running: Promise<CycleResult> | undefined;
  #following: Promise<CycleResult> | undefined;
  #look: Look = 'all';
  #writes = 0;
  #paused = false;
  #retry: NodeJS.Timeout | undefined;
  #stopped = false;
  #waiting: Plan['waiting'] = [];
  #surveying = false;
  #surveyAgain = false;

  constructor(table: KnownTable, changer: Changer, wishes: Wishes, reporter: Reporter) {
    this.#table = table;
    this.#changer = changer;
    this.#wishes = wishes;
    this.#reporter = reporter;
  }

  get paused(): boolean {
    return this.#paused;
  }

  /** Local addresses that drain. */
  get waiting(): Plan['waiting'] {
    return this.#waiting;
  }

  /** Operations sent so far. */
  get writes(): number {
    return this.#writes;
  }

  /** Whether a cycle is under way. */
  get busy(): boolean {
    return this.#running !== undefined;
  }

  pause(on: boolean): void {
    this.#paused = on;
    // Whoever paused us may have changed much.
    if (!on) this.#lookAt('all');
  }

  /** Resolves when a cycle that began after this call has ended. `look`: what to read first; what differs is told. */
  run(options: { look?: Look } = {}): Promise<CycleResult> {
    if (options.look) this.#lookAt(options.look);
    if (!this.#running) return this.#begin();
    const next = () => {
      this.#following = undefined;
      return this.run();
    };
    this.#following ??= this.#running.then(next, next);
    return this.#following;
  }

  /** Prepares while no cycle is under way, then runs one: no other one carries out what is half prepared. */
  async change(prepare: () => Promise<void>, options: { look?: Look } = {}): Promise<CycleResult> {
    // Not by settle(): between its end and ours another cycle may begin.
    while (this.#running) await this.#running.catch(() => NOTHING);
    if (options.look) this.#lookAt(options.look);
    return this.#begin(prepare);
  }

  /** Asks for a cycle without waiting for it. */
  request(options: { look?: Look } = {}): void {
    const asked = options.look === 'all' && this.#table.actual ? this.#survey() : this.run(options);
    asked.catch((error: unknown) => {
      // Who stops closes the sockets under a look that is under way.
      if (!this.#stopped) this.#reporter.log('kernel', 'error', `cannot reconcile: ${lineOf(error)}`);
    });
  }

  /** A look at everything beside the cycles: with thousands of services it takes seconds, and news must not wait for it. */
  async #survey(): Promise<void> {
    if (this.#surveying || this.#paused || this.#stopped) {
      this.#surveyAgain = this.#surveying;
      return;
    }
    this.#surveying = true;
    try {
      const take = await this.#table.survey();
      while (this.#running) await this.#running.catch(() => NOTHING);
      const before = this.#table.actual;
      take();
      const now = this.#table.actual;
      if (before && now) this.#tellDrift(before, now);
    } finally {
      this.#surveying = false;
    }
    await this.run();
    if (!this.#surveyAgain) return;
    this.#surveyAgain = false;
    await this.#survey();
  }

  #tellDrift(before: Actual, now: Actual): void {
    for (const text of drift(before, now, this.#wishes.concerns())) this.#reporter.drift(text);
  }

  /** Resolves when no cycle is under way any more. */
  async settle(): Promise<void> {
    while (this.#running) await this.#running.catch(() => NOTHING);
  }

  stop(): Promise<void> {
    this.#stopped = true;
    clearTimeout(this.#retry);
    return this.settle();
  }

  #begin(prepare?: () => Promise<void>): Promise<CycleResult> {
    const cycle = Promise.resolve(prepare)
      .then((first) => first?.())
      .then(() => this.#cycle())
      .finally(() => {
        if (this.#running === cycle) this.#running = undefined;
        this.#armRetry();
      });
    this.#running = cycle;
    return cycle;
  }

  async #cycle(): Promise<CycleResult> {
    if (this.#paused || this.#stopped) return NOTHING;
    const done: Operation[] = [];
    const failed: CycleResult['failed'][number][] = [];
    for (let round = 0; round < MOST_ROUNDS && !this.#stopped; round++) {
      const actual = await this.#known();
      const now = Date.now();
      const plan = difference(this.#wishes.desired(), actual, this.#wishes.ownership());
      this.#waiting = plan.waiting;
      const unhindered = this.backoff.failures.size === 0;
      const operations = unhindered
        ? plan.operations
        : plan.operations.filter(
            (operation) => !this.backoff.waits(serviceOf(operation), () => describe(operation).text, now),
          );
      this.#settle(plan);
      if (operations.length === 0) break;
      const { results, others } = await this.#apply(operations);
      const deleted: string[] = [];
      for (const { operation, error } of results) {
        if (error === undefined) {
          done.push(operation);
          if (operation.op === 'delete-service') deleted.push(serviceKeyText(operation.service));
        } else if (error !== 'skipped')
          failed.push({
            service: serviceOf(operation) || undefined,
            text: describe(operation).text,
            error: lineOf(error),
          });
      }
      this.#report(results);
      this.#wishes.forget(deleted);
      // All of it is known to be as it was wished: who wishes something else meanwhile asks for a cycle.
      if (unhindered && others.length === 0) break;
      if (results.every(({ error }) => error !== undefined)) break;
    }
    return { done, failed };
  }

  #lookAt(what: Look): void {
    if (this.#look === 'nothing' || what === 'all') this.#look = what;
  }

  async #known(): Promise<Actual> {
    const before = this.#table.actual;
    const look = before ? this.#look : 'all';
    if (before && look === 'nothing') return before;
    this.#look = 'nothing';
    try {
      const now = look === 'all' ? await this.#table.read() : await this.#table.readAddresses();
      if (before) this.#tellDrift(before, now);
      return now;
    } catch (error) {
      this.#look = 'all';
      throw error;
    }
  }

  /** `others`: the operations after which it takes another look to know what is there. */
  async #apply(
    operations: readonly Operation[],
  ): Promise<{ results: readonly OperationResult[]; others: readonly Operation[] }> {
    try {
      this.#writes += operations.length;
      const results = await apply(operations, this.#changer);
      const { services, others } = this.#table.believe(results);
      if (others.length > 0) await this.#table.refresh(others);
      if (services > 0 && !(await this.#table.confirm())) this.request({ look: 'all' });
      return { results, others };
    } catch (error) {
      this.#table.forget();
      this.#look = 'all';
      throw error;
    }
  }

  #report(results: readonly OperationResult[]): void {
    const done = results.filter(({ error }) => error === undefined);
    const many = done.length > MOST_LINES;
    if (many) this.#reporter.log('kernel', 'info', `${done.length} operations done (each at level debug)`);
    if (!many || this.#reporter.debugging('kernel'))
      for (const { operation } of done) {
        const { sign, text } = describe(operation);
        this.#reporter.log('kernel', many ? 'debug' : 'info', `${sign} ${text}`);
      }
    const failed = new Map<string, OperationResult[]>();
    for (const result of results) {
      if (result.error === undefined) continue;
      const service = serviceOf(result.operation);
      failed.set(service, [...(failed.get(service) ?? []), result]);
    }
    for (const [service, those] of failed) this.#refused(service, those);
  }

  #refused(service: string, results: readonly OperationResult[]): void {
    const first = results.find(({ error }) => error !== 'skipped');
    // Skipped alone: something else has to go first, which is no failure.
    if (!first) return;
    const now = Date.now();
    const whole = results.some(({ operation, error }) => operation.op === 'add-service' && error !== undefined);
    const waiting = whole ? 'all' : new Set(results.map(({ operation }) => describe(operation).text));
    const text = `${describe(first.operation).text}: ${lineOf(first.error)}`;
    const { attempts, next } = this.backoff.failed(service, text, waiting, now);
    const seconds = Math.round((next - now) / 1000);
    this.#reporter.kernelError(service || undefined, `${text}; attempt ${attempts}, again in ${seconds} s`);
    // What was refused may be so because the table is not what we think.
    this.#look = 'all';
  }

  /** A service without any difference left is well. */
  #settle(plan: Plan): void {
    if (this.backoff.failures.size === 0) return;
    const differing = new Set(plan.operations.map(serviceOf));
    for (const service of [...this.backoff.failures.keys()]) {
      if (differing.has(service) || !this.backoff.succeeded(service)) continue;
      this.#reporter.log('kernel', 'info', `${service || 'global settings'}: as it should be again`);
    }
  }

  #armRetry(): void {
    clearTimeout(this.#retry);
    const next = this.backoff.next();
    if (next === undefined || this.#stopped) return;
    this.#retry = setTimeout(() => this.request({ look: 'all' }), Math.max(50, next - Date.now()));
  }
}

/** By which failures are counted; '' for what belongs to no service. */
const serviceOf = (operation: Operation) => nameOf(operation) ?? '';

/** What went wrong, in one line. */
export function lineOf(error: unknown): string {
  if (error instanceof LvsdError || isSystemError(error)) return error.message;
  return error instanceof Error ? `${error.name}: ${error.message}` : String(error);
}
