// SPDX-License-Identifier: MIT
/**
 * Reconciles the kernel with the desired state, one cycle at a time: compares the desired state with the cached table,
 * applies the difference, and reads back what changed. Requests during a cycle are served by the next one.
 */
import { monotonic } from '../../base/clock.ts';
import { errorLine } from '../../base/error-line.ts';
import { NetlinkDumpInterruptedError } from '../../base/errors.ts';
import { serviceKeyText } from '../../ipvs/index.ts';
import { apply, type DriftFilter, describe, difference, drift, type KernelWriter, nameOf } from '../../plan/index.ts';
import type { Actual, Desired, Operation, OperationResult, Ownership, Plan } from '../../plan/types.ts';
import type { Reporter } from '../control/reporter.ts';
import { Backoff, poolOwner, retryDelay } from './backoff.ts';
import { ReconcileCounts } from './counts.ts';
import type { TableCache } from './table-cache.ts';

export interface DesiredSource {
  /** False if there is only one cycle (`run --once`). */
  readonly retries: boolean;
  desired(): Desired;
  ownership(): Ownership;
  /** Selects the changes that are reported as drift. */
  driftFilter(): DriftFilter;
  /** Name in the file of a service by its key. */
  serviceName(key: string): string | undefined;
  /** Called with the keys of services that were deleted. */
  onDeleted(services: readonly string[]): void;
}

export interface CycleResult {
  done: readonly Operation[];
  failed: readonly { service: string | undefined; text: string; error: string }[];
  /** True if no operation was attempted because the daemon is paused. */
  paused: boolean;
}

/** Which part of the kernel's state is read before a cycle; 'none': the cache is used as it is. */
export type Refresh = 'all' | 'addresses' | 'none';

const NO_OPERATIONS: CycleResult = { done: [], failed: [], paused: false };
/**
 * Rounds of a cycle. The second one should find no difference; more means that another program changes the table too.
 */
const MAX_ROUNDS = 4;
/** Operations of one cycle that are logged one by one at level info. */
const MAX_LINES = 200;

export class Reconciler {
  readonly #table: TableCache;
  readonly #writer: KernelWriter;
  readonly #source: DesiredSource;
  readonly #reporter: Reporter;
  readonly backoff = new Backoff();
  readonly counts = new ReconcileCounts();
  #running: Promise<CycleResult> | undefined;
  #next: Promise<CycleResult> | undefined;
  #refresh: Refresh = 'all';
  #writes = 0;
  #paused = false;
  #retry: NodeJS.Timeout | undefined;
  #stopped = false;
  #waiting: Plan['waiting'] = [];
  #reading = false;
  #readAgain = false;
  /** Reads that failed since the last that succeeded. */
  #failedReads = 0;
  /** Instant of the next read after one that failed, and what it reads. */
  #rereadAt: { at: number; refresh: Refresh } | undefined;

  constructor(table: TableCache, writer: KernelWriter, source: DesiredSource, reporter: Reporter) {
    this.#table = table;
    this.#writer = writer;
    this.#source = source;
    this.#reporter = reporter;
  }

  get paused(): boolean {
    return this.#paused;
  }

  /** Local addresses that drain. */
  get waiting(): Plan['waiting'] {
    return this.#waiting;
  }

  /** Number of operations sent so far. */
  get writes(): number {
    return this.#writes;
  }

  /** Whether a cycle is in progress. */
  get busy(): boolean {
    return this.#running !== undefined;
  }

  pause(on: boolean): void {
    this.#paused = on;
    // Much may have changed during the pause.
    if (!on) this.#raiseRefresh('all');
  }

  /**
   * Resolves with the result of a cycle that began after this call. Differences that `refresh` finds are reported as
   * drift.
   */
  run(options: { refresh?: Refresh } = {}): Promise<CycleResult> {
    if (options.refresh) this.#raiseRefresh(options.refresh);
    if (!this.#running) return this.#begin();
    const next = () => {
      this.#next = undefined;
      return this.run();
    };
    this.#next ??= this.#running.then(next, next);
    return this.#next;
  }

  /** Runs `prepare` between cycles, then a cycle: no other cycle sees a half-prepared state. */
  async runAfter(prepare: () => Promise<void>, options: { refresh?: Refresh } = {}): Promise<CycleResult> {
    // Not whenIdle(): another cycle could begin between its end and ours.
    while (this.#running) await this.#running.catch(() => NO_OPERATIONS);
    if (options.refresh) this.#raiseRefresh(options.refresh);
    return this.#begin(prepare);
  }

  /** Requests a cycle without waiting for it. */
  request(options: { refresh?: Refresh } = {}): void {
    const cycle = options.refresh === 'all' && this.#table.actual ? this.#runAfterBackgroundRead() : this.run(options);
    cycle.catch((error: unknown) => {
      // Stopping closes the sockets, which ends a read in progress with an error.
      if (this.#stopped) return;
      this.#retryRead('all');
      this.#reporter.log(
        'kernel',
        'error',
        `cannot reconcile the kernel with the file: ${errorLine(error)}; ${this.#retryText()}`,
      );
      this.#armRetry();
    });
  }

  /**
   * Reads everything beside the cycles: with thousands of services it takes seconds, and cycles must not wait for it.
   */
  async #runAfterBackgroundRead(): Promise<void> {
    if (this.#reading || this.#paused || this.#stopped) {
      this.#readAgain = this.#reading;
      return;
    }
    this.#reading = true;
    try {
      const update = await this.#tolerant('all', () => this.#table.readInBackground());
      // Not whenIdle(): another cycle could begin between its end and the update.
      while (this.#running) await this.#running.catch(() => NO_OPERATIONS);
      const before = this.#table.actual;
      update?.();
      const now = this.#table.actual;
      if (before && now && update) this.#reportDrift(before, now);
    } finally {
      this.#reading = false;
    }
    await this.run();
    if (!this.#readAgain) return;
    this.#readAgain = false;
    await this.#runAfterBackgroundRead();
  }

  #reportDrift(before: Actual, now: Actual): void {
    for (const one of drift(before, now, this.#source.driftFilter())) {
      this.counts.drifted(one.objects);
      this.#reporter.drift(one, one.service === undefined ? undefined : this.#source.serviceName(one.service));
    }
  }

  /** Resolves when no cycle is in progress. */
  async whenIdle(): Promise<void> {
    while (this.#running) await this.#running.catch(() => NO_OPERATIONS);
  }

  stop(): Promise<void> {
    this.#stopped = true;
    clearTimeout(this.#retry);
    return this.whenIdle();
  }

  #begin(prepare?: () => Promise<void>): Promise<CycleResult> {
    const cycle = Promise.resolve(prepare)
      .then((first) => first?.())
      .then(() => this.#counted())
      .finally(() => {
        if (this.#running === cycle) this.#running = undefined;
        this.#armRetry();
      });
    this.#running = cycle;
    return cycle;
  }

  async #counted(): Promise<CycleResult> {
    if (this.#paused) {
      this.#countOpen();
      return { ...NO_OPERATIONS, paused: true };
    }
    const start = monotonic();
    try {
      const result = await this.#cycle();
      this.counts.cycle(result.failed.length > 0 ? 'partial' : 'done', monotonic() - start);
      return result;
    } catch (error) {
      this.counts.cycle('error', monotonic() - start);
      throw error;
    }
  }

  /** What a cycle would do. */
  #countOpen(): void {
    const actual = this.#table.actual;
    if (!actual) return;
    const plan = difference(this.#source.desired(), actual, this.#source.ownership(), this.#table.differences);
    this.counts.open = plan.operations.length;
  }

  async #cycle(): Promise<CycleResult> {
    if (this.#stopped) return NO_OPERATIONS;
    const done: Operation[] = [];
    const failed: CycleResult['failed'][number][] = [];
    for (let round = 0; round < MAX_ROUNDS && !this.#stopped; round++) {
      const actual = await this.#refreshed();
      const now = monotonic();
      const desired = this.#source.desired();
      const plan = difference(desired, actual, this.#source.ownership(), this.#table.differences);
      this.#waiting = plan.waiting;
      const unhindered = this.backoff.failures.size === 0;
      const operations = unhindered
        ? plan.operations
        : plan.operations.filter(
            (operation) => !this.backoff.waits(ownerOf(operation), () => describe(operation).text, now),
          );
      this.#reportRecovery(plan);
      this.counts.open = plan.operations.length;
      if (operations.length === 0) break;
      const tried = new Set(unhindered ? [] : operations);
      const left = unhindered ? [] : plan.operations.filter((operation) => !tried.has(operation));
      const { results, unverified } = await this.#apply(operations, left);
      const deleted: string[] = [];
      for (const { operation, error } of results) {
        this.counts.operation(operation.op, error);
        if (error === undefined) {
          this.counts.open--;
          done.push(operation);
          if (operation.op === 'delete-service') deleted.push(serviceKeyText(operation.service));
        } else if (error !== 'skipped')
          failed.push({
            service: nameOf(operation),
            text: describe(operation).text,
            error: errorLine(error),
          });
      }
      this.#report(results);
      this.#source.onDeleted(deleted);
      // All operations are known to have taken effect; a newer desired state comes with a request of its own.
      if (unhindered && unverified.length === 0) break;
      if (results.every(({ error }) => error !== undefined)) break;
    }
    return { done, failed, paused: false };
  }

  #raiseRefresh(refresh: Refresh): void {
    if (this.#refresh === 'none' || refresh === 'all') this.#refresh = refresh;
  }

  async #refreshed(): Promise<Actual> {
    const before = this.#table.actual;
    const refresh = before ? this.#refresh : 'all';
    if (before && refresh === 'none') return before;
    this.#refresh = 'none';
    const read = () => (refresh === 'all' ? this.#table.read() : this.#table.readAddresses());
    if (!before) return this.#readSucceeded(await read());
    try {
      const now = await this.#tolerant(refresh, read);
      if (now) this.#reportDrift(before, now);
      return now ?? before;
    } catch (error) {
      this.#refresh = 'all';
      throw error;
    }
  }

  /**
   * Reads. Undefined if another program changed the kernel's tables all the time: removals and weights must not wait for
   * a quiet moment, so the cycle continues with the table as it was last read, and the read is repeated later.
   */
  async #tolerant<T>(refresh: Refresh, read: () => Promise<T>): Promise<T | undefined> {
    try {
      return this.#readSucceeded(await read());
    } catch (error) {
      if (!(error instanceof NetlinkDumpInterruptedError)) throw error;
      this.#retryRead(refresh);
      if (this.#failedReads === 1)
        this.#reporter.log('kernel', 'warn', `${errorLine(error)}; continuing with the previous read`);
      return undefined;
    }
  }

  #readSucceeded<T>(result: T): T {
    this.#failedReads = 0;
    this.#rereadAt = undefined;
    return result;
  }

  #retryRead(refresh: Refresh): void {
    this.#failedReads++;
    const raised = refresh === 'all' || this.#rereadAt?.refresh === 'all' ? 'all' : refresh;
    this.#rereadAt = { at: monotonic() + retryDelay(this.#failedReads), refresh: raised };
  }

  #retryText(): string {
    return `next attempt in ${Math.round(retryDelay(this.#failedReads) / 1000)} s`;
  }

  /** `unverified`: operations whose effect was read back and has to be compared again. */
  async #apply(
    operations: readonly Operation[],
    left: readonly Operation[],
  ): Promise<{ results: readonly OperationResult[]; unverified: readonly Operation[] }> {
    try {
      this.#writes += operations.length;
      const results = await apply(operations, this.#writer, left);
      const { services, unverified } = this.#table.assumeApplied(results);
      if (unverified.length > 0) await this.#table.readBack(unverified);
      if (services > 0 && !(await this.#table.verifyGeneration())) this.request({ refresh: 'all' });
      return { results, unverified };
    } catch (error) {
      this.#table.clear();
      this.#refresh = 'all';
      throw error;
    }
  }

  #report(results: readonly OperationResult[]): void {
    const done = results.filter(({ error }) => error === undefined);
    const many = done.length > MAX_LINES;
    if (many)
      this.#reporter.log('kernel', 'info', `${done.length} operations done (listed at log level debug)`, {
        operations: done.length,
      });
    if (!many || this.#reporter.debugging('kernel'))
      for (const { operation } of done) this.#reporter.operation(operation, many ? 'debug' : 'info');
    const failed = new Map<string, OperationResult[]>();
    for (const result of results) {
      if (result.error === undefined) continue;
      const service = ownerOf(result.operation);
      failed.set(service, [...(failed.get(service) ?? []), result]);
    }
    for (const [service, ofService] of failed) this.#fail(service, ofService);
  }

  #fail(service: string, results: readonly OperationResult[]): void {
    const rejected = results.filter(({ error }) => error !== 'skipped');
    const [first] = rejected;
    // Only skipped operations: they wait for others, which is no failure.
    if (!first) return;
    const now = monotonic();
    const whole = results.some(({ operation, error }) => operation.op === 'add-service' && error !== undefined);
    const waiting = whole ? 'all' : new Set(results.map(({ operation }) => describe(operation).text));
    const changes = rejected.map(({ operation, error }) => {
      const { sign, text } = describe(operation);
      return { sign, text, reason: errorLine(error) };
    });
    const { attempts, retryAt } = this.backoff.failed(service, changes, waiting, now);
    const retryIn = this.#source.retries ? Math.round((retryAt - now) / 1000) : undefined;
    const further = changes.length - 1;
    this.#reporter.kernelError(first.operation, { reason: errorLine(first.error), further, attempts, retryIn });
    // The kernel may have rejected it because the cache is wrong.
    this.#refresh = 'all';
  }

  /** Ends the failures of services without a difference. */
  #reportRecovery(plan: Plan): void {
    if (this.backoff.failures.size === 0) return;
    const differing = new Set(plan.operations.map(ownerOf));
    for (const service of [...this.backoff.failures.keys()])
      if (!differing.has(service) && this.backoff.succeeded(service)) this.#reporter.recovered(service || undefined);
  }

  #armRetry(): void {
    clearTimeout(this.#retry);
    if (this.#stopped) return;
    const reread = this.#rereadAt;
    const operations = this.backoff.nextRetry();
    const next = Math.min(reread?.at ?? Number.POSITIVE_INFINITY, operations ?? Number.POSITIVE_INFINITY);
    if (next === Number.POSITIVE_INFINITY) return;
    const refresh = reread && reread.at <= next ? reread.refresh : 'all';
    this.#retry = setTimeout(() => this.request({ refresh }), Math.max(50, next - monotonic()));
  }
}

/**
 * Whose failures are counted together: 'shop' for a service, 'local_addresses.inner' for a pool, which may have the name
 * of a service, and '' for operations that belong to none.
 */
function ownerOf(operation: Operation): string {
  const name = nameOf(operation) ?? '';
  return name !== '' &&
    'address' in operation &&
    'purpose' in operation.address &&
    operation.address.purpose === 'local'
    ? poolOwner(name)
    : name;
}
