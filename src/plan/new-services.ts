// SPDX-License-Identifier: MIT
/** Finds new services that the bulk writer can add. A start has tens of thousands of their operations. */
import { isBulkWritableDestination, isBulkWritableService } from '../ipvs/bulk-writer.ts';
import { type BulkService, canonicalService, type DestinationConfig, type ServiceKey } from '../ipvs/index.ts';
import { sameKey } from './keys.ts';
import type { Operation } from './types.ts';

/** A new service with its destinations: the operations from `start` to before `end`. */
export interface NewService extends BulkService {
  start: number;
  end: number;
}

/**
 * Searches the operations from `start` to before `end`; puts the indices of all others into `rest`. Takes a service only
 * if it has nothing but destinations, which directly follow it, and none of its operations depends on another.
 */
export function newServices(
  operations: readonly Operation[],
  start: number,
  end: number,
  rest: number[],
): readonly NewService[] {
  const found: NewService[] = [];
  for (let index = start; index < end; ) {
    const one = newService(operations, index, end);
    if (typeof one === 'number') for (; index < one; index++) rest.push(index);
    else {
      found.push(one);
      index = one.end;
    }
  }
  return found;
}

/** Returns the index of the next service if the bulk writer cannot add this one. */
function newService(operations: readonly Operation[], start: number, limit: number): NewService | number {
  const first = operations[start] as Operation;
  if (first.op !== 'add-service') return start + 1;
  const { service: wanted } = first;
  const destinations: DestinationConfig[] = [];
  const service = canonicalService(wanted);
  let bulk = isBulkWritableService(service) && wanted.establishedTimeout === undefined;
  let end = start + 1;
  for (let of: ServiceKey | undefined; end < limit; end++) {
    const operation = operations[end] as Operation;
    if (!('service' in operation) || operation.op === 'add-service') break;
    if (operation.service !== of && !sameKey(operation.service, wanted)) break;
    of = operation.service;
    if (operation.op === 'add-destination' && isBulkWritableDestination(operation.destination))
      destinations.push(operation.destination);
    else bulk = false;
  }
  return bulk ? { start, end, service, destinations } : end;
}
