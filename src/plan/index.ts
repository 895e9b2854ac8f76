// SPDX-License-Identifier: MIT
/** Desired and actual state, the ordered difference between them, and its application. */
export { apply } from './apply.ts';
export { type Description, describe, nameOf, type OperationJson, toJson } from './describe.ts';
export { DifferenceCache, difference } from './difference.ts';
export { type Drift, type DriftFilter, type DriftObject, drift } from './drift.ts';
export { sameKey } from './keys.ts';
export { type Obstacle, obstacles } from './obstacles.ts';
export type { KernelWriter } from './operation.ts';
export { readActual, readService, readTable } from './read.ts';
export { addressText, destinationText, endpointText, serviceText } from './texts.ts';
export type * from './types.ts';
