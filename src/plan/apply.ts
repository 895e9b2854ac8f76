// SPDX-License-Identifier: MIT
/**
 * Applies the operations of a plan. Independent operations are sent at once, in large batches; a failure skips only the
 * operations that depend on the failed one.
 */
import { serviceKeyText } from '../ipvs/index.ts';
import { bytesKey } from './keys.ts';
import { type NewService, newServices } from './new-services.ts';
import { applyOperation, type KernelWriter } from './operation.ts';
import { explained } from './refusals.ts';
import { type Attempt, applyService } from './service-apply.ts';
import type { Operation, OperationResult } from './types.ts';

type AddressOperation = Extract<Operation, { op: 'add-address' | 'delete-address' }>;
type SyncOperation = Extract<Operation, { op: 'start-sync' | 'stop-sync' }>;
type ServiceOperation = Exclude<Operation, AddressOperation | SyncOperation | { op: 'set-timeouts' }>;

/**
 * Returns one result for each operation, in order. Errors are in the results: does not throw. `left`: operations of the
 * same plan that the caller leaves out for now; what depends on them is skipped.
 */
export async function apply(
  operations: readonly Operation[],
  writer: KernelWriter,
  left: readonly Operation[] = [],
): Promise<OperationResult[]> {
  const application = new Application(operations, writer, left);
  await application.run();
  return application.results;
}

/** Services applied at a time: enough to fill every batch, and few enough to bound what waits in memory. */
const CONCURRENT_SERVICES = 256;

/** New services added by one call. */
const NEW_SERVICES = 1000;

class Application {
  readonly results: { operation: Operation; error: OperationResult['error'] }[];
  readonly #operations: readonly Operation[];
  readonly #writer: KernelWriter;
  /** Services that can serve (`serviceKeyText`). */
  readonly #serving = new Set<string>();
  /** Local addresses that a service still has. */
  readonly #kept = new Set<string>();
  /** Addresses that were added to their device, and those that could not be. */
  readonly #placed = new Set<string>();
  readonly #missing = new Set<string>();

  constructor(operations: readonly Operation[], writer: KernelWriter, left: readonly Operation[]) {
    this.#operations = operations;
    this.#writer = writer;
    for (const one of left) if (one.op === 'add-address') this.#missing.add(bytesKey(one.address.address));
    this.results = operations.map((operation) => ({ operation, error: 'skipped' }));
  }

  /** Whether an address depends on services that can serve. */
  get #needsServing(): boolean {
    return this.#operations.some((operation) => operation.op === 'add-address' && operation.needs !== undefined);
  }

  /** Consecutive operations of one phase run together; each phase waits for the one before. */
  async run(): Promise<void> {
    let start = 0;
    while (start < this.#operations.length) {
      const phase = phaseOf(this.#operations[start] as Operation);
      let end = start + 1;
      while (end < this.#operations.length && phaseOf(this.#operations[end] as Operation) === phase) end++;
      if (phase === 'services') await this.#services(start, end);
      else if (phase === 'sync') for (const index of range(start, end)) await this.#attempt(index);
      else await this.#addresses(start, end);
      start = end;
    }
  }

  async #addresses(start: number, end: number): Promise<void> {
    await Promise.all(
      range(start, end).map(async (index) => {
        const operation = this.#operations[index] as AddressOperation;
        if (this.#isHeldBack(operation)) return;
        const error = await this.#attempt(index);
        if (operation.op === 'add-address')
          (error ? this.#missing : this.#placed).add(bytesKey(operation.address.address));
      }),
    );
  }

  #isHeldBack(operation: AddressOperation): boolean {
    if (operation.op === 'delete-address') {
      const key = bytesKey(operation.address.address);
      // An address that moves is deleted only after it was added to the other device.
      return this.#kept.has(key) || (operation.follows === true && !this.#placed.has(key));
    }
    const { needs, needsLocal } = operation;
    if (needs === undefined && needsLocal === undefined) return false;
    return !needs?.some((key) => this.#serving.has(key)) && !needsLocal?.some((key) => this.#placed.has(key));
  }

  /** First new services by the bulk path, then all other operations and the services that the bulk path rejected. */
  async #services(start: number, end: number): Promise<void> {
    const rest: number[] = [];
    const services = newServices(this.#operations, start, end, rest);
    const needsServing = this.#needsServing;
    for (let first = 0; first < services.length; first += NEW_SERVICES) {
      const chunk = services.slice(first, first + NEW_SERVICES);
      const rejected = await this.#writer.ipvs.addServices(chunk);
      for (const [position, service] of chunk.entries()) {
        if (rejected.has(position)) rest.push(...range(service.start, service.end));
        else this.#recordAdded(service, needsServing);
      }
    }
    if (rest.length > 0) await this.#eachService(rest);
  }

  #recordAdded({ start, end, service }: NewService, needsServing: boolean): void {
    for (let index = start; index < end; index++) (this.results[index] as OperationResult).error = undefined;
    if (needsServing) this.#serving.add(serviceKeyText(service));
  }

  async #eachService(indices: readonly number[]): Promise<void> {
    const services = new Map<string, number[]>();
    const settings: number[] = [];
    for (const index of indices) {
      const operation = this.#operations[index] as ServiceOperation | { op: 'set-timeouts' };
      if (operation.op === 'set-timeouts') {
        settings.push(index);
        continue;
      }
      const key = serviceKeyText(operation.service);
      const ofService = services.get(key);
      if (ofService) ofService.push(index);
      else services.set(key, [index]);
    }
    // All of them take services from one iterator.
    const queue = services.entries();
    await Promise.all([
      ...settings.map((index) => this.#attempt(index)),
      ...Array.from({ length: Math.min(CONCURRENT_SERVICES, services.size) }, () => this.#fromQueue(queue)),
    ]);
  }

  async #fromQueue(queue: Iterable<[string, readonly number[]]>): Promise<void> {
    for (const [key, indices] of queue) await this.#service(key, indices);
  }

  async #service(key: string, indices: readonly number[]): Promise<void> {
    const steps = indices.map((index) => ({ operation: this.#operations[index] as ServiceOperation, index }));
    const outcome = await applyService(steps, this.#missing, this.#writer, this.#attempt);
    if (outcome.failed) {
      // Their errors would only say that the service does not exist.
      for (const { operation, index } of steps)
        if (operation.op !== 'add-service') this.results[index] = { operation, error: 'skipped' };
    }
    if (outcome.serves) this.#serving.add(key);
    for (const address of outcome.kept) this.#kept.add(address);
  }

  readonly #attempt: Attempt = async (index) => {
    const operation = this.#operations[index] as Operation;
    let error: OperationResult['error'];
    try {
      await applyOperation(operation, this.#writer);
    } catch (failure) {
      error = failure instanceof Error ? explained(operation, failure) : new Error(String(failure));
    }
    this.results[index] = { operation, error };
    return error;
  };
}

/** Virtual addresses are a phase of their own: they may depend on local ones. */
function phaseOf(operation: Operation): 'local' | 'virtual' | 'delete-address' | 'sync' | 'services' {
  const { op } = operation;
  if (op === 'start-sync' || op === 'stop-sync') return 'sync';
  if (op === 'add-address') return operation.address.purpose;
  return op === 'delete-address' ? op : 'services';
}

function range(start: number, end: number): number[] {
  return Array.from({ length: end - start }, (_, index) => start + index);
}
