// SPDX-License-Identifier: MIT
/** Desired state, the difference to the kernel's, its order, its application. */
export { apply } from './apply.ts';
export { type Description, describe, nameOf, type OperationJson, toJson } from './describe.ts';
export { difference, settle } from './difference.ts';
export { type Concerns, drift } from './drift.ts';
export { sameKey } from './keys.ts';
export type { Changer } from './operation.ts';
export { readActual, readService } from './read.ts';
export { addressText, destinationText, endpointText, serviceText } from './texts.ts';
export type * from './types.ts';
