// SPDX-License-Identifier: MIT
/** Among operations, those that make a whole new service of the plainest kind: of these a start has ten thousand. */
import {
  canonicalService,
  type DestinationConfig,
  isPlainDestination,
  isPlainService,
  type ServiceAddition,
  type ServiceKey,
} from '../ipvs/index.ts';
import { sameKey } from './keys.ts';
import type { Operation } from './types.ts';

/** The operations from `start` to before `end`, and what they are together. */
export interface NewService extends ServiceAddition {
  start: number;
  end: number;
}

/**
 * From operations `start` to before `end`; the indices of all others go to `rest`. A service counts only where its
 * destinations follow it at once, nothing of it comes later, and there are neither local addresses nor anything else that
 * one step has to wait for another for.
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

/** A number: where the next service begins. */
function newService(operations: readonly Operation[], start: number, limit: number): NewService | number {
  const first = operations[start] as Operation;
  if (first.op !== 'add-service') return start + 1;
  const { service: wanted } = first;
  const destinations: DestinationConfig[] = [];
  let plain = isPlainService(wanted) && wanted.establishedTimeout === undefined;
  let end = start + 1;
  for (let of: ServiceKey | undefined; end < limit; end++) {
    const operation = operations[end] as Operation;
    if (!('service' in operation) || operation.op === 'add-service') break;
    if (operation.service !== of && !sameKey(operation.service, wanted)) break;
    of = operation.service;
    if (operation.op === 'add-destination' && isPlainDestination(operation.destination))
      destinations.push(operation.destination);
    else plain = false;
  }
  return plain ? { start, end, service: canonicalService(wanted), destinations } : end;
}
