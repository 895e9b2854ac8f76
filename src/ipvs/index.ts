// SPDX-License-Identifier: MIT
/** IPVS as types: what the kernel's table holds, and the client that reads and changes it. */
export { Additions, isPlainDestination, isPlainService } from './additions.ts';
export type { ServiceAddition } from './bulk.ts';
export { Ipvs, type ReadOptions } from './client.ts';
export * from './constants.ts';
export { bytesText, compareDestinations, compareServices, serviceKeyText } from './keys.ts';
export * from './types.ts';
