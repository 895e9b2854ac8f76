// SPDX-License-Identifier: MIT
/** Applies the operations of one service in order. Additions are sent together; removals wait until they succeeded. */
import { IP_VS_CONN_F_FULLNAT, type ServiceKey } from '../ipvs/index.ts';
import { bytesKey } from './keys.ts';
import type { KernelWriter } from './operation.ts';
import type { Operation, OperationResult } from './types.ts';

type Step = {
  operation: Extract<Operation, { service: ServiceKey }>;
  /** Index among all operations of the plan. */
  index: number;
};

/** Attempts one operation and stores its result. Resolves with the error. */
export type Attempt = (index: number) => Promise<OperationResult['error']>;

export interface ServiceOutcome {
  /** The service could not be added: its other operations failed for that reason. */
  failed: boolean;
  /** It has a destination that can serve, or was added without any. */
  serves: boolean;
  /** Local addresses (`bytesKey`) that should have been deleted and were not. */
  kept: readonly string[];
}

/** `missing`: local addresses that could not be added to their device. */
export async function applyService(
  steps: readonly Step[],
  missing: ReadonlySet<string>,
  writer: KernelWriter,
  attempt: Attempt,
): Promise<ServiceOutcome> {
  const progress = new Progress(missing);
  for (const group of groups(steps)) {
    const permitted = group.filter(({ operation }) => progress.permits(operation));
    const isUnused = permitted.some(({ operation }) => operation.op === 'delete-local-address')
      ? await unusedLocalAddresses(permitted, writer)
      : () => true;
    await Promise.all(
      permitted.map(async ({ operation, index }) => {
        if (isUnused(operation)) progress.record(operation, await attempt(index));
      }),
    );
  }
  return { failed: progress.failed, serves: progress.serves, kept: keptAddresses(steps, progress) };
}

/**
 * Splits the steps where the next ones depend on the outcome: before FULLNAT destinations of a service that has no local
 * address yet, before the first removal, and before local addresses are deleted.
 */
function groups(steps: readonly Step[]): Step[][] {
  const found: Step[][] = [];
  let last = -1;
  for (const step of steps) {
    // Edits of the service that come late stay where they are.
    const rank = Math.max(last, rankOf(step.operation));
    if (rank > last) found.push([]);
    found.at(-1)?.push(step);
    last = rank;
  }
  return found;
}

function rankOf(operation: Step['operation']): number {
  switch (operation.op) {
    case 'add-destination':
      return isFullnat(operation) ? 1 : 0;
    case 'set-destination':
      if (operation.destination.weight < operation.was.weight) return 2;
      return isFullnat(operation) ? 1 : 0;
    case 'delete-destination':
    case 'drain-local-address':
      return 2;
    case 'delete-local-address':
      return 3;
    default:
      return 0;
  }
}

/** Whether the service has more destinations that can serve afterwards. */
function bringsWeight(operation: Step['operation']): boolean {
  if (operation.op === 'add-destination') return operation.destination.weight > 0;
  return operation.op === 'set-destination' && operation.destination.weight >= Math.max(1, operation.was.weight);
}

function isFullnat({ destination }: { destination: { method: number } }): boolean {
  return destination.method === IP_VS_CONN_F_FULLNAT;
}

class Progress {
  readonly #missing: ReadonlySet<string>;
  #added: boolean | undefined;
  /** Destinations that can serve. */
  #destinations = { wanted: 0, done: 0 };
  /** Local addresses of a service that had none. */
  #localAddresses = { wanted: 0, done: 0 };
  /** Local addresses that were added. */
  #addedAddresses = 0;
  /** Local addresses that could not be drained. */
  readonly #undrained = new Set<string>();
  readonly deleted = new Set<string>();

  constructor(missing: ReadonlySet<string>) {
    this.#missing = missing;
  }

  get failed(): boolean {
    return this.#added === false;
  }

  get serves(): boolean {
    const { wanted, done } = this.#destinations;
    return done > 0 || (this.#added === true && wanted === 0);
  }

  permits(operation: Step['operation']): boolean {
    if (this.failed) return false;
    switch (operation.op) {
      case 'add-local-address':
        if (operation.first) this.#localAddresses.wanted++;
        return !this.#missing.has(bytesKey(operation.address));
      case 'add-destination':
      case 'set-destination':
        if (bringsWeight(operation)) this.#destinations.wanted++;
        else if (operation.op === 'set-destination' && operation.last && this.#hasNoReplacement()) return false;
        return !isFullnat(operation) || this.#localAddresses.wanted === 0 || this.#localAddresses.done > 0;
      case 'delete-destination':
        return !(operation.last && this.#hasNoReplacement());
      case 'drain-local-address':
        if (!operation.last || this.#addedAddresses > 0) return true;
        this.#undrained.add(bytesKey(operation.address));
        return false;
      case 'delete-local-address':
        return !this.#undrained.has(bytesKey(operation.address));
      default:
        return true;
    }
  }

  record(operation: Step['operation'], error: OperationResult['error']): void {
    if (operation.op === 'add-service') this.#added = error === undefined;
    else if (operation.op === 'drain-local-address' && error) this.#undrained.add(bytesKey(operation.address));
    if (error) return;
    if (operation.op === 'delete-local-address') this.deleted.add(bytesKey(operation.address));
    else if (operation.op === 'add-local-address') {
      this.#addedAddresses++;
      if (operation.first) this.#localAddresses.done++;
    } else if (bringsWeight(operation)) this.#destinations.done++;
  }

  /** True also if the caller left out the operations that add the replacement. */
  #hasNoReplacement(): boolean {
    return this.#destinations.done === 0;
  }
}

/** Reads which local addresses drain and have no connections, and may be deleted. */
async function unusedLocalAddresses(
  steps: readonly Step[],
  writer: KernelWriter,
): Promise<(operation: Step['operation']) => boolean> {
  const service = steps[0]?.operation.service;
  if (!service) return () => true;
  try {
    const addresses = await writer.ipvs.localAddresses(service);
    const used = new Set(
      addresses
        .filter(({ connections, draining }) => connections > 0 || !draining)
        .map(({ address }) => bytesKey(address)),
    );
    return (operation) => operation.op !== 'delete-local-address' || !used.has(bytesKey(operation.address));
  } catch {
    // Unknown: they stay until the next plan.
    return ({ op }) => op !== 'delete-local-address';
  }
}

function keptAddresses(steps: readonly Step[], progress: Progress): string[] {
  return steps.flatMap(({ operation }) =>
    operation.op === 'delete-local-address' && !progress.deleted.has(bytesKey(operation.address))
      ? [bytesKey(operation.address)]
      : [],
  );
}
