// SPDX-License-Identifier: MIT
/** The operations of one service, in their order: what adds leaves in one go, what takes away waits for its success. */
import { IP_VS_CONN_F_FULLNAT } from '../ipvs/index.ts';
import { bytesKey } from './keys.ts';
import type { Changer } from './operation.ts';
import type { Operation, OperationResult } from './types.ts';

type Step = {
  operation: Exclude<Operation, { op: 'add-address' | 'delete-address' | 'set-timeouts' }>;
  /** Among all operations. */
  index: number;
};

/** Carries one operation out and notes its result; resolves with the error. */
export type Settle = (index: number) => Promise<OperationResult['error']>;

export interface LaneOutcome {
  /** The service could not be added: what followed had nothing to act on. */
  failed: boolean;
  /** It has got something to serve with, or was added to have nothing. */
  serves: boolean;
  /** Local addresses (`bytesKey`) that should have left and did not. */
  kept: readonly string[];
}

/** `missing`: local addresses that are on no device, as they should be. */
export async function runLane(
  steps: readonly Step[],
  missing: ReadonlySet<string>,
  changer: Changer,
  settle: Settle,
): Promise<LaneOutcome> {
  const state = new LaneState(missing);
  for (const group of groups(steps)) {
    const ready = group.filter(({ operation }) => state.permits(operation));
    const clear = ready.some(({ operation }) => operation.op === 'delete-local-address')
      ? await idle(ready, changer)
      : () => true;
    await Promise.all(
      ready.map(async ({ operation, index }) => {
        if (clear(operation)) state.note(operation, await settle(index));
      }),
    );
  }
  return { failed: state.failed, serves: state.serves, kept: keptAddresses(steps, state) };
}

/**
 * Cuts where what follows depends on how it went: before FULLNAT destinations of a service without local addresses so
 * far, before the first step that takes something away, and before local addresses are deleted.
 */
function groups(steps: readonly Step[]): Step[][] {
  const found: Step[][] = [];
  let last = -1;
  for (const step of steps) {
    // Late edits of the service stay where they are.
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

/** Afterwards there is more to serve with. */
function bringsWeight(operation: Step['operation']): boolean {
  if (operation.op === 'add-destination') return operation.destination.weight > 0;
  return operation.op === 'set-destination' && operation.destination.weight >= Math.max(1, operation.was.weight);
}

function isFullnat({ destination }: { destination: { method: number } }): boolean {
  return destination.method === IP_VS_CONN_F_FULLNAT;
}

class LaneState {
  readonly #missing: ReadonlySet<string>;
  #added: boolean | undefined;
  /** Destinations that can serve. */
  #destinations = { wanted: 0, there: 0 };
  /** Of a service that had no local address. */
  #pool = { wanted: 0, there: 0 };
  /** Local addresses that could not be drained. */
  readonly #undrained = new Set<string>();
  readonly gone = new Set<string>();

  constructor(missing: ReadonlySet<string>) {
    this.#missing = missing;
  }

  get failed(): boolean {
    return this.#added === false;
  }

  get serves(): boolean {
    const { wanted, there } = this.#destinations;
    return there > 0 || (this.#added === true && wanted === 0);
  }

  permits(operation: Step['operation']): boolean {
    if (this.failed) return false;
    switch (operation.op) {
      case 'add-local-address':
        if (operation.first) this.#pool.wanted++;
        return !this.#missing.has(bytesKey(operation.address));
      case 'add-destination':
      case 'set-destination':
        if (bringsWeight(operation)) this.#destinations.wanted++;
        else if (operation.op === 'set-destination' && operation.last && this.#nothingCame()) return false;
        return !isFullnat(operation) || this.#pool.wanted === 0 || this.#pool.there > 0;
      case 'delete-destination':
        return !(operation.last && this.#nothingCame());
      case 'delete-local-address':
        return !this.#undrained.has(bytesKey(operation.address));
      default:
        return true;
    }
  }

  note(operation: Step['operation'], error: OperationResult['error']): void {
    if (operation.op === 'add-service') this.#added = error === undefined;
    else if (operation.op === 'drain-local-address' && error) this.#undrained.add(bytesKey(operation.address));
    if (error) return;
    if (operation.op === 'delete-local-address') this.gone.add(bytesKey(operation.address));
    else if (operation.op === 'add-local-address' && operation.first) this.#pool.there++;
    else if (bringsWeight(operation)) this.#destinations.there++;
  }

  /** Also where the caller left out what was to come. */
  #nothingCame(): boolean {
    return this.#destinations.there === 0;
  }
}

/** Which local addresses are no longer chosen and have no connection. */
async function idle(steps: readonly Step[], changer: Changer): Promise<(operation: Step['operation']) => boolean> {
  const service = steps[0]?.operation.service;
  if (!service) return () => true;
  try {
    const addresses = await changer.ipvs.localAddresses(service);
    const busy = new Set(
      addresses
        .filter(({ connections, draining }) => connections > 0 || !draining)
        .map(({ address }) => bytesKey(address)),
    );
    return (operation) => operation.op !== 'delete-local-address' || !busy.has(bytesKey(operation.address));
  } catch {
    // Nobody knows: the next look will.
    return ({ op }) => op !== 'delete-local-address';
  }
}

function keptAddresses(steps: readonly Step[], state: LaneState): string[] {
  return steps.flatMap(({ operation }) =>
    operation.op === 'delete-local-address' && !state.gone.has(bytesKey(operation.address))
      ? [bytesKey(operation.address)]
      : [],
  );
}
