// SPDX-License-Identifier: MIT
/**
 * Carries out the operations of a plan, or some of them in its order. Everything that does not depend on something else
 * is asked for at once and leaves in large batches; what fails takes only what needs it along.
 */
import { serviceKeyText } from '../ipvs/index.ts';
import { bytesKey } from './keys.ts';
import { type NewService, newServices } from './new-services.ts';
import { type Changer, carryOut } from './operation.ts';
import { explained } from './refusals.ts';
import { runLane, type Settle } from './service-apply.ts';
import type { Operation, OperationResult } from './types.ts';

type AddressOperation = Extract<Operation, { op: 'add-address' | 'delete-address' }>;
type ServiceOperation = Exclude<Operation, AddressOperation | { op: 'set-timeouts' }>;

/** One result an operation, in their order. Does not throw: what fails stands in the results. */
export async function apply(operations: readonly Operation[], changer: Changer): Promise<OperationResult[]> {
  const run = new Run(operations, changer);
  await run.all();
  return run.results;
}

/** Services that are worked on at once: enough to fill every batch, and few enough that little waits in memory. */
const LANES = 256;

/** Whole services that are worked on together. */
const MANY = 1000;

class Run {
  readonly results: { operation: Operation; error: OperationResult['error'] }[];
  readonly #operations: readonly Operation[];
  readonly #changer: Changer;
  /** Services that have got something to serve with (`serviceKeyText`). */
  readonly #serving = new Set<string>();
  /** Local addresses that a service still has. */
  readonly #kept = new Set<string>();
  /** Addresses that were put on their device, and those that could not be. */
  readonly #placed = new Set<string>();
  readonly #missing = new Set<string>();

  constructor(operations: readonly Operation[], changer: Changer) {
    this.#operations = operations;
    this.#changer = changer;
    this.results = operations.map((operation) => ({ operation, error: 'skipped' }));
  }

  /** Whether an address waits to know which services can serve. */
  get #watched(): boolean {
    return this.#operations.some((operation) => operation.op === 'add-address' && operation.needs !== undefined);
  }

  /** A row of additions of addresses, of their removals, of operations on services: each waits for the one before. */
  async all(): Promise<void> {
    let start = 0;
    while (start < this.#operations.length) {
      const row = rowOf(this.#operations[start] as Operation);
      let end = start + 1;
      while (end < this.#operations.length && rowOf(this.#operations[end] as Operation) === row) end++;
      await (row === 'services' ? this.#services(start, end) : this.#addresses(start, end));
      start = end;
    }
  }

  async #addresses(start: number, end: number): Promise<void> {
    await Promise.all(
      range(start, end).map(async (index) => {
        const operation = this.#operations[index] as AddressOperation;
        if (this.#isHeldBack(operation)) return;
        const error = await this.#settle(index);
        if (operation.op === 'add-address')
          (error ? this.#missing : this.#placed).add(bytesKey(operation.address.address));
      }),
    );
  }

  #isHeldBack(operation: AddressOperation): boolean {
    if (operation.op === 'delete-address') {
      const key = bytesKey(operation.address.address);
      // One that moves stays where it is until it is where it shall be.
      return this.#kept.has(key) || (operation.follows === true && !this.#placed.has(key));
    }
    return operation.needs !== undefined && !operation.needs.some((key) => this.#serving.has(key));
  }

  /** First what is new and plain, which is what there is by the thousand; then all else, and what was refused of that. */
  async #services(start: number, end: number): Promise<void> {
    const rest: number[] = [];
    const plain = newServices(this.#operations, start, end, rest);
    const watched = this.#watched;
    for (let first = 0; first < plain.length; first += MANY) {
      const some = plain.slice(first, first + MANY);
      const refused = await this.#changer.ipvs.addServices(some);
      for (const [place, one] of some.entries()) {
        if (refused.has(place)) for (let index = one.start; index < one.end; index++) rest.push(index);
        else this.#added(one, watched);
      }
    }
    if (rest.length > 0) await this.#lanes(rest);
  }

  #added({ start, end, service }: NewService, watched: boolean): void {
    for (let index = start; index < end; index++) (this.results[index] as OperationResult).error = undefined;
    if (watched) this.#serving.add(serviceKeyText(service));
  }

  async #lanes(indices: readonly number[]): Promise<void> {
    const lanes = new Map<string, number[]>();
    const settings: number[] = [];
    for (const index of indices) {
      const operation = this.#operations[index] as ServiceOperation | { op: 'set-timeouts' };
      if (operation.op === 'set-timeouts') {
        settings.push(index);
        continue;
      }
      const key = serviceKeyText(operation.service);
      const lane = lanes.get(key);
      if (lane) lane.push(index);
      else lanes.set(key, [index]);
    }
    // One queue for all of them: each takes the next service once it is through with one.
    const queue = lanes.entries();
    await Promise.all([
      ...settings.map((index) => this.#settle(index)),
      ...Array.from({ length: Math.min(LANES, lanes.size) }, () => this.#lanesOf(queue)),
    ]);
  }

  async #lanesOf(queue: Iterable<[string, readonly number[]]>): Promise<void> {
    for (const [key, indices] of queue) await this.#lane(key, indices);
  }

  async #lane(key: string, indices: readonly number[]): Promise<void> {
    const steps = indices.map((index) => ({ operation: this.#operations[index] as ServiceOperation, index }));
    const outcome = await runLane(steps, this.#missing, this.#changer, (index) => this.#settle(index));
    if (outcome.failed) {
      // Their errors would say no more than that there is no such service.
      for (const { operation, index } of steps)
        if (operation.op !== 'add-service') this.results[index] = { operation, error: 'skipped' };
    }
    if (outcome.serves) this.#serving.add(key);
    for (const address of outcome.kept) this.#kept.add(address);
  }

  /** Tries one operation and notes how it ended. */
  readonly #settle: Settle = async (index) => {
    const operation = this.#operations[index] as Operation;
    let error: OperationResult['error'];
    try {
      await carryOut(operation, this.#changer);
    } catch (failure) {
      error = failure instanceof Error ? explained(operation, failure) : new Error(String(failure));
    }
    this.results[index] = { operation, error };
    return error;
  };
}

function rowOf({ op }: Operation): 'add-address' | 'delete-address' | 'services' {
  return op === 'add-address' || op === 'delete-address' ? op : 'services';
}

function range(start: number, end: number): number[] {
  return Array.from({ length: end - start }, (_, index) => start + index);
}
